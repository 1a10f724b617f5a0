"""CIFAR-10 as fast as it goes: ``python -m bench.speedrun --data cifar10 --device cuda --seeds 5``.

In the spirit of Jordan (2024), "94% on CIFAR-10 in 3.29 Seconds on a Single GPU" (arXiv:2404.00498), with étude's own
pieces: `etude.models.speednet`, batches that never leave the device, alternating flips, lookahead, a triangular
schedule. The settings below are that paper's, in étude's terms. All of the training part is trained on, the validation
part included, as is the custom there; nothing is chosen by the test part.

The time is that of a run from the pictures on the device to the trained weights: making the network and whitening its
first layer are in it, reading the data and measuring are not. Where there is CUDA a short run goes first, uncounted.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from etude.core.devices import choose_device, cpu_name, tune_process
from etude.core.errors import EtudeError
from etude.core.seeds import derive_seed, seed_everything
from etude.core.settings import make
from etude.data.catalog import load_data
from etude.data.dataset import Examples, ImageData
from etude.data.resident_batches import ResidentBatches
from etude.models.catalog import build_model
from etude.study.interval import estimate
from etude.tasks.classification import Classification
from etude.tasks.test_time_augmentation import TestTimeAugmentation
from etude.train.fit import fit
from etude.train.lookahead import Lookahead
from etude.train.recipe import Recipe
from etude.train.state import State
from etude.train.triangular import triangular

EPOCHS, BATCH_SIZE, WIDTH, SHIFT = 9.9, 1024, 64, 2
WHITENED_FROM = 5000  # pictures
_ENOUGH_FOR_AN_INTERVAL = 5  # seeds
_MOMENTUM = 0.85
# With Nesterov momentum a constant gradient moves the weights by this many learning rates: the paper's rate and decay
# are given per example and without it.
_STEP = 1 + 1 / (1 - _MOMENTUM)
RATE, DECAY = 11.5 / _STEP / 1024, 0.0153 / 11.5  # an example; of a weight, against the mean gradient


@dataclass(frozen=True)
class Result:
    """One run: how long it took in seconds, and its accuracy on the test part, plainly and with test-time augmentation."""

    seconds: float
    accuracy: float
    augmented: float


class SpeedrunState(State):
    """A `State` whose learning rate is a triangle, and whose weights are slow and fast ones."""

    def __init__(self, task: Any, recipe: Recipe, choices: Any, steps_per_epoch: int) -> None:
        super().__init__(task, recipe, choices, steps_per_epoch)
        self.average = Lookahead(task.modules, self.total_steps)

    @property
    def learning_rate(self) -> float:
        """That of the next update."""
        return triangular(self.step, self.total_steps, self.recipe.learning_rate)


def speedrun_recipe(epochs: float, batch_size: int, steps_per_epoch: int, seed: int, **chosen: Any) -> Recipe:
    """The paper's settings; the learning rate is proportional to the batch.

    Raises:
        EtudeError: a value is out of bounds.
    """
    settings = {
        "epochs": max(1, math.ceil(epochs)),
        "steps": max(1, math.ceil(epochs * steps_per_epoch)),
        "batch_size": batch_size,
        "optimizer": "sgd",
        "learning_rate": RATE * batch_size,
        "momentum": _MOMENTUM,
        "weight_decay": DECAY,
        "label_smoothing": 0.2,
        "schedule": "constant",  # SpeedrunState has its own
        "keep": "last",
        "seed": seed,
    }
    return make(Recipe, settings | chosen)


def run_once(
    data: ImageData, seed: int, epochs: float, batch_size: int, width: int, device: str, precision: str
) -> Result:
    """Train one network on the training part of ``data`` and measure it on the test part."""
    feed = ResidentBatches(data, batch_size, seed, device, SHIFT)
    recipe = speedrun_recipe(epochs, batch_size, len(feed), seed, device=device, precision=precision)
    _wait(feed.device)
    began = time.perf_counter()
    seed_everything(recipe.seed)
    net = build_model("speednet", data.input_shape, data.num_classes, width=width)
    net.initialise_from(feed.first_inputs(WHITENED_FROM))
    task = Classification(net, recipe.label_smoothing)
    state = SpeedrunState.begin(task, recipe, len(feed))
    for _ in fit(task, _Training(feed), state=state):
        pass
    state.keep_final_weights()
    _wait(feed.device)
    seconds = time.perf_counter() - began
    net.eval()
    with torch.inference_mode(), state.autocast():
        plain = task.evaluate(feed.test)["accuracy"]
        augmented = Classification(TestTimeAugmentation(net)).evaluate(feed.test)["accuracy"]
    return Result(seconds, plain, augmented)


class _Training:
    """A feed that has nothing to be evaluated on."""

    resumes_mid_epoch = True
    validation = test = None

    def __init__(self, feed: ResidentBatches) -> None:
        self.batches, self._count = feed.batches, len(feed)

    def __len__(self) -> int:
        return self._count


def whole_training_part(data: ImageData, images: int | None = None, seed: int = 0) -> ImageData:
    """``data`` whose training part holds the validation part too; of both only ``images`` at random, if given.

    Raises:
        EtudeError: there is no test part.
    """
    if not len(data.test):
        raise EtudeError(
            en=f"{data.name} has no test part to measure on; give data with one.",
            zh=f"{data.name} 没有测试集，无法评估；请给出带测试集的数据。",
        )
    parts = [part for part in (data.train, data.validation) if len(part)]
    pixels = np.concatenate([part.pixels() for part in parts])
    labels = np.concatenate([part.labels for part in parts])
    rows = np.random.default_rng(derive_seed(seed, "speedrun")).permutation(len(labels))[:images]
    return replace(
        data, train=Examples(pixels, labels[rows], rows), validation=Examples(pixels[:0], labels[:0])
    )


def device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else f"{cpu_name()} ({device.type})"


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def main(arguments: Sequence[str] | None = None) -> list[Result]:
    """Run it, and print a line for each seed and one for all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="cifar10", help="a name, a folder of pictures or an .npz file")
    parser.add_argument("--data-dir", help="where downloaded data sets are")
    parser.add_argument("--epochs", type=float, default=EPOCHS)
    parser.add_argument("--images", type=int, help="train on so many only")
    parser.add_argument("--batch-size", type=int, default=BATCH_SIZE)
    parser.add_argument("--width", type=int, default=WIDTH, help="channels of the first group")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto", choices=["auto", "float32", "bf16"])
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args(arguments)
    device = choose_device(given.device)
    data = load_data(given.data, data_dir=given.data_dir)
    if not isinstance(data, ImageData):
        parser.error(f"{given.data} holds no pictures")
    data = whole_training_part(data, given.images)
    how = (given.batch_size, given.width, str(device), given.precision)
    print(
        f"{len(data.train):,} training and {len(data.test):,} test pictures, {given.epochs:g} epochs, width {given.width}, "
        f"batch size {given.batch_size}; {device_name(device)}, torch {torch.__version__}",
        flush=True,
    )
    if device.type == "cuda":
        run_once(data, given.seeds, 1.0, *how)
    results = []
    for seed in range(given.seeds):
        results.append(result := run_once(data, seed, given.epochs, *how))
        print(
            f"seed {seed}: {result.seconds:8.2f} s   accuracy {result.accuracy:.2%}, "
            f"with test-time augmentation {result.augmented:.2%}",
            flush=True,
        )
    _summarise(results)
    return results


def _summarise(results: Sequence[Result]) -> None:
    seconds = sorted(each.seconds for each in results)
    middle = f"{np.median(seconds):.2f} s ({seconds[0]:.2f} to {seconds[-1]:.2f})"
    found = estimate([each.augmented for each in results]) if len(results) >= _ENOUGH_FOR_AN_INTERVAL else None
    spread = f" (99 % interval {found.low:.2%} to {found.high:.2%})" if found else ""
    mean = np.mean([each.augmented for each in results])
    print(f"median {middle}; mean accuracy with test-time augmentation {mean:.2%}{spread}")


if __name__ == "__main__":
    tune_process()
    main()
