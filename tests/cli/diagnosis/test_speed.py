"""Busy machines and devices that refuse a format."""

from __future__ import annotations

import pytest

from etude.cli.diagnosis import speed
from etude.cli.diagnosis.advice import System
from etude.cli.diagnosis.finding import Section
from etude.core.text import Text
from etude.insight.hardware import Cores
from etude.insight.machine import Measurement

DEBIAN = System("debian", "Debian 13", "x86_64")


def section() -> Section:
    return Section("machine", Text(en="Machine", zh="机器"))


def product(size: int = 512, gflops: float = 10.0, threads: int = 2) -> Measurement:
    return Measurement(
        "matrix product", gflops, gflops, gflops, "GFLOP/s", 9, size, "cpu", "float32", threads, 1.0
    )


@pytest.mark.parametrize(("alone", "advised"), [(50.0, True), (11.0, False)])
def test_on_a_busy_machine_fewer_threads_are_advised_only_if_they_are_faster(monkeypatch, alone, advised):
    monkeypatch.setattr(speed, "matrix_speed", lambda *a, **k: product(gflops=alone, threads=1))
    found = section()
    assert len(speed._others(found, DEBIAN, Cores(2, 2, 2, None), product(), 0.1, busy=1.2)) == 1
    assert found.findings[0].state == "improvable"
    assert (found.findings[0].command == "export OMP_NUM_THREADS=1") == advised


@pytest.mark.parametrize(
    ("logical", "threads", "busy", "state"),
    [
        (2, 2, 0.1, "fine"),
        (2, 1, 1.0, "fine"),  # each has a core
        (2, 1, 1.9, "improvable"),
        (64, 8, 40.0, "fine"),  # a shared server with cores to spare
        (4, 4, None, "fine"),  # not known
    ],
)
def test_others_are_in_the_way_when_there_are_fewer_cores_left_than_threads(logical, threads, busy, state):
    found = section()
    speed._others(found, DEBIAN, Cores(None, logical, logical, None), product(threads=threads), 0.1, busy)
    assert found.findings[0].state == state


def test_the_cores_of_others_are_all_that_worked_less_ones_own(monkeypatch):
    """In 2 s all processors worked 5 s, this process 3 s of them: the others used one core."""
    clock, own, everybody = iter([0.0, 2.0]), iter([1.0, 4.0]), iter([10.0, 15.0])
    monkeypatch.setattr(speed.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(speed.time, "process_time", lambda: next(own))
    monkeypatch.setattr(speed, "busy_seconds", lambda: next(everybody))
    assert speed.Watch().cores_of_others() == 1.0


def test_a_device_that_refuses_bf16_still_has_its_other_speeds(monkeypatch):
    def refuse(number_format, *a, **k):
        if number_format == "bf16":
            raise TypeError("BFloat16 is not supported on MPS")
        return product()

    monkeypatch.setattr(speed, "matrix_speed", refuse)
    found = section()
    speed._matrix(found, speed._products("cpu", 0.01), Text(en="", zh=""), "float32")
    assert [each.state for each in found.findings] == ["fine", "fine"]
    assert "refuses" in found.findings[1].value.en


def test_both_formats_are_measured_at_one_size(monkeypatch):
    def measure(number_format, device, seconds, size=None):
        return product(size=size or {"float32": 1024, "bf16": 256}[number_format])

    monkeypatch.setattr(speed, "matrix_speed", measure)
    assert [each.size for each in speed._products("cpu", 0.01)] == [256, 256]
