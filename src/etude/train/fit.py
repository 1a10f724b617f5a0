"""The training loop: a generator. Stopping is leaving the loop; nothing calls back."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from etude.core.errors import EtudeError, NonFiniteLoss
from etude.tasks.task import Part, Task
from etude.train.combined import Combined
from etude.train.cuda_graph import GraphedStep
from etude.train.device_rates import set_rates
from etude.train.feed import Feed, as_feed, steps_per_epoch
from etude.train.full_batch import LBFGS
from etude.train.recipe import Recipe
from etude.train.state import State
from etude.train.target import check_target, with_bound


@dataclass(frozen=True)
class Step:
    """One step: the loss of each part, detached, on the device until somebody reads it.

    ``step`` counts from 1; ``validation`` holds metrics where ``evaluate_every`` asked for them.
    """

    step: int
    epoch: int
    losses: dict[str, Tensor]
    learning_rate: float
    validation: dict[str, float] | None = None


@dataclass(frozen=True)
class Epoch:
    """One epoch (counted from 0): mean training losses, and the metrics on the validation part if there is one."""

    epoch: int
    step: int
    losses: dict[str, float]
    validation: dict[str, float] | None
    improved: bool


def fit(
    task: Task, data: Any, recipe: Recipe | None = None, state: State | None = None
) -> Iterator[Step | Epoch]:
    """Train ``task`` on ``data``: yields a `Step` after every step and an `Epoch` after every epoch.

    Args:
        task: what a batch means, for instance `etude.tasks.classification.Classification`.
        data: an `ImageData`, a Dataset or DataLoader, a tuple of those (train, validation[, test]), or
            anything with the attributes of `etude.train.feed.Feed`.
        recipe: the settings; those of ``state`` if there is one.
        state: where to go on from; a new one if None.

    Raises:
        NonFiniteLoss: a loss is infinite or not a number; the update was not made.
        EtudeError: the data or the task do not fit together.
    """
    recipe = state.recipe if state else recipe or Recipe()
    feed = as_feed(data, recipe, state.choices if state else None, task)
    check_target(recipe, task.kind, feed.validation)
    state = state or State.begin(task, recipe, steps_per_epoch(feed, recipe))
    while not state.ended:
        for batch in feed.batches(state.epoch, after=state.position):
            if state.out_of_steps:
                break
            rate = state.learning_rate
            losses = train_step(state, batch, rate)
            due = recipe.evaluate_every and state.step % recipe.evaluate_every == 0
            yield Step(state.step, state.epoch, losses, rate, evaluate(state, feed)[0] if due else None)
        metrics, improved = evaluate(state, feed)
        raise_if_not_finite(state)
        epoch, means = state.epoch, state.end_epoch()
        yield Epoch(epoch, state.step, means, metrics, improved)


def train_step(state: State, batch: Any, learning_rate: float) -> dict[str, Tensor]:
    """One update for each part of the task; the losses, detached."""
    count = _examples(batch)
    if state.choices.graphs and _is_tensors(batch):
        losses = _recorded(state, batch)(batch, learning_rate)
    else:
        set_rates(state.optimizers.values(), learning_rate)
        losses = _update(state, batch, count)
    state.step, state.position, state.examples = state.step + 1, state.position + 1, state.examples + count
    if state.average:
        state.average.update(state.step)
    return losses


def _update(state: State, batch: Any, count: int) -> dict[str, Tensor]:
    losses = {}
    for mode in state.modes:
        mode.set()
    for part in state.execution.parts(batch):
        losses[part.name] = loss = _update_part(state, part)
        state.add_loss(part.name, loss, count)
    return losses


def _update_part(state: State, part: Part) -> Tensor:
    optimizer = state.optimizers[part.name]
    if isinstance(optimizer, LBFGS):
        return optimizer.step(lambda: _backward(state, optimizer, part))
    loss = _backward(state, optimizer, part)
    if state.recipe.clip_norm is not None:
        torch.nn.utils.clip_grad_norm_(state.task.modules[part.name].parameters(), state.recipe.clip_norm)
    state.updates[part.name].step()
    return loss


def _recorded(state: State, batch: Any) -> GraphedStep:
    """The step as a CUDA graph, recorded with the first batch of this process."""
    if state.recorded is None:
        make = getattr(type(batch), "_make", type(batch))  # named tuples take their parts one by one
        state.recorded = GraphedStep(
            lambda tensors: _update(state, make(tensors), len(tensors[0])),
            batch,
            modules=state.task.modules,
            optimizers=state.optimizers,
            others=[*state.loss_sums.values(), state.finite],
        )
    return state.recorded


def _backward(state: State, optimizer: torch.optim.Optimizer | Combined, part: Part) -> Tensor:
    """The gradients of a part's loss, in its parameters; the loss, detached."""
    state.updates[part.name].zero_grad()
    with state.autocast():
        loss = part.loss()
    if loss.ndim:
        raise EtudeError(
            en=f"The loss of '{part.name}' has shape {list(loss.shape)}; a loss is one number: take its mean.",
            zh=f"“{part.name}”的损失形状为 {list(loss.shape)}；损失必须是一个数，请取平均。",
        )
    detached = loss.detach()
    _gate(state, optimizer, detached, part.name)
    loss.backward()
    return detached


