"""The processor, its cores and the memory of this machine, and how much of them this process may use.

Only Python's own library is used, so that the facts can be told where nothing else works. What a file of the
system says is read by functions that take its text; where a system has no such file, the fact is None.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from etude.core.core_use import usable_cores
from etude.insight.cgroup import cpu_quota, memory_limit, read_system_file


@dataclass(frozen=True)
class Cpu:
    """The processor.

    Args:
        name: as the system tells it.
        architecture: such as ``x86_64`` or ``arm64``.
        formats: which of `VECTOR_FORMATS` it has; None where the system does not say.
        cache_bytes: its largest cache, or None.
    """

    name: str
    architecture: str
    formats: tuple[str, ...] | None
    cache_bytes: int | None


@dataclass(frozen=True)
class Cores:
    """How many processors there are: physical, logical (with hyper-threads), and allowed to this process.

    Args:
        allowed: those the process may run on (its affinity).
        quota: processors' worth of time that the container (cgroup) grants, or None without a limit.
    """

    physical: int | None
    logical: int
    allowed: int
    quota: float | None

    @property
    def usable(self) -> int:
        """Threads that can really run at once."""
        return max(1, min(self.allowed, round(self.quota) if self.quota else self.allowed))


@dataclass(frozen=True)
class Memory:
    """Main memory in bytes; ``limit`` is what the container (cgroup) grants, ``limit_used`` what it has taken of it."""

    total: int | None
    available: int | None
    limit: int | None
    limit_used: int | None

    @property
    def free(self) -> int | None:
        """What this process can still take, the container's limit considered."""
        left = [self.available] if self.available is not None else []
        if self.limit is not None:
            left.append(max(0, self.limit - (self.limit_used or 0)))
        return min(left, default=None)


VECTOR_FORMATS = {
    "AVX2": ({"avx2", "fma"}, "hw.optional.avx2_0"),
    "AVX-512": ({"avx512f", "avx512bw", "avx512vl", "avx512dq"}, "hw.optional.avx512f"),
    "AVX-512 VNNI": ({"avx512_vnni"}, None),
    "AVX-512 BF16": ({"avx512_bf16"}, None),
    "AMX BF16": ({"amx_tile", "amx_bf16"}, None),
    "NEON": ({"asimd"}, "hw.optional.neon"),
    "SVE": ({"sve"}, None),
    "ARM BF16": ({"bf16"}, "hw.optional.arm.FEAT_BF16"),
    "SME": ({"sme"}, "hw.optional.arm.FEAT_SME"),
}
"""By name: the flags in Linux's ``/proc/cpuinfo`` that must all be there, and the name of macOS's ``sysctl`` or None."""


def read_cpu() -> Cpu:
    """The processor of this machine."""
    text = read_system_file("/proc/cpuinfo")
    formats: tuple[str, ...] | None = None
    name = None
    if text:
        name, formats = parse_cpuinfo(text)
    elif sys.platform == "darwin":
        name = _sysctl("machdep.cpu.brand_string")
        formats = tuple(
            each for each, (_, question) in VECTOR_FORMATS.items() if question and _sysctl(question) == "1"
        )
    elif sys.platform == "win32":
        name = _windows_cpu_name()
    return Cpu(
        name or platform.processor() or platform.machine(), platform.machine(), formats, _largest_cache()
    )


def parse_cpuinfo(text: str) -> tuple[str | None, tuple[str, ...]]:
    """The processor's name (None on most ARM boards) and its formats, from the text of ``/proc/cpuinfo``."""
    fields: dict[str, str] = {}
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if colon:
            fields.setdefault(key.strip().lower(), value.strip())
    flags = set((fields.get("flags") or fields.get("features") or "").split())
    formats = tuple(name for name, (needed, _) in VECTOR_FORMATS.items() if needed <= flags)
    return fields.get("model name"), formats


def read_cores() -> Cores:
    """The cores of this machine, and how many of them this process may use."""
    logical = os.cpu_count() or 1
    physical = parse_physical_cores(read_system_file("/proc/cpuinfo"))
    if physical is None and sys.platform == "darwin":
        count = _sysctl("hw.physicalcpu")
        physical = int(count) if count and count.isdecimal() else None
    return Cores(physical, logical, usable_cores(), cpu_quota())


def parse_physical_cores(cpuinfo: str) -> int | None:
    """The different (socket, core) pairs in the text of ``/proc/cpuinfo``; None where it does not tell them."""
    pairs = set(
        zip(
            re.findall(r"^physical id\s*:\s*(\d+)", cpuinfo, re.M),
            re.findall(r"^core id\s*:\s*(\d+)", cpuinfo, re.M),
        )
    )
    return len(pairs) or None


