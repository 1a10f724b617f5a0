"""NumPy's archives: pictures in every layout, tables, and what is refused."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from etude.core.errors import EtudeError
from etude.data.catalog import load_data
from etude.data.dataset import ImageData
from etude.data.table import TableData

PARTS = ("train", "validation", "test")
CHANCE = np.random.default_rng(0)
LABELS = np.arange(90) % 3
GREY = CHANCE.integers(0, 256, (90, 9, 7), dtype=np.uint8)
COLOUR = CHANCE.integers(0, 256, (90, 3, 9, 7), dtype=np.uint8)


def save(folder, **arrays):
    np.savez(folder / "t.npz", **arrays)
    return folder / "t.npz"


@pytest.mark.parametrize(
    ("pictures", "expected"),
    [
        (GREY, GREY[:, None]),
        (GREY[..., None], GREY[:, None]),
        (GREY[:, None], GREY[:, None]),
        (COLOUR, COLOUR),
        (COLOUR.transpose(0, 2, 3, 1), COLOUR),
        (COLOUR.astype(np.int64), COLOUR),
        (COLOUR.astype(np.float32), COLOUR),
        (COLOUR / 255, COLOUR),
    ],
)
@pytest.mark.parametrize("names", [("x", "y"), ("images", "labels"), ("X", "target"), ("data", "Y")])
def test_pictures_in_every_layout(tmp_path, pictures, expected, names):
    data = load_data(save(tmp_path, **dict(zip(names, (pictures, LABELS)))))
    assert isinstance(data, ImageData)
    assert data.input_shape == expected.shape[1:]
    assert data.classes == ("0", "1", "2")
    assert [len(getattr(data, part)) for part in PARTS] == [58, 14, 18]
    for part in PARTS:
        examples = getattr(data, part)
        assert np.array_equal(examples.pixels(), expected[examples.rows])
        assert np.array_equal(examples.labels, LABELS[examples.rows])
    assert bool(data.findings) == (pictures.dtype == np.float64)
    assert load_data(**data.source["load"]).fingerprint == data.fingerprint


def test_a_test_part_is_kept(tmp_path):
    path = save(tmp_path, x_train=GREY, y_train=LABELS[:, None], x_test=GREY[:30], y_test=LABELS[:30])
    data = load_data(path)
    assert np.array_equal(data.test.pixels()[:, 0], GREY[:30])
    assert len(data.train) + len(data.validation) == 90
    rows = CHANCE.normal(size=(90, 4))
    path = save(tmp_path, x_train=rows, y_train=LABELS, x_test=rows[:30] + 1, y_test=LABELS[:30])
    table = load_data(path)
    assert isinstance(table, TableData)
    assert table.test.rows.tolist() == list(range(90, 120))
    assert table.test.targets.tolist() == LABELS[:30].tolist()
    assert max(*table.train.rows, *table.validation.rows) == 89
    assert "also among the others" not in str(table.findings)
    both = save(tmp_path, x_train=rows, y_train=LABELS, x_test=rows[:30], y_test=LABELS[:30])
    assert "30 rows of the test part are also among the others" in str(load_data(both).findings)


def test_rows_of_numbers_are_a_table(tmp_path):
    rows, targets = CHANCE.normal(size=(60, 5)), CHANCE.normal(size=60)
    data = load_data(save(tmp_path, x=rows, y=targets))
    assert (data.kind, data.features[0], data.input_shape) == ("regression", "column 1", (5,))
    train = rows[data.train.rows]
    assert data.train.features == pytest.approx((train - train.mean(0)) / train.std(0), abs=1e-5)
    assert data.train.targets == pytest.approx(targets[data.train.rows], abs=1e-6)
    names = np.array(["cat", "dog"])[np.arange(60) % 2]
    assert load_data(save(tmp_path, x=rows, y=names)).classes == ("cat", "dog")


@pytest.mark.parametrize(
    ("arrays", "say"),
    [
        ({"a": GREY, "y": LABELS}, "holds a, y; it needs"),
        ({"x_train": GREY, "x_test": GREY}, "holds x_train, x_test; it needs"),
        ({"x": GREY, "y": LABELS[:5]}, "inputs are"),
        ({"x": GREY, "y": np.eye(3)[LABELS]}, "inputs are"),
        ({"x": LABELS, "y": LABELS}, "inputs are"),
        ({"x": GREY[:0], "y": LABELS[:0]}, "inputs are"),
        ({"x": CHANCE.integers(0, 9, (90, 5, 6, 7)), "y": LABELS}, "1 or 3 channels"),
        ({"x": CHANCE.normal(size=(90, 5, 6)), "y": LABELS}, "not from 0 to 255"),
        ({"x": GREY, "y": LABELS * 0}, "1 different labels"),
        ({"x": GREY, "y": LABELS / 7}, "whole numbers or texts"),
        ({"x": np.array([["a", "b"]] * 90), "y": LABELS}, "expected numbers"),
        ({"x_train": GREY, "y_train": LABELS, "x_test": GREY[:, 1:], "y_test": LABELS}, "same shape"),
        ({"x_train": GREY, "y_train": LABELS, "x_test": GREY, "y_test": LABELS + 1}, "class '3'"),
        ({"x": GREY, "y": np.array([{}] * 90, dtype=object)}, "pickled"),
    ],
)
def test_what_is_no_good_is_one_sentence(tmp_path, arrays, say):
    with pytest.raises(EtudeError, match=say) as error:
        load_data(save(tmp_path, **arrays))
    assert "\n" not in error.value.text.zh


class _Harmful:
    def __reduce__(self):
        return (open, ("harm", "w"))


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"PK\x03\x04 broken", pickle.dumps(_Harmful()), b"\x93NUMPY\x01"]
)
def test_a_file_that_is_no_archive_is_one_sentence_and_never_unpickled(tmp_path, monkeypatch, content):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.npz").write_bytes(content)
    with pytest.raises(EtudeError, match=r"t\.npz"):
        load_data(tmp_path / "t.npz")
    assert [each.name for each in tmp_path.iterdir()] == ["t.npz"]


def test_one_array_without_a_name(tmp_path):
    np.save(tmp_path / "t.npy", GREY)
    (tmp_path / "t.npy").rename(tmp_path / "t.npz")
    with pytest.raises(EtudeError, match="without a name"):
        load_data(tmp_path / "t.npz")


def test_pictures_have_no_column_to_learn(tmp_path):
    with pytest.raises(EtudeError, match="target is 'x'"):
        load_data(save(tmp_path, x=GREY, y=LABELS), target="x")


def test_targets_of_a_table_may_be_bytes(tmp_path):
    path = save(tmp_path, x=CHANCE.normal(size=(90, 4)), y=np.array([b"cat", b"dog"])[np.arange(90) % 2])
    assert load_data(path).classes == ("cat", "dog")
