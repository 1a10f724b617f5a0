"""The update of torch's fused optimisers without what surrounds it, which for small networks takes most of the time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import is_
from typing import Any

import torch
from torch import Tensor

from etude.train.fused_kernels import Call, Group, is_plain, kind_of

_TRIED = 37  # elements of a tensor that is tried: some vectors of every width, and a rest

Memory = dict[str, Any]


class FusedUpdate:
    """The update of torch's fused SGD, Adam, AdamW or Adagrad, from lists made once.

    The kernels are those that ``optimizer.step()`` calls, on the same tensors, with the settings that stand in the
    groups at that moment: the results are equal bit for bit, and checkpoints do not know of it. Left out are the
    profiler's records, hooks, the marks for torch's compiler, and the gathering and sorting of tensors. On a CPU
    the counts of steps are made views of one tensor, so that one addition advances them all.

    Parameters without a gradient are skipped. The optimiser itself steps where it has memory to make: at first, and when
    a parameter has its first gradient. Memory that is replaced (by ``load_state_dict`` or ``optimizer.state[p] = …``)
    and groups that are added are noticed; single tensors in it are to be changed in place, and neither hooks nor a
    setting that `suits` refuses may come later.

    Args:
        optimizer: one that `suits`.

    Raises:
        TypeError: its step is not one of those torch has a fused kernel for.
    """

    _params: list[Tensor]
    _plan: _Plan | None

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        kind = kind_of(optimizer)
        if kind is None:
            raise TypeError(f"the step of {type(optimizer).__name__} has no fused kernel of torch's")
        self._optimizer, self._kind = optimizer, kind
        self._look_over()

    @classmethod
    def suits(cls, optimizer: torch.optim.Optimizer) -> bool:
        """Whether this makes the update of ``optimizer``: one of the four, fused, with nothing out of the ordinary.

        The kernels are private to torch, so a few small tensors are updated both ways first, with the same settings on
        the same device. Where that raises or the results differ, as they may in a later torch, the answer is no.
        """
        try:
            return kind_of(optimizer) is not None and is_plain(optimizer) and _agrees(optimizer)
        except Exception:  # whatever a later torch objects to, its own step can still be used
            return False

    @torch.no_grad()
    def step(self) -> None:
        """Update every parameter that has a gradient, as ``optimizer.step()`` does."""
        if self._is_outdated():
            self._look_over()
        gradients = [p.grad for p in self._params]
        present = [g for g in gradients if g is not None]
        having = None if len(present) == len(gradients) else [g is not None for g in gradients]
        if self._plan is None or having != self._plan.having:
            self._plan = self._make_plan(having)
        if self._plan is None:
            self._optimizer.step()
            return
        self._run(self._plan, present)

    def zero_grad(self) -> None:
        """Let no parameter have a gradient."""
        for p in self._params:
            p.grad = None

    def _run(self, plan: _Plan, gradients: list[Tensor]) -> None:
        scale, found_inf = self._flag("grad_scale"), self._flag("found_inf")
        if plan.count is not None:
            plan.count.add_(1)
        elif plan.steps:
            torch._foreach_add_(plan.steps, 1)
        end = 0
        for call in plan.calls:
            start, end = end, end + len(call.params)
            self._kind.run(call, gradients[start:end], scale, found_inf)
        if found_inf is not None and plan.steps:  # it is 1 where the kernels left everything as it was
            torch._foreach_sub_(plan.steps, [found_inf] * len(plan.steps))

    def _flag(self, name: str) -> Tensor | None:
        value = getattr(self._optimizer, name, None)
        return None if value is None else value.to(self._params[0].device, non_blocking=True)

    def _look_over(self) -> None:
        """Take in the optimiser's groups and memories as they are now."""
        optimizer = self._optimizer
        self._groups, self._group_count = optimizer.param_groups, len(optimizer.param_groups)
        self._memories = list(optimizer.state.values())
        self._plan = None
        self._count: Tensor | None = None
        self._params = [p for group in self._groups for p in group["params"]]
        self._on_cpu = all(p.device.type == "cpu" for p in self._params)

    def _is_outdated(self) -> bool:
        optimizer, state = self._optimizer, self._optimizer.state
        return (
            optimizer.param_groups is not self._groups
            or len(self._groups) != self._group_count
            or len(state) != len(self._memories)
            or not all(map(is_, state.values(), self._memories))
            or (self._plan is not None and not self._plan.remembers(self._kind.keys))
        )

    def _make_plan(self, having: list[bool] | None) -> _Plan | None:
        """The calls for the parameters that have a gradient; None while the optimiser lacks memory of one of them."""
        marks = iter(having or [True] * len(self._params))
        parts = [(group, [p for p in group["params"] if next(marks)]) for group in self._groups]
        state, counts, calls = self._optimizer.state, self._kind.counts, []
        for group, params in parts:
            needed = {*self._kind.keys(group), *(["step"] if counts else [])}
            if any(needed - state.get(p, {}).keys() for p in params):
                return None
        if counts and having is None and self._count is None and self._on_cpu:
            self._count = _in_one([state[p] for p in self._params])
        for group, params in parts:
            keys = self._kind.keys(group)
            memory = [[state[p][key] for p in params] for key in keys]
            calls.append(
                Call(group, params, keys, memory, [state[p]["step"] for p in params] if counts else [])
            )
        return _Plan(
            having,
            [call for call in calls if call.params],
            [step for call in calls for step in call.steps],
            self._count if having is None else None,
        )


