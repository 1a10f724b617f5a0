"""Muon on every hidden layer: matrices as they are, kernels as matrices."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from etude.train.heads import find_head


class MatrixMuon(torch.optim.Muon):
    """`torch.optim.Muon` that takes kernels too, each as the matrix ``[out, in · height · width]`` (Jordan 2024).

    The matrix shares its memory with the kernel. Where the kernel's channels lie innermost the columns come in another
    order, which changes nothing: orthogonalising a matrix commutes with permuting its columns.

    Args:
        groups: parameters of two or more dimensions.
        options: those of `torch.optim.Muon`. The update of an ``m x n`` matrix is scaled by ``0.2 √max(m, n)``, which
            makes it as large as AdamW's (Liu et al. 2025, section 2.2).
    """

    def __init__(self, groups: list[dict[str, Any]], **options: Any) -> None:
        kernels = [p for group in groups for p in group["params"]]
        shadows = {id(p): as_matrix(p) for p in kernels}
        self._pairs = [(p, shadows[id(p)]) for p in kernels]
        matrices = [group | {"params": [shadows[id(p)] for p in group["params"]]} for group in groups]
        super().__init__(matrices, adjust_lr_fn="match_rms_adamw", **options)

    def zero_grad(self, set_to_none: bool = True) -> None:
        for parameter, matrix in self._pairs:
            parameter.grad = matrix.grad = None

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        for parameter, matrix in self._pairs:
            gradient = parameter.grad
            if gradient is not None and gradient.stride() != parameter.stride():
                gradient = torch.empty_like(parameter).copy_(gradient)
            matrix.grad = None if gradient is None else as_matrix(gradient)
        return super().step(closure)


def as_matrix(tensor: Tensor) -> Tensor:
    """``[out, …]`` as ``[out, all the rest]`` in the same memory."""
    flat = tensor.detach()
    if not flat.is_contiguous():
        flat = flat.movedim(1, -1)
    return flat.view(flat.shape[0], -1)


def hidden_matrices(module: nn.Module) -> list[nn.Parameter]:
    """What Muon is for: trained weights of two or more dimensions between the first layer and the last.

    The first layer, embeddings and the head are left to AdamW, and so is what has only one row or column
    (Jordan 2024, "Muon: an optimizer for hidden layers in neural networks").
    """
    weights = [p for p in module.parameters() if p.ndim >= 2]
    head = find_head(module)
    ends = {id(p) for p in module.get_submodule(head).parameters()} if head is not None else set()
    for layer in module.modules():
        if isinstance(layer, nn.Embedding | nn.EmbeddingBag):
            ends |= {id(p) for p in layer.parameters()}
    return [
        p for p in weights[1:] if p.requires_grad and id(p) not in ends and 1 < p.shape[0] < p.numel()
    ]  # fmt: skip
