"""Work done ahead: the next items are made by a thread while the present one is used."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterator
from typing import Any, TypeVar

from etude.data.threads import on_one_core

_Item = TypeVar("_Item")
_PATIENCE = 0.1  # seconds after which a thread that waits looks whether its reader is gone


def prefetch(items: Iterator[_Item], depth: int) -> Iterator[_Item]:
    """The same items in the same order, up to ``depth`` of them made ahead by one thread.

    The thread starts with the first item that is asked for, and ends with the last one, with an error, which is raised
    here, or when the reader leaves the loop. What it computes with torch keeps to one core.

    Args:
        items: an iterator, used by the thread alone from now on.
        depth: from 1.
    """
    ready: queue.Queue[tuple[str, Any]] = queue.Queue(depth)
    left = threading.Event()

    def put(kind: str, value: Any) -> bool:
        while not left.is_set():
            with contextlib.suppress(queue.Full):
                ready.put((kind, value), timeout=_PATIENCE)
                return True
        return False

    def work() -> None:
        try:
            for item in items:
                if not put("item", item):
                    break
            else:
                put("end", None)
        except BaseException as error:
            put("error", error)
        finally:
            if hasattr(items, "close"):
                items.close()

    (thread,) = on_one_core([work])
    try:
        while True:
            kind, value = ready.get()
            if kind == "end":
                return
            if kind == "error":
                raise value
            yield value
    finally:
        left.set()
        thread.join()