def _gate(state: State, optimizer: torch.optim.Optimizer | Combined, loss: Tensor, name: str) -> None:
    """See to it that a loss that is not finite updates nothing: at once, or by a flag on the GPU read later."""
    if not state.checks_late:
        if not math.isfinite(value := loss.item()):
            raise not_finite(state, name, value)
        return
    state.finite.logical_and_(loss.isfinite())
    # fused kernels leave everything as it is where found_inf is 1
    optimizer.found_inf = state.finite.logical_not().float()  # type: ignore[union-attr]
    optimizer.grad_scale = None  # type: ignore[union-attr]


def raise_if_not_finite(state: State) -> None:
    """Read the flag that the GPU kept.

    Raises:
        NonFiniteLoss: some loss was not finite; no update was made since.
    """
    if not state.finite:
        raise not_finite(state, next(iter(state.loss_sums)), float("nan"))


def not_finite(state: State, name: str, value: float) -> NonFiniteLoss:
    rate = state.learning_rate
    return NonFiniteLoss(
        en=f"The loss of '{name}' became {value} at step {state.step + 1} (learning rate {rate:.3g}); the update was not "
        "made and what was saved before is whole. Try a smaller learning_rate, clip_norm 1, or precision float32.",
        zh=f"第 {state.step + 1} 步“{name}”的损失变为 {value}（学习率 {rate:.3g}）；该步没有更新，之前保存的内容完好。"
        "可尝试更小的 learning_rate、clip_norm 1 或 precision float32。",
    )


def evaluate(state: State, feed: Feed) -> tuple[dict[str, float] | None, bool]:
    """Metrics of the present weights on the validation part (None without one), and whether they are the best yet."""
    if feed.validation is None:
        return None, False
    if (
        state.judged is not None and state.judged[0] == state.step
    ):  # an epoch may end on a step that was evaluated
        metrics = state.judged[1]
    else:
        with state.weights_to_judge():
            metrics = with_bound(measure(state, feed.validation), state.recipe, feed.validation)
            state.judge(metrics)
    return metrics, state.best is not None and state.best.step == state.step


def measure(state: State, part: Any) -> dict[str, float]:
    """The task's metrics on one part of the data, at inference speed."""
    for module in state.task.modules.values():
        module.eval()
    with torch.inference_mode(), state.autocast():
        return state.execution.evaluate(part)


def _is_tensors(batch: Any) -> bool:
    return isinstance(batch, (tuple, list)) and all(isinstance(part, Tensor) for part in batch)


def _examples(batch: Any) -> int:
    """How many examples a batch holds: the length of its first tensor."""
    while not isinstance(batch, Tensor):
        batch = next(iter(batch.values())) if isinstance(batch, dict) else batch[0]
    return len(batch)
