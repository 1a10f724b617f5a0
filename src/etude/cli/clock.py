"""The time a person has waited: since Enter, not since Python was ready."""

from __future__ import annotations

import os
import time
from pathlib import Path

_READY = time.time()


def since_enter() -> float:
    """Seconds since this process was started (Linux), or since étude's first line ran (elsewhere)."""
    return time.time() - (_process_start() or _READY)


def _process_start() -> float | None:
    try:
        ticks = float(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        uptime = float(Path("/proc/uptime").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return None
    return time.time() - (uptime - ticks / os.sysconf("SC_CLK_TCK"))