@dataclass(frozen=True)
class _Plan:
    """The calls of one update, for as long as the same parameters have gradients.

    ``having`` says which those are, None: all. ``steps`` are the counts of all calls, ``count`` the tensor that they all
    are views of, if they are.
    """

    having: list[bool] | None
    calls: list[Call]
    steps: list[Tensor]
    count: Tensor | None

    def remembers(self, keys: Callable[[Group], tuple[str, ...]]) -> bool:
        """Whether the settings still ask for the memory that there is: momentum may have come or gone."""
        return all(keys(call.group) == call.keys for call in self.calls)


def _in_one(memories: Sequence[Memory]) -> Tensor:
    """One tensor that holds the counts of steps of all ``memories``, which keep views of it."""
    together = torch.stack([memory["step"] for memory in memories])
    for place, memory in enumerate(memories):
        memory["step"] = together[place]
    return together


def _agrees(optimizer: torch.optim.Optimizer) -> bool:
    """Whether this updates small tensors just as ``optimizer``'s own step does: three times, then one is withheld."""
    (theirs, by_step), (ours, by_lists) = _small_copy(optimizer), _small_copy(optimizer)
    update = FusedUpdate(by_lists)
    for step in range(4):
        for each in (*theirs, *ours):
            each.grad = each.detach().sin() + step
        if step == 3:
            for small in (by_step, by_lists):
                small.found_inf = torch.ones((), device=theirs[0].device)  # type: ignore[attr-defined]
        by_step.step()
        update.step()
    return all(map(torch.equal, _all_tensors(theirs, by_step), _all_tensors(ours, by_lists)))


def _small_copy(optimizer: torch.optim.Optimizer) -> tuple[list[Tensor], torch.optim.Optimizer]:
    """An optimiser of the same type and settings over two small tensors a group; and these."""
    tensors: list[Tensor] = []
    groups = []
    for group in optimizer.param_groups:
        like = group["params"][0].detach()
        first = torch.linspace(-1, 1, _TRIED, dtype=like.dtype, device=like.device)
        mine = [first.clone().requires_grad_(), first[:3].clone().requires_grad_()]
        groups.append({**group, "params": mine})
        tensors += mine
    return tensors, type(optimizer)(groups)  # type: ignore[call-arg]


def _all_tensors(tensors: Sequence[Tensor], optimizer: torch.optim.Optimizer) -> list[Tensor]:
    """The tensors, and what ``optimizer`` remembers of each."""
    memories = [optimizer.state.get(each, {}) for each in tensors]
    return [*tensors, *(memory[key] for memory in memories for key in sorted(memory))]
