"""Speeds: positive, consistent with each other, and nothing left behind. No timing is asserted."""

from __future__ import annotations

from dataclasses import asdict, fields

import pytest
import torch

from etude.insight.machine import (
    Measurement,
    call_overhead,
    copy_bandwidth,
    disk_speed,
    matrix_speed,
    measure_machine,
)
from etude.study.rows import Row


@pytest.mark.parametrize("number_format", ["float32", "bf16"])
def test_matrix_speed_is_a_median_between_its_quartiles(number_format):
    measured = matrix_speed(number_format, seconds=0.02, size=64)
    assert 0 < measured.low <= measured.median <= measured.high
    assert measured.repeats >= 3
    assert (measured.size, measured.number_format, measured.unit) == (64, number_format, "GFLOP/s")
    assert (measured.device, measured.threads) == ("cpu", torch.get_num_threads())
    assert 0 < measured.core_share <= 1


def test_matrix_speed_counts_two_operations_for_each_product(monkeypatch):
    """With a clock that says every product takes 1 s, n = 64 is 2 · 64³ operations a second."""
    monkeypatch.setattr("etude.insight.machine._once", lambda work, device: 1.0)
    assert matrix_speed(seconds=0, size=64).median == pytest.approx(2 * 64**3 / 1e9)


def test_bandwidth_counts_what_is_read_and_what_is_written(monkeypatch):
    monkeypatch.setattr("etude.insight.machine._once", lambda work, device: 0.5)
    measured = copy_bandwidth(seconds=0)
    assert measured.median == pytest.approx(2 * measured.size / 0.5 / 1e9)
    assert measured.unit == "GB/s"


def test_the_copied_array_is_larger_than_the_cache(monkeypatch):
    monkeypatch.setattr("etude.insight.machine._once", lambda work, device: 0.5)
    monkeypatch.setattr("etude.insight.machine.available_memory", lambda: 1 << 40)
    assert copy_bandwidth(seconds=0, cache_bytes=1 << 26).size == 1 << 28
    monkeypatch.setattr("etude.insight.machine.available_memory", lambda: 1 << 30)
    assert copy_bandwidth(seconds=0, cache_bytes=1 << 26).size == 1 << 26  # a sixteenth of what is free


def test_call_overhead_is_of_one_call(monkeypatch):
    monkeypatch.setattr("etude.insight.machine._once", lambda work, device: 1e-3)
    assert call_overhead(seconds=0).median == pytest.approx(1e-3 / 200 * 1e6)


def test_the_number_of_threads_is_as_before():
    before = torch.get_num_threads()
    assert matrix_speed(seconds=0, size=32, threads=before + 1).threads == before + 1
    assert torch.get_num_threads() == before


def test_disk_speed_leaves_nothing_behind(tmp_path):
    written, synced = disk_speed(tmp_path, seconds=0.02)
    assert written.median > 0
    assert synced.median > 0
    assert (written.unit, synced.unit) == ("MB/s", "ms")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_is_not_there_is_an_os_error(tmp_path):
    with pytest.raises(OSError, match="missing"):
        list(disk_speed(tmp_path / "missing"))


def test_every_measurement_is_a_row_of_a_study(tmp_path):
    rows = [Row(**asdict(each)) for each in measure_machine(seconds=0.05, places=(tmp_path,))]
    assert [row["what"] for row in rows] == [
        "matrix product", "matrix product", "memory copy", "small operation", "disk write", "disk sync",
    ]  # fmt: skip
    assert set(rows[0]) == {each.name for each in fields(Measurement)}
