"""Data asked for by name or by folder: which is meant, and what is recorded of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from etude.core.errors import EtudeError
from etude.data.catalog import channel_statistics, fingerprint, load_data
from etude.data.dataset import Examples


@pytest.fixture
def inside(tmp_path, monkeypatch):
    """A current folder with pictures in a folder that is called like a data set."""
    monkeypatch.setenv("ETUDE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path))
    chance = np.random.default_rng(0)
    for kind in ("cat", "dog"):
        (tmp_path / "digits" / kind).mkdir(parents=True)
        for number in range(20):
            pixels = chance.integers(0, 256, (12, 12, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "digits" / kind / f"{number}.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_known_name_wins_over_a_folder_called_like_it(inside):
    assert load_data("digits").num_classes == 10


@pytest.mark.parametrize("asked", ["./digits", "~/digits", Path("digits")])
def test_the_folder_is_meant_by_a_path(inside, asked):
    data = load_data(asked)
    assert data.classes == ("cat", "dog")
    assert data.source["load"]["name_or_path"] == str(inside / "digits")


def test_what_is_recorded_gives_the_same_data_from_any_other_folder(inside, monkeypatch):
    options = {"seed": 5, "validation_size": 8, "image_size": 16, "data_dir": "~/somewhere"}
    data = load_data("./digits", **options)
    assert (data.input_shape, len(data.validation)) == ((3, 16, 16), 8)
    load = json.loads(json.dumps(data.source["load"]))
    assert load == {**options, "name_or_path": str(inside / "digits"), "data_dir": str(inside / "somewhere")}
    (inside / "elsewhere").mkdir()
    monkeypatch.chdir(inside / "elsewhere")
    again = load_data(**load)
    assert (again.fingerprint, again.split) == (data.fingerprint, data.split)


def test_the_split_s_hash_tells_splits_apart(inside):
    first, second = (load_data("digits", seed=seed).split["sha256"] for seed in (0, 1))
    assert first != second
    assert load_data("digits", seed=0).split["sha256"] == first
    assert load_data("digits", seed=0, validation_size=100).split["sha256"] != first


def test_a_share_and_a_number_for_validation():
    data = load_data("digits", validation_size=0.1)
    pool = len(data.train) + len(data.validation)
    assert len(data.validation) == round(0.1 * pool)
    assert len(data.test) == round(0.2 * 1797)
    assert len(load_data("digits", validation_size=100).validation) == 100


@pytest.mark.parametrize(
    ("asked", "words"),
    [("", "data set, folder or table"), (" ", "data set, folder or table"),
     ("~nobody-of-that-name/x", "data set, folder or table"), ("photos.zip", "unpack it"), ("notes.pdf", "is a file; give a folder"),
     ("book.xlsx", "save the table as CSV"), ("table.csv", "one column only")],
)  # fmt: skip
def test_what_is_neither_is_one_sentence(inside, asked, words):
    for name in ("photos.zip", "table.csv", "notes.pdf", "book.xlsx"):
        (inside / name).write_bytes(b"x")
    with pytest.raises(EtudeError, match=words):
        load_data(asked)


@pytest.mark.parametrize("size", [0, -1, float("nan"), 1e-6, 1.0, 1.5, 5_000])
def test_a_validation_part_that_cannot_be_is_refused(size):
    with pytest.raises(EtudeError, match="validation_size"):
        load_data("digits", validation_size=size)


@pytest.mark.parametrize("count", [1, 600])
def test_statistics_are_exact_in_every_channel(count):
    images = np.random.default_rng(1).integers(0, 256, (700, 3, 5, 4)).astype(np.uint8)
    images[:, 1] = 77
    rows = np.random.default_rng(2).permutation(700)[:count]
    mean, std = channel_statistics(images, rows)
    values = images[rows].astype(np.float64) / 255
    assert mean == pytest.approx(values.mean(axis=(0, 2, 3)), abs=1e-12)
    expected = values.std(axis=(0, 2, 3))
    assert std == pytest.approx([expected[0], 1.0, expected[2]], abs=1e-12)  # one value only: divided by 1


def test_the_fingerprint_sees_one_changed_pixel_label_or_row():
    images = np.random.default_rng(3).integers(0, 256, (10, 1, 4, 4)).astype(np.uint8)
    labels, rows = np.arange(10) % 2, np.arange(10)
    changed, relabelled = images.copy(), labels.copy()
    changed[9, 0, 3, 3] ^= 1
    relabelled[0] = 1
    seen = {
        fingerprint(Examples(pictures, told[picked], picked))
        for pictures, told, picked in [
            (images, labels, rows),
            (changed, labels, rows),
            (images, relabelled, rows),
            (images, labels, rows[[1, 0, *range(2, 10)]]),
        ]
    }
    assert len(seen) == 4
    assert fingerprint(Examples(images, labels, rows)) == fingerprint(Examples(images.copy(), labels, rows))
