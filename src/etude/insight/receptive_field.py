"""Receptive fields by formula: which pixels of the picture a unit of a map can depend on.

Araujo, Norris & Sim (2019), "Computing Receptive Fields of Convolutional Neural Networks", Distill. A layer with kernel k,
stride s, padding p and dilation d turns a field of r pixels, with neighbouring units j pixels apart and the first one
beginning at pixel b, into

    r + (k − 1)·d·j  pixels,   j·s  pixels apart,   beginning at  b − p·j.

Where branches meet (a shortcut, Inception), the field is the hull of theirs. The arithmetic follows the operations
themselves, not the modules, so that functional layers, slices and pads count too. An operation that is not known here
and changes the maps' size (a linear layer, attention, upsampling) is taken to look at everything it was given: right for
most, and never too small. It cannot follow a network that makes new tensors out of the numbers of its maps (``.item()``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils._python_dispatch import TorchDispatchMode

from etude.insight.calls import Call, find_call, map_units, record_calls
from etude.insight.span import Span, adaptive, cut, everything, meet, padded, pixels, window
from etude.models.summary import evaluation_mode


@dataclass(frozen=True)
class ReceptiveField:
    """What a unit of a layer sees.

    Args:
        layer: the layer's name, as `etude.insight.calls` gives it.
        shape: of its output, ``(channels, height, width)``.
        rows, columns: the field along the height and along the width.
    """

    layer: str
    shape: tuple[int, int, int]
    rows: Span
    columns: Span

    def box(self, unit: tuple[int, int]) -> tuple[int, int, int, int]:
        """``(top, left, bottom, right)``, the latter two exclusive, of the pixels that the unit ``(row, column)`` sees."""
        (top, bottom), (left, right) = self.rows.of(unit[0]), self.columns.of(unit[1])
        return top, left, bottom, right

    @property
    def size(self) -> tuple[float, float]:
        """Height and width of the field in pixels, padding included."""
        return self.rows.size, self.columns.size

    @property
    def centre(self) -> tuple[int, int]:
        """The unit in the middle of the map."""
        return self.shape[1] // 2, self.shape[2] // 2


def receptive_fields(
    model: nn.Module, input_shape: Sequence[int], layers: Sequence[str] | None = None
) -> list[ReceptiveField]:
    """The receptive field of every layer that puts out maps, in the order in which they run. Nothing is computed.

    Args:
        model: takes ``[batch, *input_shape]``.
        input_shape: ``(channels, height, width)`` of one picture.
        layers: names; without it every convolution, pooling and block once, in order.

    Raises:
        EtudeError: a layer is not there, or puts out no maps.
    """
    state = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    shadows = {name: tensor.detach().to("meta") for name, tensor in state.items()}
    picture = torch.empty(1, *input_shape, device="meta")
    follow = _Follow(picture)
    with evaluation_mode(model), torch.no_grad(), follow:
        calls = record_calls(model, lambda: functional_call(model, shadows, (picture,)), follow.spans)
    chosen = map_units(calls) if layers is None else [find_map(calls, layer) for layer in layers]
    return [
        ReceptiveField(call.name, call.shape[1:], *call.gave)  # type: ignore[arg-type]
        for call in chosen
        if call.gave
    ]


def find_map(calls: Sequence[Call], layer: str) -> Call:
    """The call of a layer that puts out maps.

    Raises:
        EtudeError: there is no layer of that name that does.
    """
    return find_call([call for call in calls if call.is_map], layer)


Spans = tuple[Span, Span]  # along the height, along the width


class _Follow(TorchDispatchMode):
    """Watches every operation on tensors that come from the picture, and keeps their fields."""

    def __init__(self, picture: Tensor) -> None:
        super().__init__()
        rows, columns = (pixels(size) for size in picture.shape[2:])
        # the tensors are kept too: the id of one that is gone would be given to another
        self._known: dict[int, tuple[Tensor, Spans]] = {id(picture): (picture, (rows, columns))}

    def spans(self, tensor: Tensor) -> Spans | None:
        known = self._known.get(id(tensor))
        return known[1] if known else None

    def __torch_dispatch__(self, func: Any, kinds: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        sources = [tensor for tensor in _tensors(args) if self.spans(tensor)]
        if sources:
            name = func.overloadpacket.__name__
            for output in _tensors([result]):
                found = self._window(name, args, output) or self._meeting(sources, output)
                self._known[id(output)] = (output, found)
        return result

    def _window(self, name: str, args: Any, output: Tensor) -> Spans | None:
        """Of an operation on one map that puts out another; None where it is not one of those known."""
        spans = self.spans(args[0]) if isinstance(args[0], Tensor) else None
        if spans is None or args[0].ndim != 4 or output.ndim != 4:
            return None
        if name == "convolution" and not args[6]:
            return _each(window, spans, output, args[1].shape[2:], args[3], args[4], args[5])
        if name.startswith("max_pool2d"):
            stride, padding, dilation = _filled(args[2:5], (None, 0, 1))
            return _each(window, spans, output, args[1], stride or args[1], padding, dilation)
        if name == "avg_pool2d":
            stride, padding = _filled(args[2:4], (None, 0))
            return _each(window, spans, output, args[1], stride or args[1], padding, 1)
        if "adaptive" in name and "pool2d" in name:
            return _each(adaptive, spans, output)
        if name == "constant_pad_nd":
            left, _, top, _ = _filled(args[1][:4], (0, 0, 0, 0))
            return _each(padded, spans, output, (top, left))
        if name == "slice" and args[1] % 4 >= 2:
            start, _, step = _filled(args[2:5], (0, None, 1))
            axis, size = args[1] % 4 - 2, args[0].shape[args[1]]
            start = min(max((start or 0) + (size if (start or 0) < 0 else 0), 0), size)
            return _each(
                cut,
                spans,
                output,
                (start, 0) if axis == 0 else (0, start),
                (step, 1) if axis == 0 else (1, step),
            )
        return None

    def _meeting(self, sources: list[Tensor], output: Tensor) -> Spans:
        """Of an operation place by place, on one tensor or several; or of one that is not known."""
        found = []
        for axis in (0, 1):
            spans = []
            for source in sources:
                span = self.spans(source)[axis]  # type: ignore[index]
                same = min(output.ndim, source.ndim) >= 4 and output.shape[-2:] == source.shape[-2:]
                spans.append(span if same else everything(span))
            found.append(meet(spans, output.shape[axis - 2] if output.ndim >= 4 else 1))
        return found[0], found[1]


def _each(rule: Callable[..., Span], spans: Spans, output: Tensor, *settings: Any) -> Spans:
    """``rule`` along the height and along the width, with the settings of each."""
    rows, columns = ([_of(setting, axis) for setting in settings] for axis in (0, 1))
    return rule(spans[0], output.shape[2], *rows), rule(spans[1], output.shape[3], *columns)


def _of(setting: Any, axis: int) -> int:
    return setting if isinstance(setting, int) else int(setting[min(axis, len(setting) - 1)])


def _filled(given: Sequence[Any], defaults: tuple[Any, ...]) -> tuple[Any, ...]:
    """The arguments given, and the defaults of those left out."""
    return (*given, *defaults[len(given) :])


def _tensors(values: Any) -> list[Tensor]:
    """The tensors in the arguments of an operation, lists of them included."""
    found: list[Tensor] = []
    for value in values:
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, list | tuple):
            found += _tensors(value)
    return found
