"""One update of all members: each with its own step size, decay, clipping, and its own end if it diverges."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from etude.train.recipe import Recipe
from etude.train.stacked import StackedModel

STACKED_OPTIMIZERS = ("sgd", "adam", "adamw")


class StackedUpdate:
    """What `etude.train.optimizers.build_optimizer` is to one model, to a stack.

    torch's own optimisers do the work, since their updates treat every number alone. Step sizes that differ
    use that an update is proportional to its step size: the stack takes the largest member's step, and each
    member goes its share of the way. A decay that differs is applied by hand. As in a lone run, matrices and
    kernels are decayed, biases and the scales of norms are not.
    """

    def __init__(self, model: StackedModel, recipes: Sequence[Recipe]) -> None:
        first = recipes[0]
        self._leaves = [leaf for leaf in model.parameters.values() if leaf.requires_grad]
        self._clip, self._decoupled = first.clip_norm, first.optimizer == "adamw"
        self.largest = max(recipes, key=lambda recipe: recipe.learning_rate)
        shares = [recipe.learning_rate / self.largest.learning_rate for recipe in recipes]
        decays = [recipe.weight_decay for recipe in recipes]
        self._shares = None if len(set(shares)) == 1 else self._by_member(shares)
        # with step sizes that differ the decay inside AdamW is still one more part of a proportional update
        self._decays = None if len(set(decays)) == 1 else self._by_member(decays)
        self._optimizer = _optimizer(self._leaves, first, decays[0] if self._decays is None else 0.0)

    def zero_grad(self) -> None:
        self._optimizer.zero_grad()

    @torch.no_grad()
    def step(self, learning_rate: float, alive: Tensor | None) -> None:
        """Update all members from the gradients that their parameters hold.

        Args:
            learning_rate: that of the member with the largest.
            alive: bool ``[members]``, those that are updated; all if None.
        """
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate
        before = [leaf.clone() for leaf in self._leaves] if alive is not None else []
        if self._clip is not None:
            self._shorten(self._clip)
        self._decay(learning_rate)
        start = [leaf.clone() for leaf in self._leaves] if self._shares is not None else []
        self._optimizer.step()
        for leaf, old in zip(self._leaves, start):
            leaf.copy_(torch.lerp(old, leaf, _along(self._shares, leaf)))
        for leaf, old in zip(self._leaves, before):
            leaf.copy_(torch.where(_along(alive, leaf), leaf, old))

    def _shorten(self, longest: float) -> None:
        """Each member's gradient, as `torch.nn.utils.clip_grad_norm_` would do it."""
        gradients = [leaf.grad for leaf in self._leaves if leaf.grad is not None]
        norms = torch.stack([torch.linalg.vector_norm(g.flatten(1), dim=1) for g in gradients], dim=1)
        factor = (longest / (torch.linalg.vector_norm(norms, dim=1) + 1e-6)).clamp(max=1.0)
        for gradient in gradients:
            gradient.mul_(_along(factor, gradient))

    def _decay(self, learning_rate: float) -> None:
        """Decays that differ from member to member: of the weights themselves (AdamW), or through the gradient."""
        if self._decays is None:
            return
        rates = learning_rate if self._shares is None else learning_rate * self._shares
        for leaf in self._leaves:
            if leaf.grad is None or not _is_decayed(leaf):
                continue
            if self._decoupled:
                leaf.mul_(1 - _along(rates * self._decays, leaf))
            else:
                leaf.grad.add_(_along(self._decays, leaf) * leaf)

    def _by_member(self, values: list[float]) -> Tensor:
        return torch.tensor(values, dtype=self._leaves[0].dtype, device=self._leaves[0].device)


def _optimizer(leaves: list[Tensor], recipe: Recipe, decay: float) -> torch.optim.Optimizer:
    groups: list[dict[str, Any]] = [
        {"params": [leaf for leaf in leaves if _is_decayed(leaf)], "weight_decay": decay},
        {"params": [leaf for leaf in leaves if not _is_decayed(leaf)], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    fused = recipe.engine != "plain" and leaves[0].device.type in ("cpu", "cuda")
    options: dict[str, Any] = {"lr": recipe.learning_rate, **({"fused": True} if fused else {})}
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(groups, momentum=recipe.momentum, nesterov=recipe.momentum > 0, **options)
    return {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[recipe.optimizer](groups, **options)


def _is_decayed(leaf: Tensor) -> bool:
    return leaf.ndim >= 3  # a matrix or a kernel, with the members before it


def _along(values: Tensor | None, leaf: Tensor) -> Tensor:
    """``values`` ``[members]`` in the shape that multiplies each member of ``leaf`` by its own."""
    assert values is not None
    return values.view(-1, *[1] * (leaf.ndim - 1))
