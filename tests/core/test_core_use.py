"""How many cores are free, from what Linux would tell of a machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from etude.core import core_use
from etude.core.core_use import CoreUse

TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


class Machine:
    """Clocks and counters to set by hand: seconds since it started, of all cores together, and of this process."""

    def __init__(self, monkeypatch, cores):
        self.now = self.busy = self.own = 0.0
        self.readable = True
        read = Path.read_text

        def read_text(path, *args, **kwargs):
            if str(path) != "/proc/stat":
                return read(path, *args, **kwargs)
            if not self.readable:
                raise FileNotFoundError(path)
            # user nice system idle iowait irq softirq steal guest guest_nice; guests are in user already
            user, system = round(self.busy * TICKS * 0.75), round(self.busy * TICKS * 0.25)
            return f"cpu  {user} 0 {system} 123456 789 0 0 0 {user} 0\ncpu0 1 2 3 4 5 6 7 8 9 0\n"

        monkeypatch.setattr(Path, "read_text", read_text)
        monkeypatch.setattr(core_use.time, "monotonic", lambda: 1000.0 + self.now)
        monkeypatch.setattr(
            core_use.os, "times", lambda: (self.own * 0.5, self.own * 0.5, 0.0, 0.0, 1000.0 + self.now)
        )
        monkeypatch.setattr(core_use.os, "cpu_count", lambda: cores)

    def pass_time(self, seconds, others, own=0.0):
        self.now += seconds
        self.busy += seconds * (others + own)
        self.own += seconds * own


@pytest.mark.parametrize(
    ("cores", "others", "own", "free"),
    [(4, 0.0, 1.0, 4), (4, 0.3, 1.0, 4), (4, 0.5, 1.0, 3), (4, 1.0, 1.0, 3), (4, 2.9, 1.0, 1), (4, 4.0, 0.0, 1),
     (2, 1.0, 1.0, 1), (1, 0.9, 0.1, 1), (8, 3.5, 2.0, 4)],
)  # fmt: skip
def test_cores_that_others_use_are_not_free(cores, others, own, free, monkeypatch):
    machine = Machine(monkeypatch, cores)
    machine.busy, machine.own = 50_000.0, 3.0  # what was before does not matter
    use = CoreUse()
    machine.pass_time(2.0, others, own)
    assert use.others() == pytest.approx(others, abs=0.02)
    assert use.free(cores) == free
    assert use.free(1) == 1


def test_no_more_threads_than_asked_for(monkeypatch):
    machine = Machine(monkeypatch, cores=16)
    use = CoreUse()
    machine.pass_time(1.0, others=2.0)
    assert use.free(4) == 4
    assert use.free(16) == 14


def test_a_moment_is_too_short_to_tell(monkeypatch):
    machine = Machine(monkeypatch, cores=4)
    use = CoreUse()
    machine.pass_time(0.05, others=4.0)
    assert use.others() == 0.0
    assert use.free(4) == 4


@pytest.mark.parametrize("when", ["from the first", "later"])
def test_where_the_system_does_not_tell_all_cores_are_free(when, monkeypatch):
    machine = Machine(monkeypatch, cores=4)
    machine.readable = when == "later"
    use = CoreUse()
    machine.readable = False
    machine.pass_time(2.0, others=4.0)
    assert use.others() == 0.0
    assert use.free(4) == 4


def test_strange_contents_are_not_believed(monkeypatch):
    monkeypatch.setattr(Path, "read_text", lambda self: "cpu  strange words\n")
    use = CoreUse()
    assert use.others() == 0.0
    assert use.free(3) == min(3, os.cpu_count() or 1)
