"""What each layer of a network was given and gave, in the order in which the layers finish.

Forward hooks see every module, however it is called; what is written as a function (``F.relu``) belongs to no layer, and
is found in what the next layer is given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.modules import activation, batchnorm, dropout, instancenorm, normalization

from etude.core.errors import unknown
from etude.core.text import Text

Noted = TypeVar("Noted")

_POINTWISE = (
    nn.Identity, batchnorm._NormBase, dropout._DropoutNd, instancenorm._InstanceNorm,
    *(getattr(module, name) for module in (activation, normalization) for name in module.__all__),
)  # fmt: skip


@dataclass(frozen=True)
class Call:
    """One call of one layer.

    Args:
        name: the layer's place in the model, such as ``layer1.0``; from the second call on with its number, ``pool@2``.
        module: the layer.
        given: what was noted of its input; None if that is no tensor.
        gave: what was noted of its output.
        input_shape: of the input with the batch, or None.
        shape: of the output with the batch.
        unit: whether it is a building block: a layer without parts, or a block (residual, Inception) as a whole.
    """

    name: str
    module: nn.Module
    given: Any
    gave: Any
    input_shape: tuple[int, ...] | None
    shape: tuple[int, ...]
    unit: bool

    @property
    def is_map(self) -> bool:
        """Whether it puts out maps, ``[batch, channels, height, width]`` of more than one place."""
        return len(self.shape) == 4 and self.shape[2] * self.shape[3] > 1

    @property
    def is_pointwise(self) -> bool:
        """Whether it treats each number for itself, or all channels of a place: a norm, an activation, dropout."""
        return isinstance(self.module, _POINTWISE)


def record_calls(
    model: nn.Module, run: Callable[[], Any], note: Callable[[Tensor], Noted] = torch.clone
) -> list[Call]:
    """The calls of all layers while ``run()`` runs the model.

    Args:
        model: whose layers are watched.
        run: runs it.
        note: what to keep of each tensor, at that moment: a layer written with ``inplace=True`` overwrites it later.
    """
    calls: list[Call] = []
    times: dict[str, int] = {}
    given: list[tuple[Any, tuple[int, ...] | None]] = []

    def before(module: nn.Module, inputs: Any) -> None:
        first = inputs[0] if inputs else None
        given.append((note(first), tuple(first.shape)) if isinstance(first, Tensor) else (None, None))

    def after(name: str, unit: bool, module: nn.Module, inputs: Any, output: Any) -> None:
        noted, shape = given.pop()
        if isinstance(output, Tensor):
            times[name] = times.get(name, 0) + 1
            called = name if times[name] == 1 else f"{name}@{times[name]}"
            calls.append(Call(called, module, noted, note(output), shape, tuple(output.shape), unit))

    handles = []
    try:
        for name, module, unit in _watched(model):
            handles.append(module.register_forward_pre_hook(before))
            handles.append(
                module.register_forward_hook(lambda *args, name=name, unit=unit: after(name, unit, *args))
            )
        run()
    finally:
        for handle in handles:
            handle.remove()
    return calls


def map_units(calls: Sequence[Call]) -> list[Call]:
    """The building blocks that put out maps, in order; norms, activations and dropout belong to the one before."""
    return [call for call in calls if call.unit and call.is_map and not call.is_pointwise]


def find_call(calls: Sequence[Call], layer: str) -> Call:
    """The call of that name; the case of the letters does not matter.

    Raises:
        EtudeError: there is none; the nearest names are suggested.
    """
    for call in calls:
        if call.name == layer:
            return call
    for call in calls:
        if call.name.lower() == layer.lower():
            return call
    raise unknown(Text(en="layer", zh="层"), layer, [call.name for call in calls])


def _watched(model: nn.Module, prefix: str = "", inside: bool = False) -> Iterator[tuple[str, nn.Module, bool]]:
    """Every module below ``model`` with its name, and whether it is a building block."""
    for name, module in model.named_children():
        name = f"{prefix}{name}"
        box = isinstance(module, nn.Sequential | nn.ModuleList | nn.ModuleDict)
        unit = not inside and not box
        yield name, module, unit
        yield from _watched(module, name + ".", inside or unit)
