"""torch's fused kernels: what each takes of an optimiser's groups and memory."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import optimizer as torch_optimizer

Group = dict[str, Any]

_REFUSED = ("amsgrad", "maximize", "differentiable", "capturable")


@dataclass(frozen=True)
class Call:
    """What one call of a kernel takes, apart from gradients: parameters of one group, and what is remembered of each.

    ``memory`` holds a list of tensors for each key in ``keys``; ``steps`` is empty where steps are not counted.
    """

    group: Group
    params: list[Tensor]
    keys: tuple[str, ...]
    memory: list[list[Tensor]]
    steps: list[Tensor]


@dataclass(frozen=True)
class Kind:
    """One of torch's optimisers.

    Attributes:
        keys: those of the tensors of a parameter's size that a group's settings make it remember.
        counts: whether ``step`` is remembered too. The kernel reads it; to advance it is the caller's part.
        run: calls the kernel: the call, its gradients, ``grad_scale``, ``found_inf``.
    """

    keys: Callable[[Group], tuple[str, ...]]
    counts: bool
    run: Callable[[Call, list[Tensor], Tensor | None, Tensor | None], object]


def kind_of(optimizer: torch.optim.Optimizer) -> Kind | None:
    """The kind of ``optimizer``; None unless its step is, but for what is wrapped round it, one of torch's own."""
    mine = type(optimizer)
    for cls, kind in _kinds():
        same_step = inspect.unwrap(mine.step) is inspect.unwrap(cls.step)
        if isinstance(optimizer, cls) and same_step and mine._init_group is cls._init_group:  # type: ignore[attr-defined]
            return kind
    return None


def is_plain(optimizer: torch.optim.Optimizer) -> bool:
    """Whether nothing is asked of the optimiser's step but one fused kernel for each group."""
    groups = optimizer.param_groups
    params = [p for group in groups for p in group["params"]]
    hooks = (
        torch_optimizer._global_optimizer_pre_hooks,
        torch_optimizer._global_optimizer_post_hooks,
        optimizer._optimizer_step_pre_hooks,
        optimizer._optimizer_step_post_hooks,
    )
    return (
        not any(hooks)
        and "step" not in vars(optimizer)  # torch's schedulers, for one, put a step of their own there
        and all(
            group.get("fused") is True and not any(group.get(name) for name in _REFUSED) for group in groups
        )
        and not any(isinstance(value, Tensor) for group in groups for value in (*group.get("betas", ()),))
        and all(type(p) in (Tensor, nn.Parameter) and p.layout is torch.strided for p in params)
        and all(p.is_floating_point() and p.device.type in ("cpu", "cuda") for p in params)
        and len({(p.device, p.dtype) for p in params}) == 1
    )


def _kinds() -> tuple[tuple[type[torch.optim.Optimizer], Kind], ...]:
    return (
        (torch.optim.SGD, Kind(lambda group: ("momentum_buffer",) if group["momentum"] else (), False, _sgd)),
        (
            torch.optim.Adam,
            Kind(lambda group: ("exp_avg", "exp_avg_sq"), True, _adam),
        ),  # and AdamW, its subclass
        (torch.optim.Adagrad, Kind(lambda group: ("sum",), True, _adagrad)),
    )


def _sgd(call: Call, gradients: list[Tensor], scale: Tensor | None, found_inf: Tensor | None) -> None:
    group = call.group
    torch._fused_sgd_(
        call.params,
        gradients,
        call.memory[0] if call.memory else [],
        weight_decay=group["weight_decay"],
        momentum=group["momentum"],
        lr=group["lr"],
        dampening=group["dampening"],
        nesterov=group["nesterov"],
        maximize=False,
        is_first_step=False,  # momentum begins in the optimiser's own step
        grad_scale=scale,
        found_inf=found_inf,
    )


def _adam(call: Call, gradients: list[Tensor], scale: Tensor | None, found_inf: Tensor | None) -> None:
    group = call.group
    kernel = torch._fused_adamw_ if group["decoupled_weight_decay"] else torch._fused_adam_
    beta1, beta2 = group["betas"]
    kernel(
        call.params,
        gradients,
        call.memory[0],
        call.memory[1],
        [],
        call.steps,
        amsgrad=False,
        lr=group["lr"],
        beta1=beta1,
        beta2=beta2,
        weight_decay=group["weight_decay"],
        eps=group["eps"],
        maximize=False,
        grad_scale=scale,
        found_inf=found_inf,
    )


def _adagrad(call: Call, gradients: list[Tensor], scale: Tensor | None, found_inf: Tensor | None) -> None:
    group = call.group
    torch._fused_adagrad_(
        call.params,
        gradients,
        call.memory[0],
        call.steps,
        lr=group["lr"],
        lr_decay=group["lr_decay"],
        weight_decay=group["weight_decay"],
        eps=group["eps"],
        maximize=False,
        grad_scale=scale,
        found_inf=found_inf,
    )
