"""How fast this machine computes: matrix products, memory, small operations, disk; each the median of repeats.

Every function returns a `Measurement`, a frozen dataclass of plain numbers; ``Row(**asdict(measurement))`` is a row of
a study. What a repeat takes is measured, not assumed: each function stops when its time is up.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any

from etude.core.devices import available_memory

if TYPE_CHECKING:
    import torch

_LEAST, _MOST = 3, 1000  # repeats
_MATRIX_SIZES = (256, 512, 1024)
_GPU_MATRIX_SIZES = (1024, 2048, 4096, 8192)
_TINY = 16  # numbers in a tiny operation: its arithmetic costs nothing
_CALLS = 200  # tiny operations timed together: one is too short for the clock
_CHUNK = 1 << 22  # bytes written at once


@dataclass(frozen=True)
class Measurement:
    """One quantity, measured several times.

    Args:
        what: ``matrix product``, ``memory copy``, ``small operation``, ``disk write`` or ``disk sync``.
        median: of the repeats, in ``unit``; more is better for GFLOP/s, GB/s and MB/s, less for µs and ms.
        low, high: the quartiles of the repeats.
        unit: ``GFLOP/s`` (10⁹ multiplications and additions a second), ``GB/s``, ``MB/s``, ``µs`` or ``ms``.
        repeats: how many.
        size: rows of the square matrices, or bytes copied or written in one repeat, or numbers in the operation.
        device: ``cpu``, ``cuda``, ``mps``, or ``disk``.
        number_format: ``float32`` or ``bf16``; empty where it does not matter.
        threads: of torch on the CPU; 0 elsewhere.
        core_share: the share of those threads' time that this process got on the processors; 0 where it was not
            measured. Below 1 either other programs were in the way, or the library took fewer threads.
    """

    what: str
    median: float
    low: float
    high: float
    unit: str
    repeats: int
    size: int
    device: str
    number_format: str = ""
    threads: int = 0
    core_share: float = 0.0


def measure_machine(
    device: torch.device | str = "cpu", seconds: float = 2.0, places: tuple[Path, ...] = ()
) -> Iterator[Measurement]:
    """Everything, one after the other, as it is measured.

    Args:
        device: where to compute.
        seconds: time in all; the start and the making of the arrays come on top (about a fifth).
        places: folders whose disk is measured too.
    """
    share = seconds / (4 + len(places))
    yield matrix_speed("float32", device, share)
    yield matrix_speed("bf16", device, share)
    yield copy_bandwidth(device, share)
    yield call_overhead(device, share / 2)
    for place in places:
        yield from disk_speed(place, share)


def matrix_speed(
    number_format: str = "float32",
    device: torch.device | str = "cpu",
    seconds: float = 0.5,
    threads: int | None = None,
    size: int | None = None,
) -> Measurement:
    """Multiplying two square matrices, in GFLOP/s: 2n³ operations each. float32 as torch has it set (TF32 is off).

    The largest size (at most 1024, on a GPU 8192) is taken of which a few products fit into the time.

    Args:
        number_format: ``float32`` or ``bf16``.
        seconds: to spend.
        threads: of the CPU, instead of as many as torch has now.
        size: rows of the matrices, instead of the largest that fits into the time.
    """
    import torch

    if threads is not None:
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            return matrix_speed(number_format, device, seconds, size=size)
        finally:
            torch.set_num_threads(before)
    device = torch.device(device)
    kind = torch.bfloat16 if number_format == "bf16" else torch.float32
    sizes = _MATRIX_SIZES if device.type == "cpu" else _GPU_MATRIX_SIZES
    for rows in (size,) if size else sizes:
        left, right = (torch.rand(rows, rows, device=device).to(kind) for _ in range(2))
        out = torch.empty(rows, rows, device=device, dtype=kind)

        def multiply(left=left, right=right, out=out) -> None:
            torch.mm(left, right, out=out)

        multiply()  # the first call chooses and builds its kernel
        if 8 * _once(multiply, device) * _LEAST > seconds:  # the next size is 8 times the work
            break
    times, shares = _repeat(multiply, device, seconds)
    work = 2 * rows**3 / 1e9
    return _summary("matrix product", [work / t for t in times], "GFLOP/s", rows, device, number_format, shares)


def copy_bandwidth(
    device: torch.device | str = "cpu", seconds: float = 0.5, cache_bytes: int = 0
) -> Measurement:
    """Copying an array that is larger than the caches, in GB/s: bytes read plus bytes written (as STREAM counts).

    Args:
        cache_bytes: the largest cache; the array is four times as large, at least 128 MiB, at most 512 MiB and a
            sixteenth of the memory that is free.
    """
    import torch

    device = torch.device(device)
    size = min(max(1 << 27, 4 * cache_bytes), 1 << 29, max(1 << 20, available_memory() // 16))
    source = torch.ones(size // 4, device=device)
    target = torch.zeros_like(source)  # written once, so that the system has given every page

    def copy() -> None:
        target.copy_(source)

    copy()
    times, shares = _repeat(copy, device, seconds)
    return _summary("memory copy", [2 * size / 1e9 / t for t in times], "GB/s", size, device, "", shares)


def call_overhead(device: torch.device | str = "cpu", seconds: float = 0.2) -> Measurement:
    """What one operation on a few numbers costs, in µs: nearly all of it is Python, torch and starting the kernel."""
    import torch

    device = torch.device(device)
    left, right = (torch.rand(_TINY, device=device) for _ in range(2))

    def calls() -> None:
        for _ in range(_CALLS):
            torch.add(left, right)

    calls()
    times, _ = _repeat(calls, device, seconds)
    return _summary("small operation", [t / _CALLS * 1e6 for t in times], "µs", _TINY, device, "float32", [])


def disk_speed(place: Path, seconds: float = 0.5) -> Iterator[Measurement]:
    """Writing to the disk and waiting until it is really there (fsync): MB/s of large files, ms for 4 kB.

    A file without a name, or one that is removed at once, is written in ``place``; nothing stays.

    Raises:
        OSError: ``place`` cannot be written, or its disk is full.
    """
    block = os.urandom(_CHUNK)  # some file systems compress: zeros would tell nothing
    with tempfile.TemporaryFile(dir=place, prefix=".etude-doctor-") as file:

        def write(content: bytes, times: int = 1) -> float:
            began = time.perf_counter()
            file.seek(0)
            for _ in range(times):
                file.write(content)
            file.flush()
            os.fsync(file.fileno())
            return time.perf_counter() - began

        first = write(block)
        times = max(1, min(8, int(seconds / 4 / max(first, 1e-6))))
        large = _until(lambda: write(block, times), seconds * 0.7, least=2, most=5)
        small = _until(lambda: write(block[:4096]), seconds * 0.3, least=3, most=20)
    size = times * len(block)
    yield _summary("disk write", [size / 1e6 / t for t in large], "MB/s", size, "disk", "", [])
    yield _summary("disk sync", [t * 1e3 for t in small], "ms", 4096, "disk", "", [])


def _repeat(work: Callable[[], None], device: torch.device, seconds: float) -> tuple[list[float], list[float]]:
    """The seconds of each repeat, and the seconds of processor time that it had."""
    shares: list[float] = []

    def once() -> float:
        before = time.process_time()
        took = _once(work, device)
        shares.append((time.process_time() - before) / took)
        return took

    return _until(once, seconds, _LEAST, _MOST), shares


def _until(once: Callable[[], float], seconds: float, least: int, most: int) -> list[float]:
    began = time.perf_counter()
    times: list[float] = []
    while len(times) < least or (len(times) < most and time.perf_counter() - began < seconds):
        times.append(max(once(), 1e-9))
    return times


def _once(work: Callable[[], Any], device: torch.device) -> float:
    wait = _waiting(device)
    wait()
    began = time.perf_counter()
    work()
    wait()
    return max(time.perf_counter() - began, 1e-9)


def _waiting(device: torch.device) -> Callable[[], None]:
    """A function that returns when the device has done what it was given; the CPU has at once."""
    import torch

    if device.type == "cuda":
        return torch.cuda.synchronize
    return torch.mps.synchronize if device.type == "mps" else lambda: None


def _summary(
    what: str, values: list[float], unit: str, size: int, device: torch.device | str, number_format: str,
    processor_seconds: list[float],
) -> Measurement:  # fmt: skip
    kind = device if isinstance(device, str) else device.type
    threads, share = 0, 0.0
    if kind == "cpu":
        import torch

        threads = torch.get_num_threads()
        share = min(1.0, median(processor_seconds) / threads) if processor_seconds else 0.0
    low, _, high = quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3
    return Measurement(what, median(values), low, high, unit, len(values), size, kind, number_format, threads, share)  # fmt: skip
