"""Gradients and weights, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from etude.core.errors import EtudeError


def gradient_norms(module: nn.Module, loss: Tensor) -> dict[str, float]:
    """The 2-norm of the gradient of ``loss`` with respect to each weight matrix or kernel, in the order of the layers.

    Biases and the scales of norms (one-dimensional) are left out. No ``grad`` attribute changes.

    Args:
        module: whose parameters are meant.
        loss: a scalar computed from them.

    Raises:
        EtudeError: ``loss`` is no scalar, or depends on none of the weights.
    """
    weights = weight_matrices(module)
    if loss.numel() != 1 or loss.grad_fn is None or not weights:
        raise EtudeError(
            en=f"The loss has shape {list(loss.shape)} and {'a' if loss.grad_fn else 'no'} grad_fn; gradients are taken of one number "
            "computed from the module's weights.",
            zh=f"损失的形状为 {list(loss.shape)}，{'有' if loss.grad_fn else '没有'} grad_fn；只能对由模块权重算出的一个数求梯度。",
        )
    gradients = torch.autograd.grad(loss, list(weights.values()), retain_graph=True, allow_unused=True)
    return {name: 0.0 if g is None else g.norm().item() for name, g in zip(weights, gradients)}


def weight_matrices(module: nn.Module) -> dict[str, nn.Parameter]:
    """The weights with at least two dimensions that want a gradient, by name, in the order of the layers."""
    return {name: p for name, p in module.named_parameters() if p.ndim >= 2 and p.requires_grad}


def weight_changes(before: Mapping[str, Tensor], module: nn.Module) -> dict[str, float]:
    """How far each weight matrix has moved: the 2-norm of the change over that of what it was.

    Args:
        before: copies of the weights by name, as `weight_matrices` names them.
    """
    return {
        name: ((p.detach() - before[name]).norm() / before[name].norm()).item()
        for name, p in weight_matrices(module).items()
    }
