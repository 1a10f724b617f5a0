"""A network asked several times about each picture, in slightly different forms."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class TestTimeAugmentation(nn.Module):
    """The mean of the logits of a picture and its mirror image, and of both moved by a pixel.

    As in Jordan (2024), arXiv:2404.00498, "Multi-crop evaluation": six forms, of which the two that were not moved have
    half of the weight. It costs six evaluations in place of one.

    Args:
        model: maps pictures ``[n, channels, height, width]`` to logits ``[n, num_classes]``.
        pixels: how far the picture is moved, up and to the left and then down and to the right, its edges mirrored;
            0: it is not moved.
    """

    __test__ = False  # no test, whatever pytest makes of the name

    def __init__(self, model: nn.Module, pixels: int = 1) -> None:
        super().__init__()
        self.model, self.pixels = model, pixels

    def forward(self, x: Tensor) -> Tensor:
        if self.pixels == 0:
            return self._mirrored(x)
        height, width = x.shape[2:]
        around = F.pad(x, (self.pixels,) * 4, "reflect")  # [n, channels, height + 2 pixels, width + 2 pixels]
        first, last = around[:, :, :height, :width], around[:, :, -height:, -width:]
        return self._mirrored(x) / 2 + (self._mirrored(first) + self._mirrored(last)) / 4  # [n, num_classes]

    def _mirrored(self, x: Tensor) -> Tensor:
        return (self.model(x) + self.model(x.flip(-1))) / 2  # [n, num_classes]
