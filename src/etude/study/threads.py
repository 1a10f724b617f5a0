"""One thread for a study's arithmetic: sums are then added in one order everywhere, and jobs do not get in each other's way."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Inside this block torch computes with one thread; afterwards with as many as before.

    torch is not imported: where it is not loaded yet, the environment tells it.
    """
    torch = sys.modules.get("torch")
    if torch is None:
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
