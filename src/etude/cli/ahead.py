"""What may go on while torch is loaded: the data are read."""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

Result = TypeVar("Result")


class Ahead(Generic[Result]):
    """``make()`` in a thread of its own. What it raises is raised by `result`, where it can be told.

    Loading torch is one processor's work; reading a data set is mostly unpacking and hashing, during which Python
    lets other threads run.
    """

    def __init__(self, make: Callable[[], Result]) -> None:
        self._make = make
        self._outcome: tuple[Any, BaseException | None] = (None, None)
        # a daemon, so that Ctrl-C need not wait for it; it only reads
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._outcome = (self._make(), None)
        except BaseException as error:
            self._outcome = (None, error)

    def result(self) -> Result:
        """What was made, as soon as it is there."""
        self._thread.join()
        made, error = self._outcome
        if error is not None:
            raise error
        return made


@contextmanager
def no_collection() -> Iterator[None]:
    """Inside this block, in which torch is loaded, Python does not look for reference cycles.

    Imports make half a million objects that stay; looking them through again and again is a tenth of the time that
    loading torch takes. Afterwards they are left out of the search for good. Where torch is loaded already, as in a
    notebook, nothing is changed.
    """
    if "torch" in sys.modules or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
