"""What a model is made of and what it costs: layers, parameters, FLOPs.

Nothing is computed: the model runs once on the meta device, where tensors have shapes and no content. One
multiply-add counts as 2 FLOPs, and as in the literature only convolutions and matrix products are counted.
(Papers often state multiply-adds: ResNet-18's "1.8 billion FLOPs" are 3.6 billion here.)
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils.flop_counter import FlopCounterMode

from etude.models.entry import Shape


@dataclass(frozen=True)
class LayerRow:
    """One call of one layer.

    Args:
        name: the layer's place in the model, such as ``layer1.0.conv2``; empty for the model itself.
        kind: its type and, where it has one, its kernel: ``Conv2d 5×5``.
        output_shape: of one example, without the batch; empty for a layer that runs in training only.
        parameters: trainable or not; 0 where a row above already has them.
        flops: of one example, forward; one multiply-add is 2.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...]
    parameters: int
    flops: int


def count(model: nn.Module, input_shape: Shape) -> tuple[int, int]:
    """Parameters (shared ones once) and forward FLOPs for one example, in evaluation mode.

    Args:
        input_shape: ``(channels, height, width)`` of an image, or ``(num_features,)`` of a row of a table.
    """
    return sum(p.numel() for p in model.parameters()), _run_on_meta(model, input_shape).get_total_flops()


def layer_table(model: nn.Module, input_shape: Shape) -> list[LayerRow]:
    """A row for each call of each layer, in the order in which they finish.

    A module has a row if it has no submodules, or parameters or FLOPs of its own; the FLOPs of the rows add up to
    those of `count`, and their parameters too. Layers written as functions (``F.relu``) have no parameters and no
    FLOPs, and no row. Last come the layers with parameters that only training uses, such as those of an auxiliary
    classifier: their ``output_shape`` is empty.
    """
    rows: list[LayerRow] = []
    seen: set[int] = set()
    # for each module now running: all FLOPs when it began, and those of its finished parts on top
    began: list[int] = []
    parameters = {module: list(module.parameters(recurse=False)) for module in model.modules()}
    counter = FlopCounterMode(display=False)

    def before(module: nn.Module, inputs: Any) -> None:
        began.append(counter.get_total_flops())

    def after(name: str, module: nn.Module, inputs: Any, output: Any) -> None:
        total = counter.get_total_flops()
        own = total - began.pop()
        new = {id(p): p.numel() for p in parameters[module] if id(p) not in seen}
        seen.update(new)
        leaf = next(module.children(), None) is None
        if (leaf and not _does_nothing(module)) or new or own:
            rows.append(LayerRow(name, _kind(module), _shape(output), sum(new.values()), own))
        began[:] = [mark + own for mark in began]

    handles = []
    try:
        for name, module in model.named_modules():
            handles.append(module.register_forward_pre_hook(before))
            handles.append(module.register_forward_hook(lambda *args, name=name: after(name, *args)))
        _run_on_meta(model, input_shape, counter)
    finally:
        for handle in handles:
            handle.remove()
    for name, module in model.named_modules():
        left = {id(p): p.numel() for p in parameters[module] if id(p) not in seen}
        if left:
            seen.update(left)
            rows.append(LayerRow(name, _kind(module), (), sum(left.values()), 0))
    return rows


def _run_on_meta(
    model: nn.Module, input_shape: Shape, counter: FlopCounterMode | None = None
) -> FlopCounterMode:
    counter = counter or FlopCounterMode(display=False)
    state = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    shadows = {name: tensor.detach().to("meta") for name, tensor in state.items()}
    image = torch.empty(1, *input_shape, device="meta")
    # eval: batch normalisation cannot take the statistics of one example of one pixel
    with evaluation_mode(model), torch.no_grad(), counter:
        functional_call(model, shadows, (image,))
    return counter


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Evaluation mode, with every module's own mode put back afterwards."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


def _does_nothing(module: nn.Module) -> bool:
    return isinstance(module, nn.Identity) or (isinstance(module, nn.Dropout) and module.p == 0)


def _kind(module: nn.Module) -> str:
    kind = type(module).__name__
    kernel = getattr(module, "kernel_size", None)
    if kernel is not None:
        kind += " " + "×".join(
            str(size) for size in (kernel if isinstance(kernel, tuple) else (kernel, kernel))
        )
        stride = getattr(module, "stride", 1)
        first = stride[0] if isinstance(stride, tuple) else stride
        if first != 1 and "Pool" not in kind:
            kind += f", stride {first}"
    return kind


def _shape(output: Any) -> tuple[int, ...]:
    while isinstance(output, list | tuple):
        output = output[0]
    return tuple(output.shape[1:]) if isinstance(output, Tensor) else ()
