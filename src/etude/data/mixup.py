"""Pairs of examples mixed, pictures and labels alike (Zhang et al. 2018, "mixup: Beyond Empirical Risk Minimization")."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from etude.data.transfer import send


def mixing_shares(batch: int, chance: torch.Generator, alpha: float) -> Tensor:
    """How much of each example stays its own, float32 ``[batch]`` on the CPU, from Beta(alpha, alpha).

    Every example has its own share. (The paper's code draws one for a whole batch; its equation 2 speaks of pairs.)
    """
    # torch has no Beta distribution that takes a generator
    seed = int(torch.randint(2**63 - 1, (), generator=chance))
    return torch.from_numpy(np.random.default_rng(seed).beta(alpha, alpha, batch)).float()


def mixup(inputs: Tensor, labels: Tensor, shares: Tensor, num_classes: int) -> tuple[Tensor, Tensor]:
    """Mix each example with the one before it; the first with the last.

    A batch is in random order already, so its neighbours are random pairs, and none is mixed with itself.

    Args:
        inputs: float32 ``[batch, ...]``.
        labels: int64 ``[batch]``.
        shares: float32 ``[batch]``: how much of each example stays its own; the rest is its neighbour's.
        num_classes: of the data.

    Returns:
        the mixed inputs, in the layout of ``inputs``; and the share of each class, float32 ``[batch, num_classes]``.
    """
    shares = send(shares, inputs.device)
    before = torch.arange(-1, len(inputs) - 1, device=inputs.device) % len(inputs)
    own = shares.view(-1, *[1] * (inputs.ndim - 1))
    mixed = own * inputs + (1 - own) * inputs[before]
    classes = F.one_hot(labels, num_classes).float()
    return mixed, torch.lerp(classes[before], classes, shares.unsqueeze(1))
