"""JPEG by torchvision's decoder: the same pixels as Pillow's (both are libjpeg-turbo), a fifth faster, no copies after."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

_UNCHANGED, _GREY, _COLOUR = 0, 1, 3  # torchvision.io.ImageReadMode


def decode_jpeg(content: bytes, channels: int) -> np.ndarray | None:
    """The pixels of a JPEG file in grey or YCbCr, not turned: uint8 ``[height, width, channels]``.

    Returns:
        the pixels; None where torchvision cannot decode it, or cannot be found.
    """
    decode = _decoder()
    if decode is None:
        return None
    import torch

    with contextlib.suppress(RuntimeError):
        data = torch.frombuffer(bytearray(content), dtype=torch.uint8)
        pixels = decode(data, _GREY if channels == 1 else _COLOUR, False)
        return pixels.permute(1, 2, 0).contiguous().numpy()
    return None


@functools.cache
def _decoder() -> Callable[..., Any] | None:
    """The operator out of torchvision's library; importing the package would take a second."""
    found = importlib.util.find_spec("torchvision")
    if found is None or not found.origin:
        return None
    import torch

    for library in Path(found.origin).parent.glob("image*"):
        if library.suffix in (".so", ".pyd", ".dylib"):
            with contextlib.suppress(OSError, AttributeError, RuntimeError):
                torch.ops.load_library(str(library))
                return torch.ops.image.decode_jpeg
    return None
