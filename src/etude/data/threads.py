"""Work on many files at once, where that is faster than one after the other."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

_GROUP = 8  # items handed to a thread at once
_GROUPS = 8  # groups that wait for each thread; bounds how many results are held
_SMALL = 1 << 14  # bytes of a file below which threads are no help

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def threads_for(paths: Sequence[Path]) -> int:
    """How many threads decode fastest.

    Pillow and hashlib let go of Python's lock while they work on a large picture (measured: twice as fast on
    two cores); on small ones, threads get in each other's way (one is half as fast again).
    """
    sizes = []
    for path in paths[:: max(len(paths) // 100, 1)]:
        with contextlib.suppress(OSError):
            sizes.append(os.stat(path).st_size)
    return (os.cpu_count() or 1) if sum(sizes) >= _SMALL * len(sizes) else 1


def in_threads(work: Callable[[_Item], _Result], items: Sequence[_Item], workers: int) -> Iterator[_Result]:
    """``work`` on all items, in their order; a few are handed over at a time, because that costs something."""

    def work_through(start: int) -> list[_Result]:
        return [work(item) for item in items[start : start + _GROUP]]

    window = workers * _GROUP * _GROUPS
    with ThreadPoolExecutor(workers) as pool:
        for start in range(0, len(items), window):
            for results in pool.map(work_through, range(start, min(start + window, len(items)), _GROUP)):
                yield from results
