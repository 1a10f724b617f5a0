"""The CIFAR-10 speedrun in small: pictures in, accuracy out, on the CPU."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from bench.speedrun import DECAY, RATE, main, speedrun_recipe, whole_training_part

from etude.core.errors import EtudeError
from etude.data.dataset import Examples, ImageData


@pytest.fixture
def archive(tmp_path):
    """Coloured noise with a bright bar whose height tells the class."""
    chance = np.random.default_rng(0)
    arrays = {}
    for part, count in (("train", 300), ("test", 90)):
        labels = np.arange(count) % 3
        images = chance.integers(0, 150, (count, 16, 16, 3)).astype(np.uint8)
        for image, label in zip(images, labels):
            image[2 + 4 * label : 6 + 4 * label] += 90
        arrays |= {f"x_{part}": images, f"y_{part}": labels}
    np.savez(tmp_path / "bars.npz", **arrays)
    return tmp_path / "bars.npz"


def test_it_learns_and_says_so(archive, capsys):
    small = [
        "--data",
        str(archive),
        "--device",
        "cpu",
        "--width",
        "4",
        "--batch-size",
        "32",
        "--epochs",
        "11.5",
    ]
    results = main([*small, "--seeds", "2"])
    assert len(results) == 2
    assert all(each.accuracy > 0.8 and each.augmented > 0.8 for each in results)
    said = capsys.readouterr().out
    assert "300 training and 90 test pictures" in said
    assert said.count("seed ") == 2


def test_settings_are_the_paper_s_in_other_terms():
    """airbench94 sums the loss over a batch: its torch rate and decay, from 11.5 and 0.0153 per 1024 examples."""
    kilostep = 1024 * (1 + 1 / (1 - 0.85))
    rate, decay = 11.5 / kilostep, 0.0153 * 1024 / kilostep
    recipe = speedrun_recipe(9.9, 1024, 48, seed=0)
    assert recipe.learning_rate == pytest.approx(1024 * rate) == pytest.approx(1.5)
    assert recipe.learning_rate * recipe.weight_decay == pytest.approx(decay)
    assert recipe.steps == 476
    assert speedrun_recipe(1, 512, 97, 0).learning_rate == pytest.approx(RATE * 512)
    assert speedrun_recipe(1, 512, 97, 0).weight_decay == DECAY


def make(train: int, validation: int, test: int) -> ImageData:
    images = np.arange(60, dtype=np.uint8).reshape(60, 1, 1, 1).repeat(8, 2).repeat(8, 3)
    ends = np.cumsum([0, train, validation, test])
    parts = [Examples(images, np.arange(a, b) % 5, np.arange(a, b)) for a, b in pairwise(ends)]
    return ImageData("steps", tuple("abcde"), *parts, (0.5,), (0.2,), "x", {})


def test_the_validation_part_is_trained_on_and_the_test_part_is_not():
    data = whole_training_part(make(30, 10, 20))
    pixels, labels = data.train.pixels()[:, 0, 0, 0], data.train.labels
    assert sorted(pixels) == list(range(40))
    assert (labels == pixels % 5).all()
    assert len(data.validation) == 0
    assert sorted(data.test.pixels()[:, 0, 0, 0]) == list(range(40, 60))
    few = whole_training_part(make(30, 10, 20), images=8)
    assert len(few.train) == 8
    assert (few.train.labels == few.train.pixels()[:, 0, 0, 0] % 5).all()


def test_without_a_test_part_it_is_refused():
    with pytest.raises(EtudeError, match="no test part"):
        whole_training_part(make(30, 10, 0))
