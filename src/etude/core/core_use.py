"""How many cores other processes use while this one starts, so that its threads keep out of their way."""

from __future__ import annotations

import os
import time
from pathlib import Path

_SHORTEST = 0.2  # seconds over which a use can be told; the kernel counts in hundredths
_TAKEN = 0.4  # of a core from which on it is not free


class CoreUse:
    """Watches from the moment it is made.

    A thread that shares its core with another process makes all the others wait, after every small operation: a
    small network was measured to train ten times slower so than with one thread less. Linux tells the use of all cores in
    /proc/stat; where that cannot be read, all cores count as free.
    """

    def __init__(self) -> None:
        self._began, self._busy, self._own = time.monotonic(), _busy_seconds(), _own_seconds()

    def others(self) -> float:
        """Cores that other processes used on average since this was made; 0.0 where that cannot be told."""
        seconds, busy = time.monotonic() - self._began, _busy_seconds()
        if busy is None or self._busy is None or seconds < _SHORTEST:
            return 0.0
        return max((busy - self._busy) - (_own_seconds() - self._own), 0.0) / seconds

    def free(self, threads: int) -> int:
        """How many of ``threads`` find a core of their own; at least 1."""
        free = (os.cpu_count() or 1) - int(self.others() + (1 - _TAKEN))  # 0.4 of a core counts as one
        return max(1, min(threads, free))


def usable_cores() -> int:
    """How many cores this process may run on (its affinity); all, where that cannot be told."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _busy_seconds() -> float | None:
    """Seconds that all cores together were at work since the machine started."""
    try:
        numbers = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
        idle, waiting = numbers[3], numbers[4]
        return (sum(numbers) - idle - waiting) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, AttributeError):
        return None


def _own_seconds() -> float:
    return sum(os.times()[:4])
