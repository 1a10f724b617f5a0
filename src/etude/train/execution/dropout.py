"""Dropout whose chance comes by the byte."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

_WHOLE = 1 << 16


def dropout(inputs: Tensor, p: float) -> Tensor:
    """Zero each number with probability ``p`` and scale the others so that the expectation stays.

    torch draws one Bernoulli number for each element on one thread, which takes a fifth of the time of a small
    convolutional network. Here eight bytes come from each draw of the generator (the default one, so a resume goes on
    with it). A probability that is no multiple of 1/256 takes two bytes an element, and is met to within 1/131,072;
    the scale is that of the probability met.

    Args:
        inputs: any shape.
        p: from 0 up to, but not including, 1.
    """
    threshold = min(round(p * _WHOLE), _WHOLE - 1)
    return inputs if threshold == 0 else _Dropout.apply(inputs, threshold)


class _Dropout(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, threshold: int) -> Tensor:
        kept = _kept(inputs, threshold)
        ctx.save_for_backward(kept)
        ctx.scale = _WHOLE / (_WHOLE - threshold)
        return (inputs * kept).mul_(ctx.scale)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (kept,) = ctx.saved_tensors
        return (gradient * kept).mul_(ctx.scale), None


def _kept(inputs: Tensor, threshold: int) -> Tensor:
    """Whether each number stays, bool, laid out in memory as ``inputs`` so that both are read in order."""
    by_byte = threshold % 256 == 0
    count = inputs.numel()
    words = torch.empty(-(-count // (8 if by_byte else 4)), dtype=torch.int64)
    words.random_(torch.iinfo(torch.int64).min, None)  # all 64 bits, the sign too
    if by_byte:
        kept = words.view(torch.uint8)[:count] >= threshold // 256
    else:
        kept = words.view(torch.int16)[:count] >= threshold - _WHOLE // 2
    dense = inputs.is_contiguous() or (
        inputs.ndim == 4 and inputs.is_contiguous(memory_format=torch.channels_last)
    )
    return kept.as_strided(inputs.shape, inputs.stride()) if dense else kept.view(inputs.shape)
