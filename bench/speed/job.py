"""What one process of a comparison is asked to train, and how it answers: with one line of JSON."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Job:
    """One training, the same for every way.

    Args:
        folder: holds ``x_train.npy`` and the rest, see `bench.speed.prepare`.
        net: a name of `bench.speed.nets.NETS`.
        batch_size: examples in one step.
        epochs: passes over the training part; after each the validation part is measured.
        optimizer: ``adam``, or ``sgd`` (Nesterov momentum 0.9); neither with weight decay.
        learning_rate: constant.
        augment: pad by 4 pixels, crop at random, mirror at random.
        seed: of everything that is left to chance.
    """

    folder: str
    net: str = "lenet5"
    batch_size: int = 64
    epochs: int = 1
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    augment: bool = False
    seed: int = 0

    def to_arguments(self) -> list[str]:
        return [
            f"--{name.replace('_', '-')}={value}"
            for name, value in dataclasses.asdict(self).items()
            if value is not False
        ]


def read_job(argv: list[str] | None = None) -> Job:
    parser = argparse.ArgumentParser()
    for field in dataclasses.fields(Job):
        flag = f"--{field.name.replace('_', '-')}"
        if field.name == "augment":
            parser.add_argument(flag, nargs="?", const=True, default=False, type=lambda text: text == "True")
        else:
            kind = {"int": int, "float": float, "str": str}[str(field.type)]
            required = field.default is dataclasses.MISSING
            parser.add_argument(flag, type=kind, required=required, default=None if required else field.default)
    return Job(**vars(parser.parse_args(argv)))


def answer(train: Callable[[Job], float]) -> None:
    """Do the job of the command line with ``train``, which gives the accuracy on the test part; print it."""
    print(json.dumps({"accuracy": float(train(read_job()))}), flush=True)
