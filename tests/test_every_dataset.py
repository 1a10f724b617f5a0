"""Every data set of the catalogue."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from etude.core.errors import EtudeError
from etude.data.catalog import list_datasets, load_data
from etude.data.entry import NamedDataset, NamedTable

NAMES = list(list_datasets())
PICTURES = [
    pytest.param(name, marks=pytest.mark.slow) if sum(entry.sizes) * np.prod(entry.input_shape) > 1e8 else name
    for name, entry in list_datasets().items()
    if isinstance(entry, NamedDataset)
]
TABLES = [name for name, entry in list_datasets().items() if isinstance(entry, NamedTable)]
PARTS = ("train", "validation", "test")


@pytest.fixture(scope="module", params=PICTURES)
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


@pytest.fixture(scope="module", params=TABLES)
def table(request):
    return list_datasets()[request.param], load_data(request.param)


def test_a_table_is_what_the_catalogue_says(table):
    entry, data = table
    assert data.features == tuple(each.name for each in entry.columns)
    assert (data.target, data.classes) == (entry.target.name, entry.classes)
    assert data.kind == ("classification" if entry.classes else "regression")
    rows = np.sort(np.concatenate([getattr(data, part).rows for part in PARTS]))
    assert rows.tolist() == list(range(entry.rows))
    for part in PARTS:
        examples = getattr(data, part)
        assert examples.features.dtype == np.float32
        assert examples.features.shape == (len(examples), *data.input_shape)
        assert examples.targets.dtype == (np.int64 if entry.classes else np.float32)
        assert len(examples) == data.split[part]
    assert len(data.test) == pytest.approx(0.2 * entry.rows, abs=1)


def test_a_table_is_scikit_learn_s_standardised_by_the_training_part(table):
    from sklearn import datasets
    from sklearn.preprocessing import StandardScaler

    entry, data = table
    options = {"scaled": False} if entry.name == "diabetes" else {}
    bunch = getattr(datasets, f"load_{entry.name.replace('-', '_')}")(**options)
    scaler = StandardScaler().fit(bunch.data[data.train.rows])
    for part in PARTS:
        examples = getattr(data, part)
        assert examples.features == pytest.approx(scaler.transform(bunch.data[examples.rows]), abs=1e-4)
        if not entry.classes:
            assert examples.targets == pytest.approx(bunch.target[examples.rows])
            continue
        names = {str(name) for name in bunch.target_names[bunch.target[examples.rows]]}
        told = {data.classes[label] for label in examples.targets}
        pairs = set(zip(bunch.target[examples.rows].tolist(), examples.targets.tolist()))
        assert len(pairs) == len(names) == len(told)
        if entry.name != "wine":
            assert {(str(bunch.target_names[a]), data.classes[b]) for a, b in pairs} == {
                (name, name) for name in names
            }
        else:
            assert all(data.classes[b] == str(a + 1) for a, b in pairs)


def test_a_table_follows_its_seed_and_is_loaded_again(table):
    entry, data = table
    assert load_data(**data.source["load"]).fingerprint == data.fingerprint == load_data(entry.name).fingerprint
    assert load_data(entry.name, seed=1).fingerprint != data.fingerprint
    assert load_data(entry.name, target=entry.columns[0].name).kind == "regression"


@pytest.mark.parametrize("name", TABLES)
def test_its_columns_are_described_in_both_languages(name):
    entry = list_datasets()[name]
    for column in (*entry.columns, entry.target):
        assert column.about.en
        assert any("\u4e00" <= letter <= "\u9fff" for letter in column.about.zh)
    assert len({each.name for each in entry.columns}) == len(entry.columns)


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
        ("qqq", {}, "data set, folder or table"),
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
