"""What a graph of a network depends on beside its input: looked at before every pass, because a person may change it."""

from __future__ import annotations

import types
from typing import Any

import torch
from torch import nn

from etude.train.execution.purity import own_classes

_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
_READ_BY_RULES = (nn.Dropout, nn.Conv2d, nn.MaxPool2d)
_PLAIN = frozenset(
    {int, float, bool, str, type(None), tuple, torch.Size, torch.dtype, torch.device, torch.memory_format,
     types.FunctionType, types.BuiltinFunctionType, types.MethodType}
)  # fmt: skip


class Watch:
    """Modes, settings, layers and hooks of a pure module (`etude.train.execution.purity`)."""

    def __init__(self, module: nn.Module) -> None:
        self._module = module
        self._look()

    @property
    def hooked(self) -> bool:
        """Whether a hook waits for a pass, or a layer has a forward pass of its own; a graph would not call all of them."""
        return any(self._hooks) or any("forward" in each for each in self._every)

    def key(self) -> tuple[Any, ...]:
        """Equal for two moments at which the same graph is right."""
        if list(map(id, self._present())) != self._ids:
            self._look()
        plain = _PLAIN
        return self._parts, *[
            value for each in self._attributes for value in each.values() if type(value) in plain
        ]

    def _look(self) -> None:
        modules = list(self._module.modules())
        traced = [each for each in modules if each is self._module or not _is_leaf(each)]
        self._every = [vars(each) for each in modules]
        self._hooks = [getattr(each, name) for each in modules for name in _HOOKS]
        self._held: list[dict[str, Any]] = [each._modules for each in modules if each._modules]
        self._held += [tensors for each in traced for tensors in (each._parameters, each._buffers) if tensors]
        read = [each for each in modules if each in traced or isinstance(each, _READ_BY_RULES)]
        classes = dict.fromkeys(found for each in traced for found in own_classes(type(each)))
        self._attributes: list[Any] = [*map(vars, read), *map(vars, classes)]
        found = self._present()
        self._ids = list(map(id, found))
        self._parts = _Identity(found)

    def _present(self) -> list[Any]:
        return [value for each in self._held for value in each.values()]


class _Identity:
    """Layers and tensors at one moment: equal to itself alone, and keeps them, so that no other can take their place."""

    def __init__(self, found: list[Any]) -> None:
        self.found = found


def _is_leaf(module: nn.Module) -> bool:
    """Whether a graph calls the layer as it is; its settings then have their effect without a new graph."""
    return type(module).__module__.startswith("torch.nn") and not isinstance(module, nn.Sequential)
