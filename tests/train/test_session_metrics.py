"""Losses are read from the device together, and written as if each had been read alone."""

from __future__ import annotations

import json

import pytest
import torch

from etude.train.fit import Epoch, Step
from etude.train.session import _losses
from etude.train.start import start_run

VALUES = [0.1, 2.3025851249694824, 1e-30, 3.0e38, float("nan"), float("inf")]


def step(number: int, **losses: torch.Tensor) -> Step:
    return Step(number, 0, losses, 0.01)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_losses_read_together_are_those_read_one_by_one(dtype):
    records = [
        step(n, D=torch.tensor(value, dtype=dtype), G=torch.tensor(-value, dtype=dtype))
        for n, value in enumerate(VALUES)
    ]
    records.insert(2, Epoch(0, 2, {"D": 0.5, "G": 0.25}, None, True))
    expected = [{name: float(loss) for name, loss in record.losses.items()} for record in records]
    found = list(_losses(records))
    assert repr(found) == repr(expected)  # nan equals itself there, and every digit counts


def test_losses_of_several_types_keep_all_their_digits():
    a, b = torch.tensor(0.1, dtype=torch.float64), torch.tensor(0.1)
    assert list(_losses([step(1, D=a, G=b)])) == [{"D": 0.1, "G": b.item()}]
    assert list(_losses([])) == []


def test_what_is_written_is_what_was_yielded(data, make, tmp_path):
    with start_run(data, make.net(), run_dir=tmp_path / "run", epochs=2, batch_size=16) as session:
        records = list(session)
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [line["loss"]["model"] for line in lines if line["kind"] == "step"] == [
        record.losses["model"].item() for record in records if isinstance(record, Step)
    ]
    assert len(lines) == len(records) == 2 * 10 + 2
