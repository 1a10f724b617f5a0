"""Slow weights that follow the fast ones and take them back to themselves every few steps."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from etude.train.averages import Average

EVERY = 5  # steps
_DECAY = 0.95**EVERY  # at the end of the run; the slow weights move by the rest


class Lookahead(Average):
    """Zhang et al. (2019), "Lookahead Optimizer: k steps forward, 1 step back", for short runs.

    Every fifth step the slow weights go a share of the way to the present ones, and training goes on from there. At
    the start the share is all of the way, at the end 23 %: the decay grows as the cube of the part of the run that is
    over (Jordan 2024, arXiv:2404.00498, "Optimization tricks"). The slow weights are those that are evaluated and kept.
    Running statistics of norms are treated as the weights are.

    Args:
        modules: what is trained.
        total_steps: updates of the whole run.
    """

    def __init__(self, modules: Mapping[str, nn.Module], total_steps: int) -> None:
        super().__init__(modules, _DECAY)
        self.total_steps = total_steps

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after update number ``step`` (from 1), and put the slow ones in their place."""
        if step % EVERY:
            return
        share = 1.0 - self.decay * (step / self.total_steps) ** 3
        slow, fast = list(self.tensors.values()), [t.detach() for t in self._live]
        torch._foreach_lerp_(slow, fast, share)
        torch._foreach_copy_(fast, slow)
