"""A moving average of the weights, and putting it in their place for an evaluation."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn


class Average:
    """The exponential moving average of everything with a fraction in ``modules`` (Polyak & Juditsky 1992).

    The decay rises with the steps taken, ``min(decay, (1 + t) / (10 + t))``, so that the start is forgotten.
    Running statistics of batch norms are averaged with the weights.
    """

    def __init__(self, modules: Mapping[str, nn.Module], decay: float) -> None:
        self.decay = decay
        self._live = list(named_tensors(modules, fractions_only=True).values())
        self.tensors = {
            name: t.detach().clone() for name, t in named_tensors(modules, fractions_only=True).items()
        }

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after update number ``step`` (from 1)."""
        share = 1.0 - min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(list(self.tensors.values()), self._live, share)

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Inside this block the modules compute with the average."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def _swap(self) -> None:
        for live, mean in zip(self._live, self.tensors.values()):
            held = live.detach().clone()
            live.copy_(mean)
            mean.copy_(held)


def named_tensors(modules: Mapping[str, nn.Module], fractions_only: bool = False) -> dict[str, Tensor]:
    """Parameters and buffers that a checkpoint keeps, as ``part/name``; tied ones once, by their first name."""
    seen: set[int] = set()
    found: dict[str, Tensor] = {}
    for part, module in modules.items():
        for name, tensor in module.state_dict(keep_vars=True).items():
            if id(tensor) in seen or (fractions_only and not tensor.is_floating_point()):
                continue
            seen.add(id(tensor))
            found[f"{part}/{name}"] = tensor
    return found


@torch.no_grad()
def load_named(modules: Mapping[str, nn.Module], saved: Mapping[str, Tensor]) -> None:
    """Copy what `named_tensors` gave back into place, keeping each tensor's layout."""
    for name, tensor in named_tensors(modules).items():
        if name in saved:
            tensor.copy_(saved[name])
