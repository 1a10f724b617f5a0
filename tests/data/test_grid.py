"""The sample grid: the right pictures in the right rows."""

from __future__ import annotations

import numpy as np
import pytest

from etude.data.catalog import load_data
from etude.data.dataset import Examples, ImageData
from etude.data.grid import sample_grid


def _data(sizes: list[int], channels: int, classes: tuple[str, ...]) -> ImageData:
    labels = np.repeat(np.arange(len(sizes)), sizes)
    images = np.random.default_rng(0).integers(0, 256, (len(labels), channels, 6, 5)).astype(np.uint8)
    part = Examples(images, labels)
    return ImageData("some", classes, part, part, part, (0.5,) * channels, (1.0,) * channels, "", {})


def _shown(figure) -> list[list[np.ndarray]]:
    rows = {}
    for axes in figure.axes:
        rows.setdefault(axes.get_subplotspec().rowspan.start, []).extend(
            np.asarray(image.get_array()) for image in axes.images
        )
    return [rows[row] for row in sorted(rows)]


def test_each_row_shows_training_pictures_of_its_class():
    data = load_data("digits")
    rows = _shown(sample_grid(data, "en", per_class=5))
    assert [len(row) for row in rows] == [5] * 10
    for label, row in enumerate(rows):
        of_class = data.train.pixels()[data.train.labels == label][:, 0]
        assert all((of_class == picture).all(axis=(1, 2)).any() for picture in row)


def test_a_class_of_few_pictures_and_colour():
    data = _data([2, 9], 3, ("few", "price in $ and $x^2$"))
    figure = sample_grid(data, "en", per_class=4)
    rows = _shown(figure)
    assert [len(row) for row in rows] == [2, 4]
    assert rows[0][1].shape == (6, 5, 3)
    assert np.array_equal(rows[0][1], data.train.images[1].transpose(1, 2, 0))
    figure.canvas.draw()  # a dollar sign in a class's name is no formula


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_many_classes_are_cut_off_and_said_so(lang):
    figure = sample_grid(_data([1] * 23, 1, tuple(f"class {n}" for n in range(23))), lang, per_class=1)
    assert len(_shown(figure)) == 20
    assert "3" in figure.get_suptitle()
