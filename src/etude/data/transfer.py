"""Small tensors on their way to a GPU, without waiting for what it is doing."""

from __future__ import annotations

import torch
from torch import Tensor


def send(tensor: Tensor, device: torch.device | str) -> Tensor:
    """``tensor`` on ``device``.

    A copy to a CUDA device from ordinary memory waits until the GPU has done all that it was given before; one from
    pinned memory does not. torch keeps the pinned block until the copy is over, so that it may be forgotten at once.
    """
    device = torch.device(device)
    if device.type != "cuda" or tensor.is_cuda:
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)
