"""torch's optimisers without torch's compiler.

`torch.optim` marks ``add_param_group``, ``zero_grad``, ``state_dict`` and ``load_state_dict`` as functions that
``torch.compile`` must not look into, and interrupts its graphs in ``step``. The marks import the whole compiler
(``torch._dynamo``: about a second, more than all else between Enter and the first step but torch itself) when they
are first called, though a step that is not compiled has no use for them. étude compiles models, never optimisers.
"""

from __future__ import annotations

import functools
import inspect
from typing import TypeVar

import torch

_Kind = TypeVar("_Kind", bound=torch.optim.Optimizer)
_MARKED = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")


def eager(kind: type[_Kind]) -> type[_Kind]:
    """A subclass of ``kind`` whose methods are the same functions without their marks; ``kind`` itself stays as it is.

    Args:
        kind: one of torch's, such as `torch.optim.AdamW`, that is not to be differentiated through.
    """
    return _unmarked(kind)  # type: ignore[return-value, arg-type]


@functools.cache
def _unmarked(kind: type[torch.optim.Optimizer]) -> type[torch.optim.Optimizer]:
    # functools.wraps keeps the function that was marked, and inspect.unwrap is the documented way to it
    methods = {name: inspect.unwrap(getattr(kind, name)) for name in _MARKED}
    methods["step"] = torch.no_grad()(inspect.unwrap(kind.step))
    return type(kind.__name__, (kind,), {"__doc__": kind.__doc__, **methods})
