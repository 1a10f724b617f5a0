"""The data as torch's peers get it: as torchvision's own data sets give it, one PIL image at a time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset
from torchvision import transforms

from bench.speed.arrays import statistics
from bench.speed.job import Job


class Pictures(Dataset):
    """One part of the data. An item is made as in torchvision's ``MNIST`` and ``CIFAR10``: array, PIL image, transform."""

    def __init__(self, folder: str, part: str, transform) -> None:
        self.data = np.load(Path(folder) / f"x_{part}.npy")
        self.targets = np.load(Path(folder) / f"y_{part}.npy").tolist()
        self.transform = transform

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(Image.fromarray(self.data[index])), self.targets[index]


def datasets(job: Job) -> tuple[Pictures, Pictures, Pictures]:
    """Training, validation and test part."""
    mean, std = statistics(job.folder)
    plain = [transforms.ToTensor(), transforms.Normalize(mean, std)]
    vary = [transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip()] if job.augment else []
    return (
        Pictures(job.folder, "train", transforms.Compose(vary + plain)),
        Pictures(job.folder, "validation", transforms.Compose(plain)),
        Pictures(job.folder, "test", transforms.Compose(plain)),
    )


def accuracy_of(model: torch.nn.Module, dataset: Pictures) -> float:
    """Share of ``dataset`` that ``model`` tells rightly; read once, after the training that is timed."""
    model.eval()
    device = next(model.parameters()).device
    with torch.no_grad():
        loader = torch.utils.data.DataLoader(dataset, batch_size=1000)
        right = sum((model(x.to(device)).argmax(1).cpu() == y).sum().item() for x, y in loader)
    return right / len(dataset)
