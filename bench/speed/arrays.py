"""The data as the peers that take arrays get it; no torch in here."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bench.speed.job import Job


def arrays(job: Job, part: str) -> tuple[np.ndarray, np.ndarray]:
    """One part: normalised float32 ``[n, channels, height, width]``, and int64 ``[n]``."""
    x, y = np.load(Path(job.folder) / f"x_{part}.npy"), np.load(Path(job.folder) / f"y_{part}.npy")
    x = x[:, None] if x.ndim == 3 else x.transpose(0, 3, 1, 2)
    mean, std = (np.array(values, np.float32).reshape(1, -1, 1, 1) for values in statistics(job.folder))
    return (x.astype(np.float32) / 255 - mean) / std, y.astype(np.int64)


def statistics(folder: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel of MNIST or CIFAR-10, as everybody writes them down."""
    if np.load(Path(folder) / "x_test.npy", mmap_mode="r").ndim == 3:
        return (0.1307,), (0.3081,)
    return (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
