"""One thread for a study's arithmetic: sums are then added in one order everywhere, and jobs do not get in each other's way."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

from etude.core.core_use import usable_cores

_VARIABLE = "OMP_NUM_THREADS"


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Inside this block torch computes with one thread; afterwards with as many as before.

    torch is not imported: where it is not loaded yet, the environment tells it, and if the block loads it,
    it has every core afterwards, as if loaded outside.
    """
    torch = sys.modules.get("torch")
    before, said = torch.get_num_threads() if torch else None, os.environ.get(_VARIABLE)
    if torch:
        torch.set_num_threads(1)
    else:
        os.environ[_VARIABLE] = "1"
    try:
        yield
    finally:
        if not torch:
            os.environ.pop(_VARIABLE)
            if said is not None:
                os.environ[_VARIABLE] = said
            torch, before = sys.modules.get("torch"), int(said) if said and said.isdecimal() else usable_cores()
        if torch and hasattr(torch, "set_num_threads"):  # an import that failed leaves half a module
            torch.set_num_threads(before)
