"""Work on many files at once, where that is faster than one after the other."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from etude.core.core_use import usable_cores

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
    return usable_cores() if sum(sizes) >= _SMALL * len(sizes) else 1


def in_threads(work: Callable[[_Item], _Result], items: Sequence[_Item], workers: int) -> Iterator[_Result]:
    """``work`` on all items, in their order; a few are handed over at a time, because that costs something."""

    def work_through(start: int) -> list[_Result]:
        return [work(item) for item in items[start : start + _GROUP]]

    window = workers * _GROUP * _GROUPS
    with ThreadPoolExecutor(workers) as pool:
        for start in range(0, len(items), window):
            for results in pool.map(work_through, range(start, min(start + window, len(items)), _GROUP)):
                yield from results


def on_one_core(works: Sequence[Callable[[], object]]) -> list[threading.Thread]:
    """Start a thread for each of ``works``; what it computes with torch keeps to one core.

    Otherwise each thread would gather a team of OpenMP's of its own, and the teams would get in each other's way. Torch
    keeps the number of threads by thread, but takes that of a new thread from the one set last: so it is set again here.
    The threads do not keep the process alive.
    """
    import torch

    before = torch.get_num_threads()
    begun = threading.Barrier(len(works) + 1)

    def run(work: Callable[[], object]) -> None:
        torch.get_num_threads()  # a thread's first use of torch would set the number back
        torch.set_num_threads(1)
        begun.wait()
        work()

    threads = [threading.Thread(target=run, args=(work,), daemon=True) for work in works]
    for thread in threads:
        thread.start()
    begun.wait()
    torch.set_num_threads(before)
    return threads


class Workers:
    """Threads that compute with torch, one core each, and live until this object is gone or closed.

    Args:
        count: how many; 1: none, the work is done by the one who calls.
    """

    def __init__(self, count: int) -> None:
        self._tasks: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._threads = on_one_core([partial(_serve, self._tasks)] * count) if count > 1 else []
        self._finalizer = weakref.finalize(self, _dismiss, self._tasks, len(self._threads))

    def map(self, work: Callable[[_Item], _Result], items: Iterable[_Item]) -> Iterator[_Result]:
        """``work`` on all items, in their order; an error is raised here, once nothing is under way any more."""
        items = list(items)
        if not self._threads:
            return map(work, items)
        results: list[Any] = [None] * len(items)
        places, errors = iter(range(len(items))), []
        finished = threading.Semaphore(0)

        def share() -> None:
            try:
                for place in places:  # the next of one iterator of a range: no lock is needed
                    results[place] = work(items[place])
            except BaseException as error:
                errors.append(error)
            finally:
                finished.release()

        for _ in self._threads:
            self._tasks.put(share)
        for _ in self._threads:
            finished.acquire()
        if errors:
            raise errors[0]
        return iter(results)

    def close(self) -> None:
        """End the threads."""
        self._finalizer()


def _serve(tasks: queue.SimpleQueue[Callable[[], None] | None]) -> None:
    while (task := tasks.get()) is not None:
        task()
        del task


def _dismiss(tasks: queue.SimpleQueue[Callable[[], None] | None], count: int) -> None:
    for _ in range(count):
        tasks.put(None)
