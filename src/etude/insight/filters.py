"""The weights that look at the picture itself, in the picture's own shape; and the kernels of deeper layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from etude.core.errors import EtudeError
from etude.insight.calls import Call, find_call, record_calls
from etude.models.summary import evaluation_mode


@dataclass(frozen=True)
class Filters:
    """The weights of one layer.

    Args:
        layer: its name.
        weights: float32 ``[units, channels, height, width]``: of a convolution its kernels, of a fully connected first layer
            its weights laid out as the picture is.
        responses: float32 ``[units, height, width]``: what each kernel of a convolution makes of the picture given, before
            norm and activation; None without a picture.
        fully_connected: whether every unit looks at the whole picture.
        says_classes: whether the units are the classes: the network has no other layer.
    """

    layer: str
    weights: np.ndarray
    responses: np.ndarray | None
    fully_connected: bool
    says_classes: bool = False


def find_filters(
    model: nn.Module, input_shape: Sequence[int], layer: str | None = None, inputs: Tensor | None = None
) -> Filters:
    """The weights of ``layer``; without it, of the first layer with any.

    Args:
        model: takes ``[batch, *input_shape]``.
        input_shape: ``(channels, height, width)``.
        layer: the name of a convolution, or of a linear layer that takes the picture's pixels.
        inputs: ``[1, *input_shape]``, a picture to try the kernels on.

    Raises:
        EtudeError: there is no such layer, or its weights cannot be drawn as pictures.
    """
    shape = tuple(int(size) for size in input_shape)
    picture = torch.rand(1, *shape, generator=torch.Generator().manual_seed(0)) if inputs is None else inputs
    with evaluation_mode(model), torch.no_grad():
        calls = record_calls(model, lambda: model(picture))
    drawable = [call for call in calls if _weights(call, picture) is not None]
    if layer is None and not drawable:
        raise EtudeError(
            en=f"{type(model).__name__} has no convolution and no linear layer on the pixels; there are no filters to draw.",
            zh=f"{type(model).__name__} 没有卷积层，也没有直接作用于像素的线性层；没有可以绘制的滤波器。",
        )
    call = drawable[0] if layer is None else find_call(calls, layer)
    weights = _weights(call, picture)
    if weights is None:
        names = ", ".join(each.name for each in drawable)
        raise EtudeError(
            en=f"{call.name} is a {type(call.module).__name__}, whose weights are no pictures; choose one of: {names}.",
            zh=f"{call.name} 是 {type(call.module).__name__}，其权重无法画成图；可选：{names}。",
        )
    connected = isinstance(call.module, nn.Linear)
    responses = call.gave[0].float().cpu().numpy() if inputs is not None and call.is_map else None
    alone = sum(isinstance(module, nn.Linear | nn.Conv2d) for module in model.modules()) == 1
    return Filters(call.name, weights.float().cpu().numpy(), responses, connected, connected and alone)


def _weights(call: Call, picture: Tensor) -> Tensor | None:
    """As ``[units, channels, height, width]``, or None where they are no pictures."""
    module = call.module
    if isinstance(module, nn.Conv2d):
        return module.weight.detach()
    # a later layer may happen to have as many inputs as there are pixels
    if isinstance(module, nn.Linear) and call.given is not None and torch.equal(call.given, picture.flatten(1)):
        return module.weight.detach().reshape(-1, *picture.shape[1:])
    return None
