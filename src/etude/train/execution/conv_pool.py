"""A convolution with few channels, the 2×2 max-pooling after it and the ReLU after that, as one operation."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

_PHASES = ((0, 0), (0, 1), (1, 0), (1, 1))  # in the order in which max-pooling looks at its square


def conv_pool(
    inputs: Tensor, weight: Tensor, bias: Tensor | None, padding: tuple[int, int], relu: bool
) -> Tensor:
    """``max_pool2d(conv2d(inputs, weight, bias, padding=padding), 2)``, and the ReLU of that where ``relu`` is set.

    The four outputs that a square of the pooling chooses from are four convolutions of stride 2, whose kernels are
    the given one moved by a pixel. One convolution with four times the channels computes them all; the maximum is
    then that of four contiguous blocks. Few channels fill neither the registers in the convolution nor those in the
    pooling, so a LeNet's first layer takes a third of the time. Bias and ReLU come after the maximum, which
    does not mind, on a quarter of the numbers. Of equal ones the first gets the gradient, as in `max_pool2d`.

    Args:
        inputs: ``[batch, in_channels, height, width]``.
        weight: ``[out_channels, in_channels, kernel_height, kernel_width]``.
        bias: ``[out_channels]`` or None.
        padding: zeros around, in pixels.
        relu: whether a ReLU follows.

    Returns:
        ``[batch, out_channels, height // 2, width // 2]`` of the convolution's height and width, in the precision
        of autocast where that is on.
    """
    kind = inputs.device.type
    rounded = torch.is_autocast_enabled(kind)
    dtype = torch.get_autocast_dtype(kind) if rounded else inputs.dtype
    formats = {torch.float32, dtype} if rounded else {inputs.dtype}
    if inputs.ndim != 4 or not {inputs.dtype, weight.dtype} <= formats:
        outputs = F.max_pool2d(F.conv2d(inputs, weight, bias, padding=padding), 2)  # or torch's own error
        return F.relu(outputs) if relu else outputs
    return _ConvPool.apply(inputs, weight, bias, padding, relu, dtype)


class _ConvPool(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        inputs: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        padding: tuple[int, int],
        relu: bool,
        dtype: torch.dtype,
    ) -> Tensor:
        inputs = inputs.to(dtype=dtype, memory_format=torch.contiguous_format)
        kernels = _moved(weight, dtype)
        blocks = torch.conv2d(inputs, kernels, None, 2, padding)
        batch, channels, height, width = blocks.shape
        blocks = blocks.view(batch, 4, channels // 4 * height * width)
        upper = torch.maximum(blocks[:, 0], blocks[:, 1])
        lower = torch.maximum(blocks[:, 2], blocks[:, 3])
        outputs = torch.maximum(upper, lower).view(batch, channels // 4, height, width)
        if bias is not None:
            outputs += bias.to(dtype).view(-1, 1, 1)
        if relu:
            outputs.relu_()
        ctx.save_for_backward(inputs, kernels, blocks, upper, lower, outputs)
        ctx.padding, ctx.relu, ctx.has_bias = padding, relu, bias is not None
        ctx.size, ctx.exact = weight.shape, weight.dtype
        return outputs

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        inputs, kernels, blocks, upper, lower, outputs = ctx.saved_tensors
        gradient = gradient.contiguous()
        if ctx.relu:
            gradient = torch.ops.aten.threshold_backward(gradient, outputs, 0)
        of_bias = gradient.sum((0, 2, 3), dtype=ctx.exact) if ctx.has_bias else None
        of_blocks = _to_the_largest(gradient.flatten(1), blocks, upper, lower)
        batch, channels, height, width = gradient.shape
        of_inputs, of_kernels, _ = torch.ops.aten.convolution_backward(
            of_blocks.view(batch, 4 * channels, height, width), inputs, kernels, None, [2, 2], list(ctx.padding),
            [1, 1], False, [0, 0], 1, [ctx.needs_input_grad[0], True, False],
        )  # fmt: skip
        return of_inputs, _moved_back(of_kernels.to(ctx.exact), ctx.size), of_bias, None, None, None


def _moved(weight: Tensor, dtype: torch.dtype) -> Tensor:
    """The kernel at its four places in a square one pixel larger: ``[4 * out_channels, in_channels, k + 1, k + 1]``."""
    out_channels, in_channels, high, wide = weight.shape
    kernels = weight.new_zeros(4, out_channels, in_channels, high + 1, wide + 1, dtype=dtype)
    for phase, (down, right) in enumerate(_PHASES):
        kernels[phase, :, :, down : down + high, right : right + wide] = weight
    return kernels.view(-1, in_channels, high + 1, wide + 1)


def _moved_back(of_kernels: Tensor, size: torch.Size) -> Tensor:
    """The sum of what the kernel gets at its four places."""
    out_channels, in_channels, high, wide = size
    places = of_kernels.view(4, out_channels, in_channels, high + 1, wide + 1)
    total = places[0, :, :, :high, :wide].clone(memory_format=torch.contiguous_format)
    for phase, (down, right) in enumerate(_PHASES[1:], start=1):
        total += places[phase, :, :, down : down + high, right : right + wide]
    return total


def _to_the_largest(gradient: Tensor, blocks: Tensor, upper: Tensor, lower: Tensor) -> Tensor:
    """The gradient ``[batch, n]`` where each maximum was found, zeros elsewhere: ``[batch, 4, n]``."""
    spread = torch.empty_like(blocks)
    from_upper = gradient * (upper >= lower)
    from_lower = gradient - from_upper
    for half, first in ((from_upper, 0), (from_lower, 2)):
        torch.mul(half, blocks[:, first] >= blocks[:, first + 1], out=spread[:, first])
        torch.sub(half, spread[:, first], out=spread[:, first + 1])
    return spread
