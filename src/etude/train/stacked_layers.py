"""The layers of many networks of one structure in one pass: batched products, grouped convolutions.

Vectors of all members lie as ``[members, n, features]``, pictures with the members side by side among the
channels, ``[n, members·channels, height, width]``: pooling and activations then need no change, a linear
layer is one batched product, and a convolution is one with a group for each member.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn


class Unstackable(Exception):
    """Something that is not among the layers known here; `etude.train.stacked` then maps the lone network."""


class Value(NamedTuple):
    """What flows between layers; ``shared`` marks pictures ``[n, channels, h, w]`` that all members see alike."""

    tensor: Tensor
    shared: bool = False


@dataclass(frozen=True)
class Pass:
    """One pass: how many members, their stacked parameters and buffers by name, and the mode."""

    members: int
    tensors: Mapping[str, Tensor]
    training: bool


Layer = Callable[..., Value]


class StackedLayers:
    """A network of known layers, computed for all members at once.

    Args:
        model: the structure; its own weights are not used.
        drops: the dropout probabilities ``[members]`` of each `nn.Dropout`, by its name.

    Raises:
        Unstackable: it holds something that is not known here.
    """

    def __init__(self, model: nn.Module, drops: Mapping[str, Tensor]) -> None:
        self._steps: list[tuple[str, Layer, list[str]]] = []
        self._output = ""
        root = nn.Sequential()
        root.add_module("model", model)  # so that a model that is one layer is traced as a layer
        for node in _graph(root):
            if node.op == "placeholder":
                self._input = node.name
            elif node.op == "output":
                self._output = getattr(node.args[0], "name", "")
            else:
                self._steps.append((node.name, _layer_of(node, root, drops), [a.name for a in _inputs(node)]))
        if not self._output:
            raise Unstackable("the output is not one tensor")

    def __call__(self, run: Pass, inputs: Tensor, shared: bool) -> Tensor:
        """Outputs ``[members, n, …]`` for inputs ``[members, n, …]``, or ``[n, …]`` where ``shared``.

        Raises:
            Unstackable: inputs are neither vectors nor pictures, or a layer meets what it does not expect.
        """
        values = {self._input: _enter(run, inputs, shared)}
        for name, layer, given in self._steps:
            values[name] = layer(run, *(values[g] for g in given))
        return _leave(run, values[self._output])


def _graph(root: nn.Module) -> list[fx.Node]:
    """The layers in order. A forward pass that asks for the mode, or for the data, cannot be told beforehand."""
    if any(module._forward_hooks or module._forward_pre_hooks for module in root.modules()):
        raise Unstackable("it has hooks")
    was_training = root.training
    codes, graph = set(), fx.Graph()
    try:
        for mode in (False, True):
            graph = fx.Tracer().trace(root.train(mode))
            codes.add(str(graph))
    except Exception as error:  # fx raises many kinds: all mean that it could not follow the forward pass
        raise Unstackable(str(error)) from error
    finally:
        root.train(was_training)
    if len(codes) > 1 or sum(node.op == "placeholder" for node in graph.nodes) != 1:
        raise Unstackable("its forward pass depends on the mode, or takes more than the inputs")
    return list(graph.nodes)


def _inputs(node: fx.Node) -> list[fx.Node]:
    return [argument for argument in node.args if isinstance(argument, fx.Node)]


def _layer_of(node: fx.Node, root: nn.Module, drops: Mapping[str, Tensor]) -> Layer:
    if node.op == "call_module":
        layer, name = root.get_submodule(str(node.target)), str(node.target).removeprefix("model.")
        if str(node.target) == "model":
            name = ""
        prefix = f"{name}." if name else ""
        if type(layer) is nn.Dropout:
            return lambda run, x: _dropout(run, x, drops[name])
        if type(layer) in _POINTWISE:
            return lambda run, x: Value(layer(x.tensor), x.shared)
        if type(layer) in _POOLING:
            return lambda run, x: Value(layer(_pictures(x)), x.shared)
        if type(layer) in _LEARNING:
            compute = _LEARNING[type(layer)]
            return lambda run, x: compute(run, x, layer, prefix)
        if type(layer) is nn.Flatten and (layer.start_dim, layer.end_dim) == (1, -1):
            return _flatten
    elif node.op in ("call_function", "call_method"):
        plain = len(node.args) == 1 and set(node.kwargs) <= {"inplace"}
        if node.target in _FUNCTIONS and plain:
            function = _FUNCTIONS[node.target]
            return lambda run, x: Value(function(x.tensor), x.shared)
        if node.target in (torch.flatten, "flatten") and node.args[1:] == (1,) and not node.kwargs:
            return _flatten
        if node.target in (operator.add, torch.add) and len(_inputs(node)) == 2 and not node.kwargs:
            return _add
    raise Unstackable(f"{node.op} {node.target}")


def _enter(run: Pass, inputs: Tensor, shared: bool) -> Value:
    if inputs.ndim == (2 if shared else 3):
        return Value(inputs.expand(run.members, -1, -1) if shared else inputs)
    if inputs.ndim != (4 if shared else 5):
        raise Unstackable("neither vectors nor pictures")
    pictures = inputs if shared else inputs.transpose(0, 1).flatten(1, 2)
    return Value(_innermost(pictures), shared)


def _innermost(pictures: Tensor) -> Tensor:
    """Channels innermost in memory: with the members among them there are many, and every kernel runs along them."""
    return pictures.contiguous(memory_format=torch.channels_last)


def _leave(run: Pass, x: Value) -> Tensor:
    if x.tensor.ndim == 3:
        return x.tensor
    return _apart(run, x).tensor.unflatten(1, (run.members, -1)).transpose(0, 1)


def _apart(run: Pass, x: Value) -> Value:
    """Each member with a copy of its own of what was shared."""
    return Value(_innermost(x.tensor.repeat(1, run.members, 1, 1))) if x.shared else x


def _pictures(x: Value) -> Tensor:
    if x.tensor.ndim != 4:
        raise Unstackable("not pictures")
    return x.tensor


def _vectors(x: Value) -> Tensor:
    if x.tensor.ndim != 3:
        raise Unstackable("not vectors")
    return x.tensor


def _flatten(run: Pass, x: Value) -> Value:
    if x.tensor.ndim == 3:
        return x
    if x.shared:
        return Value(x.tensor.flatten(1).expand(run.members, -1, -1))
    return Value(x.tensor.reshape(len(x.tensor), run.members, -1).transpose(0, 1))


def _add(run: Pass, a: Value, b: Value) -> Value:
    if a.shared != b.shared:
        a, b = _apart(run, a), _apart(run, b)
    if a.tensor.shape != b.tensor.shape:
        raise Unstackable("a sum of different shapes")
    return Value(a.tensor + b.tensor, a.shared)


def _dropout(run: Pass, x: Value, drops: Tensor) -> Value:
    if not run.training or not drops.any():
        return x
    x = _apart(run, x)
    if (drops == drops[0]).all():
        return Value(F.dropout(x.tensor, float(drops[0]), training=True))
    keep = (1 - drops).to(x.tensor)
    shape = (-1, 1, 1) if x.tensor.ndim == 3 else (1, -1, 1, 1)
    if x.tensor.ndim == 4:
        keep = keep.repeat_interleave(x.tensor.shape[1] // run.members)
    return Value(drop_by_member(x.tensor, keep.view(shape)))


def drop_by_member(x: Tensor, keep: Tensor) -> Tensor:
    """``x`` with each number kept with probability ``keep`` (broadcast) and scaled by its inverse, else zero."""
    kept = torch.rand_like(x) < keep
    return torch.where(kept, x / keep, torch.zeros_like(x))


def _linear(run: Pass, x: Value, layer: nn.Linear, prefix: str) -> Value:
    # W·xᵀ, seen transposed: with the batch innermost small products, and those with few outputs, are faster
    weight, columns = run.tensors[prefix + "weight"], _vectors(x).mT
    if layer.bias is None:
        return Value(torch.bmm(weight, columns).mT)
    return Value(torch.baddbmm(run.tensors[prefix + "bias"].unsqueeze(2), weight, columns).mT)


def _conv2d(run: Pass, x: Value, layer: nn.Conv2d, prefix: str) -> Value:
    if layer.padding_mode != "zeros":
        raise Unstackable("padding_mode")
    weight = run.tensors[prefix + "weight"].flatten(0, 1)
    bias = None if layer.bias is None else run.tensors[prefix + "bias"].flatten()
    pictures, groups = _pictures(_apart(run, x)), run.members * layer.groups
    padding: Any = layer.padding
    return Value(F.conv2d(pictures, weight, bias, layer.stride, padding, layer.dilation, groups))


def _batch_norm(run: Pass, x: Value, layer: nn.BatchNorm1d | nn.BatchNorm2d, prefix: str) -> Value:
    if layer.momentum is None or (x.tensor.ndim == 3) != isinstance(layer, nn.BatchNorm1d):
        raise Unstackable("a running mean without momentum, or an unexpected shape")
    names = ("running_mean", "running_var", "weight", "bias")
    mean, variance, weight, bias = (
        None if getattr(layer, name) is None else run.tensors[prefix + name].flatten() for name in names
    )
    if run.training and mean is not None:
        run.tensors[prefix + "num_batches_tracked"].add_(1)
    tensor = _apart(run, x).tensor
    if tensor.ndim == 3:
        tensor = tensor.transpose(0, 1).flatten(1)
    by_batch = run.training or mean is None
    tensor = F.batch_norm(tensor, mean, variance, weight, bias, by_batch, layer.momentum, layer.eps)
    if tensor.ndim == 2:
        tensor = tensor.unflatten(1, (run.members, -1)).transpose(0, 1)
    return Value(tensor)


_POINTWISE = {nn.ReLU, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Softplus, nn.Tanh, nn.Sigmoid, nn.Identity}
_POOLING = {nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d}
_LEARNING: dict[type[nn.Module], Callable[..., Value]] = {
    nn.Linear: _linear,
    nn.Conv2d: _conv2d,
    nn.BatchNorm1d: _batch_norm,
    nn.BatchNorm2d: _batch_norm,
}
_FUNCTIONS: dict[Any, Callable[[Tensor], Tensor]] = {
    torch.relu: torch.relu, F.relu: torch.relu, "relu": torch.relu,
    torch.tanh: torch.tanh, F.tanh: torch.tanh, "tanh": torch.tanh,
    torch.sigmoid: torch.sigmoid, F.sigmoid: torch.sigmoid, "sigmoid": torch.sigmoid,
}  # fmt: skip
