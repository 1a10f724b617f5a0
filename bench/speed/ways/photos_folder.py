"""torchvision's ImageFolder and torch's DataLoader, as in pytorch/examples' ``imagenet/main.py``."""

import argparse
import json
from pathlib import Path

import torch
from torch.utils.data import DataLoader
from torchvision import datasets, transforms


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    dataset = datasets.ImageFolder(
        arguments.folder / "train",
        transforms.Compose(
            [
                transforms.RandomResizedCrop(224),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]),
            ]
        ),
    )
    loader = DataLoader(dataset, batch_size=32, shuffle=True, num_workers=arguments.workers)
    seen = 0
    for _ in range(arguments.epochs):
        for inputs, _labels in loader:
            assert inputs.dtype == torch.float32
            assert inputs.shape[1:] == (3, 224, 224)
            seen += len(inputs)
    print(json.dumps({"images": seen}))


if __name__ == "__main__":
    main()