def read_memory() -> Memory:
    """The memory of this machine and of this process's container."""
    total, available = parse_meminfo(read_system_file("/proc/meminfo"))
    if total is None and sys.platform == "darwin":
        size = _sysctl("hw.memsize")
        total = int(size) if size and size.isdecimal() else None
        available = parse_vm_stat(run_program(["vm_stat"]))
    elif total is None and sys.platform == "win32":
        total, available = _windows_memory()
    limit, used = memory_limit() or (None, None)
    return Memory(total, available, limit, used)


def parse_meminfo(text: str) -> tuple[int | None, int | None]:
    """Bytes in total and bytes available, from the text of ``/proc/meminfo``."""
    kib = dict(re.findall(r"^(\w+):\s+(\d+) kB", text, re.M))
    total, available = kib.get("MemTotal"), kib.get("MemAvailable")
    return int(total) * 1024 if total else None, int(available) * 1024 if available else None


def parse_vm_stat(text: str) -> int | None:
    """Bytes available, from what macOS's ``vm_stat`` prints: pages that are free, inactive or speculative."""
    page = re.search(r"page size of (\d+) bytes", text)
    pages = re.findall(r"^Pages (?:free|inactive|speculative):\s+(\d+)", text, re.M)
    return int(page.group(1)) * sum(map(int, pages)) if page and pages else None


def busy_seconds() -> float | None:
    """Seconds that all processors together have worked since the start, for anybody; None where the system does not say.

    Two such numbers tell what everybody used meanwhile; less `time.process_time`, what the others did.
    """
    if sys.platform == "win32":
        return _windows_busy_seconds()
    ticks = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
    return parse_proc_stat(read_system_file("/proc/stat"), ticks)


def parse_proc_stat(text: str, ticks: int) -> float | None:
    """Seconds of work in the text of ``/proc/stat``, with the time that a virtual machine's host took away (steal)."""
    words = text.partition("\n")[0].split()
    if len(words) < 9 or words[0] != "cpu":
        return None
    user, nice, system, _idle, _waiting, interrupts, soft_interrupts, stolen = map(int, words[1:9])
    return (user + nice + system + interrupts + soft_interrupts + stolen) / ticks


def _largest_cache() -> int | None:
    files = Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size")  # none where there is no such folder
    sizes = [_bytes(read_system_file(str(path))) for path in files]
    if sys.platform == "darwin":
        asked = [_sysctl(name) for name in ("hw.l3cachesize", "hw.perflevel0.l2cachesize", "hw.l2cachesize")]
        sizes = [int(size) for size in asked if size and size.isdecimal()]
    return max(sizes, default=0) or None


def _bytes(text: str) -> int:
    found = re.match(r"(\d+)([KMG]?)", text.strip())
    return int(found.group(1)) << {"": 0, "K": 10, "M": 20, "G": 30}[found.group(2)] if found else 0


def run_program(command: list[str], seconds: float = 5) -> str:
    """What a program of the system prints; empty where there is none, or where it fails."""
    try:
        done = subprocess.run(command, capture_output=True, timeout=seconds, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode("utf-8", "replace")


def _sysctl(name: str) -> str | None:
    return run_program(["sysctl", "-n", name]).strip() or None


def _windows_cpu_name() -> str | None:
    try:
        import winreg

        key = winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"HARDWARE\DESCRIPTION\System\CentralProcessor\0")  # type: ignore[attr-defined]
        return str(winreg.QueryValueEx(key, "ProcessorNameString")[0]).strip()  # type: ignore[attr-defined]
    except (ImportError, OSError):
        return None


def _windows_memory() -> tuple[int | None, int | None]:
    import ctypes

    class Status(ctypes.Structure):
        _fields_ = [
            ("length", ctypes.c_ulong), ("load", ctypes.c_ulong), ("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong),
            *((f"unused{number}", ctypes.c_ulonglong) for number in range(5)),
        ]  # fmt: skip

    status = Status(length=ctypes.sizeof(Status))
    asked = getattr(getattr(ctypes, "windll", None), "kernel32", None)
    if asked is None or not asked.GlobalMemoryStatusEx(ctypes.byref(status)):
        return None, None
    return status.total, status.free


def _windows_busy_seconds() -> float | None:
    import ctypes

    idle, kernel, user = (ctypes.c_ulonglong() for _ in range(3))  # in units of 100 ns; kernel includes idle
    asked = getattr(getattr(ctypes, "windll", None), "kernel32", None)
    if asked is None or not asked.GetSystemTimes(*map(ctypes.byref, (idle, kernel, user))):
        return None
    return (kernel.value - idle.value + user.value) / 1e7
