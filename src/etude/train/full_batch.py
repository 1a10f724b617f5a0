"""Optimisers that compare one step with the next, and so want the whole training part in each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn


class LBFGS(torch.optim.LBFGS):
    """`torch.optim.LBFGS` with a line search that keeps the strong Wolfe conditions (Nocedal & Wright 2006, ch. 3 and 7).

    One step is up to 20 iterations, each of which evaluates the loss once or a few times. All evaluations of a step draw
    the same random numbers (the same units are dropped), so that they are of one function; batch norms move their running
    statistics in each. If an evaluation raises, parameters and memory are put back to what they were before the step.

    Args:
        parameters: all that is trained.
        weight_decay: those of two or more dimensions are pulled to zero by a penalty of ``weight_decay / 2 · |w|²``.
        options: those of `torch.optim.LBFGS`.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], weight_decay: float = 0.0, **options: Any) -> None:
        self._parameters = list(parameters)
        self._decayed = [p for p in self._parameters if p.ndim >= 2]
        self._weight_decay = weight_decay
        super().__init__(self._parameters, line_search_fn="strong_wolfe", **options)

    def step(self, closure: Callable[[], Tensor]) -> Tensor:  # type: ignore[override]
        """Some iterations.

        Args:
            closure: sets the gradients to zero, computes the loss and its gradients; the loss, detached.

        Returns:
            the loss before the step, without the penalty.
        """
        before = [p.detach().clone() for p in self._parameters]
        memory = self._remembered()
        device = self._parameters[0].device
        chance = _chance(device)
        losses: list[Tensor] = []

        def objective() -> Tensor:
            if losses:
                _put_chance(chance, device)
            losses.append(closure())
            return losses[-1] + add_penalty(self._decayed, self._weight_decay)

        try:
            super().step(objective)
        except BaseException:
            self._put_back(before, memory)
            raise
        return losses[0]

    def _remembered(self) -> dict[str, Any]:
        # what torch changes in place: the lists, and the gradient of the step before
        memory = dict(self.state[self._parameters[0]])
        for name, value in memory.items():
            if isinstance(value, list):
                memory[name] = list(value)
        if isinstance(memory.get("prev_flat_grad"), Tensor):
            memory["prev_flat_grad"] = memory["prev_flat_grad"].clone()
        return memory

    @torch.no_grad()
    def _put_back(self, before: list[Tensor], memory: dict[str, Any]) -> None:
        for parameter, value in zip(self._parameters, before):
            parameter.copy_(value)
        self.state[self._parameters[0]] = memory


class Rprop(torch.optim.Rprop):
    """`torch.optim.Rprop` (Riedmiller & Braun 1993) with an L2 penalty, which torch's has not.

    The learning rate is the first step of every parameter; from then on each grows or shrinks by itself.

    Args:
        groups: each with its own ``weight_decay``.
        options: those of `torch.optim.Rprop`.
    """

    def __init__(self, groups: list[dict[str, Any]], **options: Any) -> None:
        super().__init__(groups, **options)

    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            add_penalty(group["params"], group.get("weight_decay", 0.0))
        return super().step(closure)


@torch.no_grad()
def add_penalty(parameters: Sequence[Tensor], weight_decay: float) -> Tensor | float:
    """Add the gradient of ``weight_decay / 2 · |w|²`` to those of ``parameters``; the penalty itself."""
    learnt = [p for p in parameters if p.grad is not None]
    if not weight_decay or not learnt:
        return 0.0
    for parameter in learnt:
        parameter.grad.add_(parameter, alpha=weight_decay)  # type: ignore[union-attr]
    return weight_decay / 2 * torch.stack([p.square().sum() for p in learnt]).sum()


def _chance(device: torch.device) -> list[Tensor]:
    """The states of the generators that layers draw from."""
    states = [torch.get_rng_state()]
    return [*states, torch.cuda.get_rng_state(device)] if device.type == "cuda" else states


def _put_chance(states: list[Tensor], device: torch.device) -> None:
    torch.set_rng_state(states[0])
    if len(states) > 1:
        torch.cuda.set_rng_state(states[1], device)
