"""What a container grants: the limits on processor time and memory that Linux keeps as cgroups (versions 1 and 2)."""

from __future__ import annotations

import re
from pathlib import Path

_UNLIMITED = 1 << 60  # bytes; version 1 says "no limit" with a number near 2⁶³


def cpu_quota() -> float | None:
    """Processors' worth of time that this process may take; None without a limit."""
    found = _limits("cpu", ["cpu.max"], ["cpu.cfs_quota_us", "cpu.cfs_period_us"])
    quotas = [parse_cpu_max(" ".join(texts)) for texts in found]
    return min((quota for quota in quotas if quota), default=None)


def memory_limit() -> tuple[int, int] | None:
    """Bytes granted and bytes taken, of the limit that leaves least; None without a limit."""
    found = _limits(
        "memory",
        ["memory.max", "memory.current", "memory.stat"],
        ["memory.limit_in_bytes", "memory.usage_in_bytes", "memory.stat"],
    )
    limits = [limit for limit in (parse_memory_limit(*texts) for texts in found) if limit]
    return min(limits, key=lambda pair: pair[0] - pair[1], default=None)


def parse_cpu_max(text: str) -> float | None:
    """Processors' worth of time in ``"QUOTA PERIOD"`` (microseconds); None for ``max`` and for -1: no limit."""
    words = text.split()
    if len(words) != 2 or not all(word.isdecimal() and int(word) for word in words):
        return None
    return int(words[0]) / int(words[1])


def parse_memory_limit(most: str, taken: str, statistics: str = "") -> tuple[int, int] | None:
    """The files' texts as bytes granted and taken; None for ``max`` and for version 1's number that means no limit.

    Copies of files that nobody has read lately count as taken, but the system drops them at once when memory is
    wanted; so they are subtracted (``inactive_file`` of ``memory.stat``), as Docker does.
    """
    most, taken = most.strip(), taken.strip()
    if not (most.isdecimal() and taken.isdecimal()) or int(most) >= _UNLIMITED:
        return None
    idle = dict(re.findall(r"^((?:total_)?inactive_file) (\d+)$", statistics, re.M))
    droppable = int(idle.get("total_inactive_file") or idle.get("inactive_file") or 0)
    return int(most), max(0, int(taken) - droppable)


def cgroup_folders(proc_self_cgroup: str, controller: str) -> tuple[list[str], list[str]]:
    """Where the limits of a process are, given the text of its ``/proc/self/cgroup``.

    A folder's limit binds all below it, so every folder up to the root counts. Inside a container the path may not
    be visible; then only the root is there.

    Returns:
        the folders of version 2, and those of version 1 for ``controller`` (``cpu``, ``memory``), innermost first.
    """
    new: list[str] = []
    old: list[str] = []
    for line in proc_self_cgroup.splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        parts = [part for part in path.split("/") if part not in ("", "..")]
        levels = ["/".join(parts[:depth]) for depth in range(len(parts), -1, -1)]
        if not controllers:
            new += [f"/sys/fs/cgroup/{level}".rstrip("/") for level in levels]
        elif controller in controllers.split(","):
            mounts = dict.fromkeys((controllers, controller))
            old += [f"/sys/fs/cgroup/{mount}/{level}".rstrip("/") for mount in mounts for level in levels]
    return new, old


def _limits(controller: str, new_files: list[str], old_files: list[str]) -> list[list[str]]:
    """The texts of these files, of every cgroup of this process that has them all."""
    new, old = cgroup_folders(read_system_file("/proc/self/cgroup"), controller)
    wanted = [(folder, new_files) for folder in new] + [(folder, old_files) for folder in old]
    found = [[read_system_file(f"{folder}/{name}") for name in names] for folder, names in wanted]
    return [texts for texts in found if all(texts)]


def read_system_file(path: str) -> str:
    """The text of a file of the system; empty where there is none."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
