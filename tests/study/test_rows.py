"""Rows: what they take, and that they come back from JSON as they were."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from etude.core.errors import EtudeError
from etude.study import Row, Rows
from etude.study.rows import check_uniform

ARRAYS = hnp.arrays(
    dtype=st.sampled_from([np.float32, np.float64, np.uint8, np.int64, np.bool_]),
    shape=hnp.array_shapes(max_dims=3, max_side=5, min_side=0),
)
VALUES = st.one_of(st.booleans(), st.integers(), st.floats(), st.text(), ARRAYS)


@given(st.lists(st.dictionaries(st.text(), VALUES, max_size=4), max_size=4))
def test_rows_come_back_from_json_to_the_last_bit(content):
    rows = Rows(Row(**values) for values in content)
    text = rows.to_json()
    json.loads(text, parse_constant=pytest.fail)  # NaN and infinity are not JSON
    back = Rows.from_json(text)
    assert len(back) == len(rows)
    for row, again in zip(rows, back):
        assert list(row) == list(again)
        for name, value in row.items():
            assert type(again[name]) is type(value)
            if isinstance(value, np.ndarray):
                assert again[name].dtype == value.dtype
                assert again[name].tobytes() == value.tobytes()
                assert again[name].shape == value.shape
            else:
                assert again[name] == value or (math.isnan(value) and math.isnan(again[name]))


def test_scalars_and_tensors_become_plain():
    assert all(
        type(value) in (float, bool, int)
        for value in Row(a=np.float64(1), b=np.bool_(1), c=np.int8(1)).values()
    )
    row = Row(a=np.float32(0.5), b=torch.tensor(3), c=torch.ones(2, requires_grad=True), d=[1, 2])
    assert (row["a"], row["b"]) == (0.5, 3)
    assert type(row["b"]) is int
    assert isinstance(row["c"], np.ndarray)
    assert row["d"].tolist() == [1, 2]


@pytest.mark.parametrize(
    "value", [None, object(), {"a": 1}, ["a", "b"], np.zeros(256 * 1024 + 1, np.uint8), 1j]
)
def test_anything_else_is_refused_in_one_sentence(value):
    with pytest.raises(EtudeError, match=r"The row's 'x'"):
        Row(x=value)


def test_looking_at_rows():
    rows = Rows(Row(seed=s, name=n, value=s + (n == "b")) for n in "ab" for s in range(3))
    assert rows.where(name="b").column("value").tolist() == [1, 2, 3]
    assert rows.where(name="c") == []
    assert rows.distinct("name") == ["a", "b"]
    assert Rows([Row(x=np.zeros(2)), Row(x=np.zeros(3)), Row(y=1)]).column("x").shape == (2,)
    assert "<table>" in rows._repr_html_()


def test_rows_that_differ_are_refused_unless_a_kind_tells_them_apart():
    check_uniform([Row(a=1, b="x"), Row(a=2.5, b="y")])
    check_uniform([Row(kind="path", x=np.zeros(2)), Row(kind="end", loss=1.0)])
    with pytest.raises(EtudeError, match="'b' is missing in one and str"):
        check_uniform([Row(a=1), Row(a=1, b="x")])
    with pytest.raises(EtudeError, match="'a' is number in one and str"):
        check_uniform([Row(a=1), Row(a="x")])
