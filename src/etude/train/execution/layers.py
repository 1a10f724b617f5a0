"""Layers laid out or rounded in another way than the rest of the network, where that is faster."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def conv_contiguous(
    inputs: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
    groups: int,
) -> Tensor:
    """`F.conv2d` with channels outermost: with few input channels their gradient takes half the time so."""
    return F.conv2d(inputs.contiguous(), weight.contiguous(), bias, stride, padding, dilation, groups)


def max_pool_channels_last(inputs: Tensor, kernel_size: int, stride: int) -> Tensor:
    """`F.max_pool2d` with channels innermost: with 8 channels or more that is several times as fast, a copy included."""
    if inputs.ndim == 4:  # else one picture, without a batch
        inputs = inputs.contiguous(memory_format=torch.channels_last)
    return F.max_pool2d(inputs, kernel_size, stride)


def linear_float32(inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """`F.linear` outside autocast: to round a small matrix to bf16, and its gradient back, takes longer than it saves."""
    with torch.autocast(inputs.device.type, enabled=False):
        return F.linear(inputs.to(weight.dtype), weight, bias)
