"""Optimisers, with weight decay where it belongs."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from etude.core.errors import EtudeError
from etude.train.recipe import Recipe


def build_optimizer(module: nn.Module, recipe: Recipe, fused: bool) -> torch.optim.Optimizer:
    """The optimiser that ``recipe`` names, over the parameters of ``module`` that want a gradient.

    Matrices and kernels are decayed; biases and the scales of norms (one-dimensional) are not
    (Goyal et al. 2017, section 5.3).

    Raises:
        EtudeError: the module has no parameter to train.
    """
    trained = [p for p in module.parameters() if p.requires_grad]
    if not trained:
        raise EtudeError(
            en=f"{type(module).__name__} has no parameter to train; give a model whose parameters want a gradient.",
            zh=f"{type(module).__name__} 没有可训练的参数；请给出参数需要梯度的模型。",
        )
    groups = [
        {"params": [p for p in trained if p.ndim >= 2], "weight_decay": recipe.weight_decay},
        {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    options: dict[str, Any] = {"lr": recipe.learning_rate, **({"fused": True} if fused else {})}
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(groups, momentum=recipe.momentum, nesterov=recipe.momentum > 0, **options)
    return {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[recipe.optimizer](groups, **options)
