"""Whether the pictures of a data set lie on the device that trains on them, or come to it a batch at a time."""

from __future__ import annotations

from typing import Any

import torch

from etude.data.kept import KeptPictures
from etude.data.source import fits_gpu, fits_memory


def lie_on(images: Any, device: torch.device) -> bool:
    """Whether a `Source` holds ``images`` as a whole on ``device``, as far as the memory can be told beforehand.

    Args:
        images: uint8 ``[n, channels, height, width]``: an array, a memory map, or `KeptPictures`.
    """
    if device.type == "cpu":
        return True
    if isinstance(images, KeptPictures) or not fits_memory(images):
        return False
    return device.type != "cuda" or fits_gpu(images, device)
