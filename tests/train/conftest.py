"""Small data and a small network for the tests of the engine."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from etude.data.dataset import Examples, ImageData


def make_data(
    train: int = 150, held_out: int = 40, channels: int = 1, side: int = 12, seed: int = 0
) -> ImageData:
    """Noise with a bright bar whose place tells the class: easy to learn, quick to make."""
    chance = np.random.default_rng(seed)
    parts = []
    for count in (train, held_out, held_out):
        labels = chance.integers(0, 3, count)
        images = chance.integers(0, 120, (count, channels, side, side)).astype(np.uint8)
        for image, label in zip(images, labels):
            image[:, 1 + 4 * label : 4 + 4 * label] += 90
        parts.append(Examples(images, labels.astype(np.int64)))
    mean = parts[0].images.mean(axis=(0, 2, 3)) / 255
    std = parts[0].images.std(axis=(0, 2, 3)) / 255
    return ImageData(
        "bars", ("low", "middle", "high"), *parts, tuple(mean), tuple(std), f"bars-{seed}-{train}", {"train": train},
        augmentations=("flip", "crop"), preparation={"channels": channels, "height": side, "width": side, "fit": "crop"},
    )  # fmt: skip


def make_net(channels: int = 1, side: int = 12, dropout: float = 0.0, seed: int = 0) -> nn.Module:
    """A small network with everything that has a state: convolution, batch norm, dropout."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(channels, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 8, 3),
        nn.ReLU(), nn.Flatten(), nn.Dropout(dropout), nn.Linear(8 * (side // 2 - 2) ** 2, 3),
    )  # fmt: skip


@pytest.fixture
def data() -> ImageData:
    return make_data()


@pytest.fixture
def make():
    """The two makers, for tests that need several of either."""

    class Make:
        data = staticmethod(make_data)
        net = staticmethod(make_net)

    return Make
