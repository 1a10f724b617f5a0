"""What a device can do, and what the command line sets for the whole process."""

from __future__ import annotations

import pytest
import torch

from etude.core import devices


@pytest.mark.parametrize(
    ("device", "expected"),
    [("cpu", torch.float64), ("cuda:1", torch.float64), ("mps", torch.float32), ("mps:0", torch.float32)],
)
def test_sums_are_kept_in_float64_where_there_is_such_a_format(device, expected):
    assert devices.sum_dtype(device) == expected
    assert devices.sum_dtype(torch.device(device)) == expected


def test_bf16_is_tried_out():
    assert devices.multiplies_bf16("cpu")  # every processor can, if slowly
    assert not devices.multiplies_bf16("meta")  # no autocast
    if not torch.cuda.is_available():
        assert not devices.multiplies_bf16("cuda")


def test_autocast_that_goes_on_in_float32_counts_as_none(monkeypatch):
    class Silent:
        def __init__(self, *_, **__):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

    monkeypatch.setattr(torch, "autocast", Silent)
    assert not devices.multiplies_bf16("cpu")


@pytest.mark.parametrize("cuda", [False, True])
def test_settings_for_cuda_are_made_where_there_is_cuda_and_told(cuda, monkeypatch):
    made = []
    monkeypatch.setattr(devices, "_keep_malloc_arenas", lambda: False)
    monkeypatch.setattr(torch, "set_flush_denormal", lambda _: False)
    monkeypatch.setattr(torch, "set_float32_matmul_precision", made.append)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    before = torch.backends.cudnn.benchmark
    told = devices.tune_process()
    assert torch.backends.cudnn.benchmark == before  # algorithms chosen by a clock would make a resume inexact
    assert made == (["high"] if cuda else [])
    assert told == {
        "malloc_keeps_memory": False,
        "flush_denormal": False,
        "tf32": cuda,
    }
