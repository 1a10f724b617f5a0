"""Optimisers: torch's own, each over the parameters it is made for, with weight decay where it belongs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from etude.core.errors import EtudeError
from etude.train.combined import Combined
from etude.train.eager import eager
from etude.train.full_batch import LBFGS, Rprop
from etude.train.heads import find_head
from etude.train.muon import MatrixMuon, hidden_matrices
from etude.train.recipe import Recipe

FUSED = frozenset({"sgd", "adam", "adamw", "adagrad"})  # those that torch has in one kernel
FULL_BATCH = frozenset({"lbfgs", "rprop"})

_HISTORY = 10  # pairs that L-BFGS remembers: Nocedal & Wright 2006, section 7.2, between 3 and 20
_EMBEDDINGS = (nn.Embedding, nn.EmbeddingBag)


def build_optimizer(module: nn.Module, recipe: Recipe, fused: bool) -> torch.optim.Optimizer | Combined:
    """The optimiser that ``recipe`` names, over the parameters of ``module`` that want a gradient.

    Matrices and kernels are decayed; biases and the scales of norms (one-dimensional) are not (Goyal et al. 2017,
    section 5.3). The decay is apart from the gradient in AdamW and Muon (Loshchilov & Hutter 2019), and an L2 penalty
    in the others. Each group of parameters has a ``scale``: its learning rate is that of the schedule times this.

    Muon trains the hidden matrices and kernels and AdamW the rest, with one learning rate: the update is scaled as in
    Moonshot's variant (Liu et al. 2025, section 2.2), for which a rate and a decay that suit AdamW suit Muon.
    SparseAdam trains the embeddings made with ``sparse=True``, undecayed, and AdamW the rest.

    Raises:
        EtudeError: the module has no parameter to train, or none of the kind that the optimiser is for, or the recipe
            asks for what the optimiser cannot do.
    """
    trained = [p for p in module.parameters() if p.requires_grad]
    if not trained:
        raise EtudeError(
            en=f"{type(module).__name__} has no parameter to train; give a model whose parameters want a gradient.",
            zh=f"{type(module).__name__} 没有可训练的参数；请给出参数需要梯度的模型。",
        )
    _check_settings(recipe)
    sparse = _sparse_embeddings(module)
    _check_sparse(module, recipe, bool(sparse))
    rate: dict[str, Any] = {"lr": recipe.learning_rate}
    if recipe.optimizer == "lbfgs":
        return LBFGS(trained, weight_decay=recipe.weight_decay, history_size=_HISTORY, **rate)
    if recipe.optimizer in ("muon", "sparseadam"):
        special = _hidden(module) if recipe.optimizer == "muon" else sparse
        others = [p for p in trained if id(p) not in {id(s) for s in special}]
        first: torch.optim.Optimizer
        if recipe.optimizer == "muon":
            first = eager(MatrixMuon)(
                _groups(special, module, recipe), momentum=recipe.momentum, nesterov=recipe.momentum > 0, **rate
            )
        else:
            first = eager(torch.optim.SparseAdam)(_groups(special, module, recipe), **rate)
        rest = [eager(torch.optim.AdamW)(_groups(others, module, recipe), **rate)] if others else []
        return Combined(first, *rest)
    groups = _groups(trained, module, recipe)
    if fused:
        rate["fused"] = True
    if recipe.optimizer == "sgd":
        return eager(torch.optim.SGD)(groups, momentum=recipe.momentum, nesterov=recipe.momentum > 0, **rate)
    if recipe.optimizer == "rmsprop":
        return eager(torch.optim.RMSprop)(groups, momentum=recipe.momentum, **rate)
    kinds: dict[str, Any] = {
        "asgd": torch.optim.ASGD, "adadelta": torch.optim.Adadelta, "adagrad": torch.optim.Adagrad,
        "adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "adamax": torch.optim.Adamax, "rprop": Rprop,
    }  # fmt: skip
    return eager(kinds[recipe.optimizer])(groups, **rate)


def check_batches(recipe: Recipe, steps_per_epoch: int) -> None:
    """See to it that an optimiser that compares one step with the next sees the same function in both.

    Raises:
        EtudeError: the optimiser is L-BFGS or Rprop, and an epoch has several batches.
    """
    if recipe.optimizer in FULL_BATCH and steps_per_epoch > 1:
        enough = recipe.batch_size * steps_per_epoch
        raise EtudeError(
            en=f"{recipe.optimizer} compares the gradients of successive steps, so each must be over the whole training "
            f"part, but batches of {recipe.batch_size} make {steps_per_epoch} steps an epoch; set batch_size to {enough}, "
            "or use adamw if that does not fit in memory.",
            zh=f"{recipe.optimizer} 要比较前后两步的梯度，每一步都必须使用整个训练集，但批大小 {recipe.batch_size} 使一轮有 "
            f"{steps_per_epoch} 步；请把 batch_size 设为 {enough}；若内存放不下，请改用 adamw。",
        )


def _groups(parameters: Sequence[Tensor], module: nn.Module, recipe: Recipe) -> list[dict[str, Any]]:
    """Decayed and undecayed, below the head and in it; those that hold nothing are left out."""
    head = _head_parameters(module) if recipe.backbone_rate < 1 else None
    groups: list[dict[str, Any]] = []
    for below in (True, False) if head is not None else (False,):
        chosen = [p for p in parameters if head is None or (id(p) not in head) == below]
        scale = recipe.backbone_rate if below else 1.0
        groups += [
            {"params": [p for p in chosen if p.ndim >= 2], "weight_decay": recipe.weight_decay, "scale": scale},
            {"params": [p for p in chosen if p.ndim < 2], "weight_decay": 0.0, "scale": scale},
        ]
    return [group for group in groups if group["params"]]


def _head_parameters(module: nn.Module) -> set[int]:
    head = find_head(module)
    if head is None:
        raise EtudeError(
            en=f"{type(module).__name__} has no layers below its last one for a smaller learning rate; leave out "
            "backbone_rate.",
            zh=f"{type(module).__name__} 的最后一层以下没有可以使用较小学习率的层；请去掉 backbone_rate。",
        )
    return {id(p) for p in module.get_submodule(head).parameters()}


def _hidden(module: nn.Module) -> list[Tensor]:
    hidden = hidden_matrices(module)
    if not hidden:
        raise EtudeError(
            en=f"Muon trains the matrices between the first layer and the last, and {type(module).__name__} has none to "
            "train there; use adamw.",
            zh=f"Muon 只训练首层与末层之间的矩阵，而 {type(module).__name__} 中没有可训练的这类矩阵；请改用 adamw。",
        )
    return list(hidden)


def _sparse_embeddings(module: nn.Module) -> list[Tensor]:
    found = [
        m.weight for m in module.modules() if isinstance(m, _EMBEDDINGS) and m.sparse and m.weight.requires_grad
    ]
    return list({id(weight): weight for weight in found}.values())


def _check_sparse(module: nn.Module, recipe: Recipe, has_sparse: bool) -> None:
    name = type(module).__name__
    if recipe.optimizer == "sparseadam" and not has_sparse:
        raise EtudeError(
            en=f"sparseadam updates only the rows of embeddings that a batch used, and {name} has no nn.Embedding with "
            "sparse=True; use adam or adamw.",
            zh=f"sparseadam 只更新一批数据用到的嵌入行，而 {name} 没有设 sparse=True 的 nn.Embedding；请改用 adam 或 adamw。",
        )
    if has_sparse and recipe.optimizer != "sparseadam":
        raise EtudeError(
            en=f"{name} has an nn.Embedding with sparse=True, whose sparse gradients {recipe.optimizer} does not take; use "
            "sparseadam, or make it with sparse=False.",
            zh=f"{name} 含有设 sparse=True 的 nn.Embedding，{recipe.optimizer} 不能处理它的稀疏梯度；"
            "请改用 sparseadam，或设 sparse=False。",
        )


def _check_settings(recipe: Recipe) -> None:
    name = recipe.optimizer
    if recipe.clip_norm is not None and name in ("lbfgs", "sparseadam"):
        en, zh = {
            "lbfgs": ("its line search needs the gradient as it is", "它的线搜索需要原样的梯度"),
            "sparseadam": ("sparse gradients have no norm over all parameters", "稀疏梯度没有全部参数的范数"),
        }[name]
        raise EtudeError(
            en=f"clip_norm is {recipe.clip_norm:g}, but {name} cannot clip: {en}; leave out clip_norm.",
            zh=f"clip_norm 为 {recipe.clip_norm:g}，但 {name} 不能裁剪梯度：{zh}；请去掉 clip_norm。",
        )
    if recipe.backbone_rate < 1 and name in FULL_BATCH:
        raise EtudeError(
            en=f"backbone_rate is {recipe.backbone_rate:g}, but {name} finds its own step for every parameter; leave out "
            "backbone_rate, or use adamw.",
            zh=f"backbone_rate 为 {recipe.backbone_rate:g}，但 {name} 自行确定每个参数的步长；请去掉 backbone_rate，或改用 adamw。",
        )
