"""The places it draws against NumPy's strides, and facts that fail where PyTorch would behave otherwise."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from etude.study.catalog import load_study


@pytest.mark.parametrize(("rows", "columns"), [(2, 3), (3, 3), (4, 2)])
def test_the_walks_are_those_of_numpy(rows, columns):
    drawn = {
        row["name"]: row
        for row in load_study("view_reshape_resize").run(rows=rows, columns=columns).where(kind="tensor")
    }
    matrix = np.arange(rows * columns).reshape(rows, columns)
    np.testing.assert_array_equal(drawn["view"]["places"], matrix)
    np.testing.assert_array_equal(drawn["transpose"]["places"], matrix.T)
    np.testing.assert_array_equal(drawn["reshape"]["memory"], matrix.T.ravel())
    np.testing.assert_array_equal(drawn["reshape"]["places"], np.arange(rows * columns))
    assert [drawn[name]["shares"] for name in ("view", "transpose", "reshape", "resize")] == [
        True,
        True,
        False,
        True,
    ]
    for name, array in (("view", matrix), ("transpose", matrix.T)):
        assert drawn[name]["stride"] == str(tuple(step // array.itemsize for step in array.strides))
    grown = drawn["resize"]["memory"]
    np.testing.assert_array_equal(grown[: matrix.size], matrix.ravel())
    assert (grown[matrix.size :] == -1).all()
    assert len(grown) == (rows + 1) * columns


def wrong(study):
    return {row["fact"] for row in study.run().where(kind="fact") if not row["holds"]}


def test_a_reshape_that_always_copied_would_be_noticed(monkeypatch):
    study = load_study("view_reshape_resize")
    reshape = torch.Tensor.reshape
    monkeypatch.setattr(torch.Tensor, "reshape", lambda self, *shape: reshape(self, *shape).clone())
    assert wrong(study) == {"reshape shares"}
    assert study.verdict(study.run()).outcome == "fails"


def test_a_view_that_copied_would_be_noticed(monkeypatch):
    study = load_study("view_reshape_resize")
    reshape = torch.Tensor.reshape
    monkeypatch.setattr(torch.Tensor, "view", lambda self, *shape: reshape(self, *shape).clone())
    assert {"view shares memory", "view refuses", "transpose strides", "views follow"} <= wrong(study)
