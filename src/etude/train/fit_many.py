"""Many runs as one: small networks over many seeds or settings, trained together as one stacked program."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import vmap
from torch.utils.data import TensorDataset

from etude.core.devices import sum_dtype
from etude.core.errors import EtudeError
from etude.data.batches import EVALUATION_BATCH_SIZE, ImageBatches, epoch_order
from etude.data.dataset import ImageData
from etude.data.transfer import send
from etude.train.recipe import Recipe
from etude.train.schedule import learning_rate_at
from etude.train.stacked import StackedModel
from etude.train.stacked_update import STACKED_OPTIMIZERS, StackedUpdate

Loss = str | Callable[[Tensor, Tensor], Tensor]
Pair = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class ManyStep:
    """One step of all members.

    ``step`` counts from 1; ``losses`` ``[members]``, detached, NaN for members that have been stopped;
    ``alive`` bool ``[members]``, the members that this step has updated.
    """

    step: int
    epoch: int
    losses: Tensor
    alive: Tensor


@dataclass(frozen=True)
class ManyEpoch:
    """One epoch (counted from 0) of all members.

    ``losses`` float64 (float32 on MPS) ``[members]``, the means of the training losses; ``validation``, if there is such a
    part: ``loss`` and, for cross-entropy, ``accuracy``, of the same type. NaN for stopped members.
    """

    epoch: int
    step: int
    losses: Tensor
    validation: dict[str, Tensor] | None
    alive: Tensor


def fit_many(
    model: StackedModel,
    data: Any,
    recipes: Sequence[Recipe],
    loss: Loss = "cross_entropy",
    order_seed: int | None = None,
) -> Iterator[ManyStep | ManyEpoch]:
    """Train all members of ``model``: yields a `ManyStep` after every step and a `ManyEpoch` after every epoch.

    Each member computes what `etude.train.fit.fit` computes with its recipe in float32 (or float64, if the
    model and the inputs are), to rounding; only where chance is drawn in a layer (dropout) are the numbers
    others. A member whose loss is not finite is stopped before the update, its weights and buffers as they
    were before the step, and the others go on; when none is left, training ends with a last `ManyEpoch`.

        model = StackedModel.begin(make_model, recipes)
        for record in fit_many(model, (inputs, labels), recipes):
            ...
        model.member(3)     # an ordinary nn.Module

    Args:
        model: the members; updated in place.
        data: ``(inputs, targets)`` or ``((inputs, targets), (inputs, targets))`` with a validation part:
            tensors ``[n, …]``, held in memory; `TensorDataset`\\ s in their place; or an `ImageData`.
        recipes: one a member. They may differ in ``seed``, ``learning_rate`` and ``weight_decay``.
        loss: ``"cross_entropy"`` (outputs ``[n, classes]``, targets int64 ``[n]``), ``"mse"`` (targets of the
            shape of the outputs), or a function of one member's outputs and targets that gives one number.
        order_seed: the seed of the order of examples, the same for all members, which then share each
            batch; each member's own seed if None.

    Raises:
        EtudeError: the recipes ask for what cannot be done together, or data, model and loss do not fit.
    """
    _check_recipes(model, recipes)
    train, validation = _parts(data, model)
    seeds = [recipe.seed if order_seed is None else order_seed for recipe in recipes]
    update, criterion = StackedUpdate(model, recipes), _criterion(loss, recipes[0].label_smoothing)
    per_epoch = _batches_an_epoch(len(train[0]), recipes[0].batch_size)
    total = recipes[0].total_steps(per_epoch)
    alive = torch.ones(len(model), dtype=torch.bool, device=model.device)
    step = epoch = 0
    while step < total and alive.any():
        sums, examples = _zeros(model), 0
        for inputs, targets, shared in _batches(train, seeds, epoch, recipes[0].batch_size):
            if step == total or not alive.any():
                break
            rate = learning_rate_at(step, total, update.largest, per_epoch)
            losses, alive = _train_step(model, update, criterion, (inputs, targets, shared), rate, alive)
            count = targets.shape[0 if shared else 1]
            step, examples = step + 1, examples + count
            sums += losses.to(sums.dtype) * count
            yield ManyStep(step, epoch, losses, alive)
        metrics = None if validation is None else _evaluate(model, validation, loss, alive)
        yield ManyEpoch(epoch, step, sums / examples, metrics, alive)
        epoch += 1


Batch = tuple[Tensor, Tensor, bool]
Criterion = Callable[[Tensor, Tensor, bool], Tensor]


def _train_step(
    model: StackedModel, update: StackedUpdate, criterion: Criterion, batch: Batch, rate: float, alive: Tensor
) -> tuple[Tensor, Tensor]:
    """One update: the losses, NaN for members that are stopped, and which members were updated."""
    inputs, targets, shared = batch
    before = [buffer.clone() for buffer in model.buffers.values()]
    update.zero_grad()
    losses = criterion(model.outputs(inputs, shared, training=True), targets, shared)
    detached = losses.detach()
    alive = alive & detached.isfinite()
    losses.backward(torch.ones_like(losses))  # members have nothing in common: each gets its own gradient
    if alive.all():
        update.step(rate, None)
        return detached, alive
    for buffer, old in zip(model.buffers.values(), before):
        buffer.copy_(torch.where(alive.view(-1, *[1] * (buffer.ndim - 1)), buffer, old))
    update.step(rate, alive)
    return torch.where(alive, detached, torch.nan), alive


@torch.no_grad()
def _evaluate(model: StackedModel, part: Pair, loss: Loss, alive: Tensor) -> dict[str, Tensor]:
    criterion = _criterion(loss, smoothing=0.0)
    names = ("loss", "accuracy") if loss == "cross_entropy" else ("loss",)
    sums = {name: _zeros(model) for name in names}
    for inputs, targets in zip(part[0].split(EVALUATION_BATCH_SIZE), part[1].split(EVALUATION_BATCH_SIZE)):
        outputs = model(inputs)
        sums["loss"] += criterion(outputs, targets, True).to(sums["loss"].dtype) * len(targets)
        if "accuracy" in sums:
            sums["accuracy"] += (outputs.argmax(2) == targets).sum(1)
    return {name: torch.where(alive, total / len(part[0]), torch.nan) for name, total in sums.items()}


def _zeros(model: StackedModel) -> Tensor:
    return torch.zeros(len(model), dtype=sum_dtype(model.device), device=model.device)


def _batches(train: Pair, seeds: list[int], epoch: int, batch_size: int) -> Iterator[Batch]:
    """The batches of one epoch: ``[members, n, …]``, or ``[n, …]`` and True where all members have one order."""
    inputs, targets = train
    shared = len(set(seeds)) == 1
    orders = [
        torch.from_numpy(epoch_order(len(inputs), seed, epoch)) for seed in (seeds[:1] if shared else seeds)
    ]
    order = send(torch.stack(orders), inputs.device)  # [members or 1, examples]
    held = inputs.new_empty(
        0
    )  # one piece of memory for every batch's inputs: new pages cost more than the copying
    for place in range(_batches_an_epoch(len(inputs), batch_size)):
        chosen = order[:, place * batch_size : (place + 1) * batch_size]
        flat = chosen.flatten()
        if len(held) != len(flat):
            held = inputs.new_empty(len(flat), *inputs.shape[1:])
        batch = torch.index_select(inputs, 0, flat, out=held), targets.index_select(0, flat)
        if shared:
            yield *batch, True
        else:
            yield batch[0].unflatten(0, chosen.shape), batch[1].unflatten(0, chosen.shape), False


def _batches_an_epoch(count: int, batch_size: int) -> int:
    """As in a lone run: the last batch is left out if it has one example only."""
    full, rest = divmod(count, batch_size)
    return full + (1 if rest > 1 or (rest == 1 and full == 0) else 0)


def _criterion(loss: Loss, smoothing: float) -> Criterion:
    """Outputs ``[members, n, …]``, targets ``[members, n, …]`` or shared ``[n, …]``: losses ``[members]``."""
    if loss == "cross_entropy":
        return lambda outputs, targets, shared: _cross_entropy(outputs, targets, smoothing)
    if loss == "mse":
        return lambda outputs, targets, shared: _squared_error(outputs, targets)
    if callable(loss):
        return lambda outputs, targets, shared: _checked(
            vmap(loss, in_dims=(0, None if shared else 0), randomness="different")(outputs, targets)
        )
    raise EtudeError(
        en=f"loss is {loss!r}; it must be 'cross_entropy', 'mse', or a function of outputs and targets.",
        zh=f"loss 为 {loss!r}；它必须是“cross_entropy”“mse”，或以输出和目标为参数的函数。",
    )


def _cross_entropy(outputs: Tensor, labels: Tensor, smoothing: float) -> Tensor:
    if outputs.ndim != 3 or labels.is_floating_point() or outputs.shape[1] != labels.shape[-1]:
        raise _misfit("cross_entropy", "[n, classes]", "int64 [n]", outputs, labels)
    # classes before examples, as the layers leave them in memory: a softmax over few neighbours is slow
    labels = labels.expand(outputs.shape[:2])
    try:
        return F.cross_entropy(outputs.mT, labels, label_smoothing=smoothing, reduction="none").mean(1)
    except IndexError:
        classes, highest = outputs.shape[2], int(labels.max())
        raise EtudeError(
            en=f"The labels run from {int(labels.min())} to {highest}, but the model tells {classes} classes apart; "
            f"build it with {highest + 1} outputs, or number the labels from 0.",
            zh=f"标签范围是 {int(labels.min())} 到 {highest}，但模型只区分 {classes} 个类别；"
            f"请让模型有 {highest + 1} 个输出，或让标签从 0 开始编号。",
        ) from None


def _squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    if outputs.shape[1:] != targets.shape[targets.ndim - outputs.ndim + 1 :]:
        raise _misfit("mse", "[n, …]", "[n, …]", outputs, targets)
    return (outputs - targets).square().flatten(1).mean(1)


def _checked(losses: Tensor) -> Tensor:
    if losses.ndim != 1:
        raise EtudeError(
            en=f"The loss of one member has shape {list(losses.shape[1:])}; a loss is one number: take its mean.",
            zh=f"每个成员的损失形状为 {list(losses.shape[1:])}；损失必须是一个数，请取平均。",
        )
    return losses


def _misfit(loss: str, takes: str, beside: str, outputs: Tensor, targets: Tensor) -> EtudeError:
    given, targeted = (
        list(outputs.shape[1:]),
        f"{str(targets.dtype).removeprefix('torch.')} {list(targets.shape)}",
    )
    return EtudeError(
        en=f"{loss} takes outputs {takes} and targets {beside} of the same n; a member gave {given}, the targets of the "
        f"batch are {targeted}. Make the last layer and the targets fit together.",
        zh=f"{loss} 需要形状为 {takes} 的输出和 {beside} 的目标；成员给出 {given}，这一批的目标为 {targeted}。"
        "请让最后一层与目标相符。",
    )


def _parts(data: Any, model: StackedModel) -> tuple[Pair, Pair | None]:
    """The training part and the validation part, on the device of the model."""
    if isinstance(data, ImageData):
        source = ImageBatches(data, 1, 0, model.device)
        parts = [source.evaluation("train"), *([source.validation] if source.validation else [])]
        pairs: list[Any] = [tuple(map(torch.cat, zip(*part))) for part in parts]
    elif isinstance(data, (tuple, list)) and len(data) == 2 and not isinstance(data[0], Tensor):
        pairs = [part.tensors if isinstance(part, TensorDataset) else part for part in data]
    else:
        pairs = [data.tensors if isinstance(data, TensorDataset) else data]
    for pair in pairs:
        if not (
            isinstance(pair, (tuple, list)) and len(pair) == 2 and all(isinstance(t, Tensor) for t in pair)
        ):
            raise EtudeError(
                en=f"Cannot train many on a {type(data).__name__}; give (inputs, targets) or ((inputs, targets), (inputs, "
                "targets)) as tensors, or what etude.load_data returns.",
                zh=f"无法用 {type(data).__name__} 同时训练多个模型；请给出张量 (inputs, targets) "
                "或 ((inputs, targets), (inputs, targets))，或 etude.load_data 的结果。",
            )
        _check_pair(pair[0], pair[1], model.dtype)
    train, *rest = [(inputs.to(model.device), targets.to(model.device)) for inputs, targets in pairs]
    return train, rest[0] if rest else None


def _check_pair(inputs: Tensor, targets: Tensor, dtype: torch.dtype) -> None:
    if len(inputs) == 0 or len(inputs) != len(targets):
        raise EtudeError(
            en=f"There are {len(inputs)} inputs and {len(targets)} targets; give as many of either, and at least one.",
            zh=f"输入有 {len(inputs)} 个，目标有 {len(targets)} 个；两者的个数必须相同，且至少为一。",
        )
    if inputs.is_floating_point() and inputs.dtype != dtype:
        given, own = (str(kind).removeprefix("torch.") for kind in (inputs.dtype, dtype))
        raise EtudeError(
            en=f"The inputs are {given}, but the model computes in {own}; convert the one or the other.",
            zh=f"输入为 {given}，而模型用 {own} 计算；请转换其中之一。",
        )


def _check_recipes(model: StackedModel, recipes: Sequence[Recipe]) -> None:
    if len(recipes) != len(model):
        raise EtudeError(
            en=f"There are {len(recipes)} recipes for {len(model)} members; give one a member.",
            zh=f"成员有 {len(model)} 个，训练设置却有 {len(recipes)} 份；请给每个成员一份。",
        )
    for name in Recipe.model_fields:
        values = {getattr(recipe, name) for recipe in recipes}
        if len(values) > 1 and name not in ("seed", "learning_rate", "weight_decay"):
            raise EtudeError(
                en=f"The recipes differ in {name}; members trained together may differ in seed, learning_rate and "
                "weight_decay only.",
                zh=f"各份训练设置的 {name} 不同；一起训练的成员只能在 seed、learning_rate 和 weight_decay 上不同。",
            )
    recipe = recipes[0]
    unable = {
        "ema": None, "early_stopping": None, "evaluate_every": None, "augment": False, "random_resized_crop": False,
        "color_jitter": 0.0, "cutout": 0, "mixup": 0.0, "freeze": False, "backbone_rate": 1.0,
    }  # fmt: skip
    asked = [name for name, off in unable.items() if getattr(recipe, name) != off]
    asked += ["precision"] if recipe.precision == "bf16" else []
    asked += ["optimizer"] if recipe.optimizer not in STACKED_OPTIMIZERS else []
    if asked:
        raise EtudeError(
            en=f"{asked[0]} is {getattr(recipe, asked[0])}, which many members trained together do not support; leave it "
            "out, or train each member alone with fit.",
            zh=f"{asked[0]} 为 {getattr(recipe, asked[0])}，多个成员一起训练时不支持；请去掉它，或用 fit 单独训练每个成员。",
        )
