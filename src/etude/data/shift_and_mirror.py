"""Pictures taken from a pool, mirrored and moved, in one gather; and flips that alternate from epoch to epoch."""

from __future__ import annotations

import torch
from torch import Tensor

from etude.core.seeds import derive_seed


def mirrored_in(epoch: int, count: int, seed: int) -> Tensor:
    """Which of ``count`` pictures are mirrored in ``epoch`` (from 0), bool ``[count]`` on the CPU.

    "Alternating flip" (Jordan 2024, arXiv:2404.00498): chance decides for the first epoch, and from then on each picture
    is mirrored in every other one. So two epochs show every picture both ways, where a coin for each epoch shows half of
    them the same way twice.
    """
    chance = torch.Generator().manual_seed(derive_seed(seed, "alternating-flip"))
    return (torch.rand(count, generator=chance) < 0.5) ^ (epoch % 2 == 1)


def shifts_in(epoch: int, count: int, seed: int, most: int) -> Tensor:
    """How far ``count`` pictures are moved down and to the right in ``epoch``, in pixels from ``-most`` to ``most``.

    Returns:
        int64 ``[2, count]`` on the CPU.
    """
    chance = torch.Generator().manual_seed(derive_seed(seed, "shift", epoch))
    return torch.randint(-most, most + 1, (2, count), generator=chance)


def shift_and_mirror(pool: Tensor, rows: Tensor, shifts: Tensor, mirrored: Tensor) -> Tensor:
    """Pictures of ``pool``, some mirrored, each moved by its own shift; at the edges it is reflected.

    One gather, whatever is asked for: on a GPU one kernel reads each pixel of the batch once.

    Args:
        pool: ``[n, channels, height, width]``, any type.
        rows: int64 ``[batch]``: which pictures; all on the device of ``pool``.
        shifts: int64 ``[2, batch]``, in pixels: down and right; shorter than the sides of a picture.
        mirrored: bool ``[batch]``: left and right are exchanged before the picture is moved.

    Returns:
        ``[batch, channels, height, width]``, with its channels innermost in memory.
    """
    height, width = pool.shape[2:]
    from_row = _reflected(_places(height, pool) - shifts[0].unsqueeze(1), height)  # [batch, height]
    from_column = _reflected(_places(width, pool) - shifts[1].unsqueeze(1), width)  # [batch, width]
    from_column = torch.where(mirrored.unsqueeze(1), width - 1 - from_column, from_column)
    chosen = rows.view(-1, 1, 1), from_row.unsqueeze(2), from_column.unsqueeze(1)
    return pool.permute(0, 2, 3, 1)[chosen].permute(0, 3, 1, 2)


def _places(length: int, like: Tensor) -> Tensor:
    return torch.arange(length, device=like.device)


def _reflected(places: Tensor, length: int) -> Tensor:
    """Places outside of ``length`` brought back as a mirror at the outermost pixels would, which are not repeated."""
    places = places.abs()
    return torch.minimum(places, 2 * (length - 1) - places)
