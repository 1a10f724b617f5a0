"""What this machine computes with: its device, its number formats, its memory."""

from __future__ import annotations

import functools
import os
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from etude.core.errors import EtudeError

if TYPE_CHECKING:
    import torch


def choose_device(asked: str = "auto") -> torch.device:
    """The device to train on: CUDA, then Apple's MPS, then the CPU; or the one asked for.

    Raises:
        EtudeError: the device asked for is not on this machine.
    """
    import torch

    if asked == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(asked)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError):
        raise EtudeError(
            en=f"device is '{asked}', which this machine does not have; use cpu, or auto to take the best there is.",
            zh=f"device 为“{asked}”，但本机没有该设备；请用 cpu，或用 auto 自动选择。",
        ) from None
    return device


def sum_dtype(device: torch.device | str) -> torch.dtype:
    """The format in which sums of many numbers are kept on a device: float64, or float32 on MPS, which has no float64."""
    import torch

    return torch.float32 if torch.device(device).type == "mps" else torch.float64


def multiplies_bf16(device: torch.device | str) -> bool:
    """Whether torch computes matrix products in bfloat16 on a device, fast or not; it is tried out."""
    import torch

    kind = torch.device(device).type
    try:
        if not torch.amp.is_autocast_available(kind):
            return False
        ones = torch.ones(2, 2, device=device)
        with warnings.catch_warnings():  # where it cannot, autocast may warn and go on in float32
            warnings.simplefilter("ignore")
            with torch.autocast(kind, dtype=torch.bfloat16):
                product = ones @ ones
        return product.dtype == torch.bfloat16 and bool((product == 2).all())
    except (RuntimeError, NotImplementedError, TypeError, AssertionError):
        return False


@functools.cache
def processor_flags() -> frozenset[str]:
    """The instruction sets that the operating system reports for this processor (Linux; else empty)."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("flags"):
                return frozenset(line.split(":", 1)[1].split())
    except OSError:
        pass
    return frozenset()


def has_amx_bf16() -> bool:
    """Whether the processor has AMX tiles for bfloat16: matrix products about 5 times as fast as float32."""
    return {"amx_tile", "amx_bf16"} <= processor_flags()


def has_avx512_bf16() -> bool:
    """Whether the processor multiplies bfloat16 in AVX-512 registers: matrix products about twice as fast as float32."""
    return "avx512_bf16" in processor_flags()


def cpu_name() -> str:
    """The processor's name, as the operating system tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    import platform

    return platform.processor() or platform.machine()


def available_memory() -> int:
    """Bytes of main memory that can be taken without swapping; 4 GiB where the system does not say."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 4 << 30


def tune_process() -> dict[str, bool]:
    """Settings of the whole process that make training faster. Only the command line calls this.

    glibc gives large blocks back to the system after each use and faults them in again at the next step;
    told to keep them, the same step is a fifth faster. Denormals are flushed to zero because arithmetic
    on them is up to a hundred times slower; this must happen before torch starts its threads.

    On CUDA, float32 products use TF32. cuDNN is not told to time its algorithms: another process may time them
    otherwise and keep another one, and a resume would no longer be exact.

    Returns:
        what was set, for the run's record.
    """
    import torch

    cuda = torch.cuda.is_available()
    if cuda:
        torch.set_float32_matmul_precision("high")
    return {
        "malloc_keeps_memory": _keep_malloc_arenas(),
        "flush_denormal": torch.set_flush_denormal(True),
        "tf32": cuda,
    }


def _keep_malloc_arenas() -> bool:
    if not sys.platform.startswith("linux") or "MALLOC_TRIM_THRESHOLD_" in os.environ:
        return False
    import ctypes

    m_trim_threshold, m_mmap_threshold = -1, -3
    try:
        libc = ctypes.CDLL("libc.so.6")
        return bool(libc.mallopt(m_trim_threshold, 1 << 30) and libc.mallopt(m_mmap_threshold, 1 << 30))
    except (OSError, AttributeError):
        return False
