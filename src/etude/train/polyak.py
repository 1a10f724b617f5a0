"""The plain mean of the weights over the later part of a run."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from etude.train.averages import Average
from etude.train.recipe import Recipe


class PolyakAverage(Average):
    """The mean of everything with a fraction in ``modules`` over all steps from ``start`` on (Polyak & Juditsky 1992).

    It is what `torch.optim.ASGD` with ``t0=start`` keeps as ``ax`` but never puts into a model, and the running
    statistics of batch norms with it. Before that it is the present weights.

    Args:
        modules: what is averaged.
        start: the step (from 0) after which weights are averaged.
    """

    def __init__(self, modules: Mapping[str, nn.Module], start: int) -> None:
        super().__init__(modules, 1.0)
        self.start = start

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after update number ``step`` (from 1)."""
        share = 1.0 / max(1, step - 1 - self.start)
        torch._foreach_lerp_(list(self.tensors.values()), [t.detach() for t in self._live], share)


def choose_average(modules: Mapping[str, nn.Module], recipe: Recipe, total_steps: int) -> Average | None:
    """The average that is evaluated and kept: the one that ``ema`` asks for; for ASGD the mean over the second half."""
    if recipe.ema:
        return Average(modules, recipe.ema)
    return PolyakAverage(modules, total_steps // 2) if recipe.optimizer == "asgd" else None
