"""Saliency: which pixels a network's answer hangs on, by its gradient and by hiding them.

Simonyan, Vedaldi & Zisserman (2014), "Deep Inside Convolutional Networks", section 3 (gradient); Smilkov et al. (2017),
"SmoothGrad: removing noise by adding noise"; Zeiler & Fergus (2014), "Visualizing and Understanding Convolutional Networks",
section 4.2 (occlusion).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from etude.core.errors import EtudeError
from etude.core.text import Text

Network = Callable[[Tensor], Tensor]
"""From inputs ``[n, channels, height, width]`` to logits ``[n, num_classes]``; in evaluation mode."""


def gradient_saliency(
    model: Network, inputs: Tensor, class_index: int, samples: int = 1, noise: float = 0.15, seed: int = 0
) -> np.ndarray:
    """How steeply the class's logit changes with each pixel: |d logit / d pixel|, the largest of the channels.

    Args:
        model: the network.
        inputs: ``[1, channels, height, width]``, normalised as in training.
        class_index: the class asked about.
        samples: gradients at so many noisy copies are averaged before the absolute value is taken (SmoothGrad); 1 takes the
            picture as it is.
        noise: the noise's standard deviation, as a share of the span from the darkest to the brightest pixel.
        seed: of the noise.

    Returns:
        float ``[height, width]``, in logits per unit of the normalised pixel.

    Raises:
        EtudeError: the inputs are not one picture.
    """
    _check_one(inputs)
    spread = noise * float(inputs.max() - inputs.min())
    chance = torch.Generator().manual_seed(seed)
    total = torch.zeros_like(inputs)
    for _ in range(samples):
        copy = inputs.detach().clone()
        if samples > 1:
            copy += spread * torch.randn(copy.shape, generator=chance).to(copy)
        copy.requires_grad_()
        with torch.enable_grad():
            logit = model(copy)[0, class_index]
            total += torch.autograd.grad(logit, copy)[0]
    return (total[0] / samples).abs().amax(0).cpu().double().numpy()


@dataclass(frozen=True)
class Occlusion:
    """What hiding parts of a picture does to a class's probability.

    Args:
        probability: of the class, with nothing hidden.
        hidden: float ``[rows, columns]``: its probability with the patch at each place hidden.
        tops, lefts: the first row and column of pixels of those patches.
        patch: their side, in pixels.
        drop: float ``[height, width]``: by how much the probability falls, averaged over the patches that hide a pixel.
    """

    probability: float
    hidden: np.ndarray
    tops: tuple[int, ...]
    lefts: tuple[int, ...]
    patch: int
    drop: np.ndarray

    @property
    def worst(self) -> tuple[int, int, float]:
        """First row and column of the patch whose hiding costs the most, and the probability it leaves."""
        row, column = np.unravel_index(self.hidden.argmin(), self.hidden.shape)
        return self.tops[row], self.lefts[column], float(self.hidden[row, column])


def occlusion(
    model: Network,
    inputs: Tensor,
    class_index: int,
    patch: int | None = None,
    stride: int | None = None,
    fill: float = 0.0,
    batch_size: int = 128,
) -> Occlusion:
    """The class's probability with one square patch after another hidden.

    Args:
        model: the network.
        inputs: ``[1, channels, height, width]``, normalised as in training.
        class_index: the class asked about.
        patch: side of the square in pixels; else a quarter of the shorter side.
        stride: pixels from one patch to the next; else a third of the patch. The last patches end at the picture's edge.
        fill: what hides: 0 is the mean colour of normalised pictures.
        batch_size: patches computed at a time.

    Raises:
        EtudeError: the inputs are not one picture, or the patch or the stride does not fit it.
    """
    _check_one(inputs)
    height, width = inputs.shape[2:]
    patch = max(round(min(height, width) / 4), 1) if patch is None else patch
    stride = max(patch // 3, 1) if stride is None else stride
    if not 1 <= patch <= min(height, width) or not 1 <= stride <= patch:
        raise EtudeError(
            en=f"The patch is {patch} pixels and the stride {stride}; the patch must be from 1 to {min(height, width)}, and the "
            "stride from 1 to the patch, so that every pixel is hidden once.",
            zh=f"遮挡块为 {patch} 像素，步幅为 {stride}；遮挡块须在 1 到 {min(height, width)} 之间，步幅须在 1 到遮挡块边长之间，"
            "这样每个像素都会被遮到。",
        )
    tops, lefts = _places(height, patch, stride), _places(width, patch, stride)
    corners = [(top, left) for top in tops for left in lefts]
    found = []
    with torch.no_grad():
        whole = float(model(inputs).float().softmax(1)[0, class_index])
        for start in range(0, len(corners), batch_size):
            some = corners[start : start + batch_size]
            copies = inputs.repeat(len(some), 1, 1, 1)
            for copy, (top, left) in zip(copies, some):
                copy[:, top : top + patch, left : left + patch] = fill
            found.append(model(copies).float().softmax(1)[:, class_index].cpu().double())
    hidden = torch.cat(found).numpy().reshape(len(tops), len(lefts))
    drop, times = np.zeros((height, width)), np.zeros((height, width))
    for (top, left), left_over in zip(corners, hidden.ravel()):
        drop[top : top + patch, left : left + patch] += whole - left_over
        times[top : top + patch, left : left + patch] += 1
    return Occlusion(whole, hidden, tops, lefts, patch, drop / times)


def _places(size: int, patch: int, stride: int) -> tuple[int, ...]:
    return tuple(sorted({*range(0, size - patch + 1, stride), size - patch}))


def _check_one(inputs: Tensor) -> None:
    if inputs.ndim != 4 or len(inputs) != 1:
        what = Text(en="one picture [1, channels, height, width]", zh="一张图片 [1, channels, height, width]")
        raise EtudeError(
            en=f"Saliency is of {what.en}; the inputs are {list(inputs.shape)}.",
            zh=f"显著图针对{what.zh}；给出的输入为 {list(inputs.shape)}。",
        )
