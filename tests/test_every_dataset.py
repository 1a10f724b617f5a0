"""Every data set of the catalogue."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from etude.core.errors import EtudeError
from etude.data.catalog import list_datasets, load_data

NAMES = list(list_datasets())


@pytest.fixture(scope="module", params=NAMES)
def loaded(request):
    entry = list_datasets()[request.param]
    if entry.where(Path("nowhere")) is None:
        folder = request.getfixturevalue("real_set")(request.param)
        return entry, folder, load_data(request.param, data_dir=folder)
    return entry, None, load_data(request.param)


def test_it_is_what_the_catalogue_says(loaded):
    entry, _, data = loaded
    assert data.input_shape == entry.input_shape
    assert data.classes == entry.classes
    assert len(data.train) + len(data.validation) + (0 if entry.sizes[1] else len(data.test)) == entry.sizes[0]
    if entry.sizes[1]:
        assert len(data.test) == entry.sizes[1]
    assert len(data.validation) == entry.validation_size
    for part in (data.train, data.validation, data.test):
        assert part.images.dtype == np.uint8
        assert part.labels.dtype == np.int64
        assert set(np.unique(part.labels)) == set(range(data.num_classes))
        assert part.pixels().shape == (len(part), *entry.input_shape)
    assert data.split["train"] == len(data.train)


def test_the_parts_share_no_example(loaded):
    _, _, data = loaded
    rows = [set(p.rows.tolist()) for p in (data.train, data.validation, data.test) if p.rows is not None]
    assert sum(map(len, rows)) == len(set().union(*rows))


def test_the_classes_have_equal_shares_in_training_and_validation(loaded):
    _, _, data = loaded
    train = np.bincount(data.train.labels) / len(data.train)
    held = np.bincount(data.validation.labels) / len(data.validation)
    assert np.abs(train - held).max() * len(data.validation) < 1.5


def test_mean_and_deviation_are_numpy_s(loaded):
    _, _, data = loaded
    pixels = data.train.pixels().astype(np.float64) / 255
    assert data.mean == pytest.approx(pixels.mean(axis=(0, 2, 3)), abs=1e-10)
    assert data.std == pytest.approx(pixels.std(axis=(0, 2, 3)), abs=1e-10)


def test_the_seed_decides_the_split_and_the_fingerprint(loaded):
    entry, folder, data = loaded
    again, other = (load_data(entry.name, data_dir=folder, seed=seed) for seed in (0, 1))
    assert again.fingerprint == data.fingerprint
    assert np.array_equal(again.train.rows, data.train.rows)
    assert other.fingerprint != data.fingerprint
    assert not np.array_equal(other.validation.rows, data.validation.rows)


def test_what_was_loaded_can_be_loaded_again(loaded):
    _, _, data = loaded
    assert load_data(**data.source["load"]).fingerprint == data.fingerprint


@pytest.mark.parametrize("name", NAMES)
def test_it_is_described_in_both_languages(name):
    entry = list_datasets()[name]
    assert entry.title.en
    assert entry.title.zh != entry.title.en
    assert entry.licence
    assert entry.source
    assert len(set(entry.classes)) == len(entry.classes)


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("fashon-mnist", {}, "fashion-mnist"),
        ("qqq", {}, "data set or folder"),
        ("digits", {"image_size": 16}, "image_size"),
        ("digits", {"validation_size": 0}, "validation_size"),
        ("digits", {"validation_size": 99_999}, "99999"),
        (__file__, {}, "is a file"),
    ],
)
def test_what_cannot_be_is_one_sentence(name, options, words):
    with pytest.raises(EtudeError, match=words) as error:
        load_data(name, **options)
    assert "\n" not in error.value.text.zh
