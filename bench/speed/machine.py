"""What was measured on: the processor, what it can do, the versions, how busy it was."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

PACKAGES = (
    "torch", "torchvision", "numpy", "pillow", "lightning", "keras", "jax", "jaxlib", "fastai", "skorch"
)  # fmt: skip
_FLAGS = {"AMX bf16": "amx_bf16", "AVX-512": "avx512f", "AVX-512 bf16": "avx512_bf16", "AVX2": "avx2"}


def describe_machine() -> dict[str, Any]:
    """The machine and the versions: JSON, the same for every measurement on it."""
    from etude.core.devices import cpu_name, processor_flags

    flags = processor_flags()
    return {
        "processor": cpu_name(),
        "cores": os.cpu_count(),
        "has": [name for name, flag in _FLAGS.items() if flag in flags],
        "has not": [name for name, flag in _FLAGS.items() if flag not in flags],
        "gpu": _gpu(),
        "system": f"{platform.system()} {platform.release()}",
        "python": sys.version.split()[0],
        "versions": _versions(),
    }


def describe_moment() -> dict[str, Any]:
    """When it is, and how busy the machine is without the measurement."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "date": datetime.datetime.now().isoformat(" ", "minutes"),
        "load": None if load is None else round(load, 2),
    }


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _gpu() -> str | None:
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return (
        listed.stdout.splitlines()[0].split(" (UUID")[0] if listed.returncode == 0 and listed.stdout else None
    )
