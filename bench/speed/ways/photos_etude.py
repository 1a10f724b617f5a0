"""The batches that ``etude train FOLDER --image-size 224 --random-resized-crop --augment`` trains on."""

import argparse
import json
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    from etude.cli.training import prepare_process

    prepare_process()
    import torch

    from etude import Classification, Recipe, build_model, load_data
    from etude.train.feed import as_feed

    recipe = Recipe(batch_size=32, seed=arguments.seed, augment=True, random_resized_crop=True)
    task = Classification(build_model("resnet18"))  # decides how a batch lies in memory
    seen = 0
    if arguments.epochs:
        data = load_data(arguments.folder, image_size=224, seed=arguments.seed, room_to_crop=True)
        feed = as_feed(data, recipe, None, task)
        for epoch in range(arguments.epochs):
            for inputs, _labels in feed.batches(epoch):
                assert inputs.dtype == torch.float32
                assert inputs.shape[1:] == (3, 224, 224)
                seen += len(inputs)
    print(json.dumps({"images": seen}))


if __name__ == "__main__":
    main()
