"""The learning rate range test: try them all once, from far too small to far too large, and watch the loss."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch

from etude.core.errors import EtudeError, NonFiniteLoss
from etude.core.seeds import generator_states, restore_generators
from etude.tasks.task import Task
from etude.train.choices import Choices
from etude.train.feed import Feed
from etude.train.fit import train_step
from etude.train.optimizer_defaults import usual_rate
from etude.train.recipe import Recipe
from etude.train.state import State

_STEPS = 100
_BELOW, _ABOVE = 1e-4, 1e3  # first and last rate, as multiples of the optimiser's usual one
_EXPLODED = 4.0  # times the lowest loss: as in fastai
_FALL = 0.02  # share of the loss at the start: less is noise
_LEAST = 10  # steps before the loss is judged, and losses that a suggestion needs
# Measured with five optimisers on an MLP, LeNet-5 and ResNet-20: the steepest descent itself trains, but slowly (LeNet-5 with
# AdamW 80 % where twice as large a rate comes to 84 %); the middle collapses at times (LeNet-5 with SGD); fastai's "valley"
# is ten times too small here, where the loss falls a little from the first step on.
_SHARE = 1 / 3
_WIDTH = 2.5  # of the smoothing, in steps: a sixth of a decade of the rate


@dataclass(frozen=True)
class RangeTest:
    """What a range test found.

    Attributes:
        learning_rates: those tried, rising by a constant factor.
        losses: of the batch before each one's update.
        smoothed: the same without the noise between batches.
        steepest: the rate at which the smoothed loss falls fastest.
        limit: the largest rate before half of what was gained is lost again.
        suggestion: the rate to train with, as the peak of a schedule: a third of the way between these two, by ratio.
    """

    learning_rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    steepest: float
    limit: float
    suggestion: float

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def find_learning_rate(
    task: Task, feed: Feed, recipe: Recipe, choices: Choices, steps: int = _STEPS
) -> RangeTest:
    """Train a copy of ``task`` for ``steps`` steps, each with a larger learning rate (Smith 2017, section 3.3).

    The rates run over seven decades around the usual one of the optimiser. The test ends where the loss explodes.
    Neither the weights, buffers and generators nor the order of the data are other afterwards than before.

    Args:
        task: what is to be trained; its modules are copied.
        feed: where batches come from; several epochs are read if one is too short.
        recipe: the settings. Schedule, average and learning rate have no say.
        choices: how to compute.
        steps: how many rates to try.

    Raises:
        EtudeError: the optimiser finds its own step, or the loss does not fall at any rate.
    """
    usual = usual_rate(recipe.optimizer)
    if usual is None:
        raise EtudeError(
            en=f"{recipe.optimizer} finds its own step, so there is no learning rate to look for; leave out "
            "learning_rate auto.",
            zh=f"{recipe.optimizer} 自行确定步长，无需寻找学习率；请去掉 learning_rate auto。",
        )
    rates = usual * np.geomspace(_BELOW, _ABOVE, steps)
    with _untouched(feed):
        losses = _losses(copy.deepcopy(task), feed, recipe, choices, rates.tolist())
    rates = rates[: len(losses)]
    smooth = smoothed(np.array(losses))
    steepest, limit = find_bounds(rates, smooth)
    suggestion = float(f"{steepest * (limit / steepest) ** _SHARE:.2g}")
    return RangeTest(tuple(rates.tolist()), tuple(losses), tuple(smooth.tolist()), steepest, limit, suggestion)


def smoothed(losses: np.ndarray) -> np.ndarray:
    """The median of each loss and its neighbours, then a Gaussian mean on both sides: one of the past would lag behind."""
    padded = np.pad(losses, 2, mode="edge")
    medians = np.median(np.lib.stride_tricks.sliding_window_view(padded, 5), axis=1)
    place = np.arange(len(losses))
    weights = np.exp(-0.5 * ((place[:, None] - place) / _WIDTH) ** 2)
    return weights @ medians / weights.sum(1)


def find_bounds(rates: np.ndarray, smooth: np.ndarray) -> tuple[float, float]:
    """The rate at which the loss falls fastest (per factor of the rate), and the largest before half the gain is lost.

    Raises:
        EtudeError: the loss does not fall at any rate.
    """
    lowest = int(np.argmin(smooth)) if len(smooth) else 0
    start = float(np.median(smooth[:_LEAST])) if len(smooth) else 0.0
    if len(smooth) < _LEAST or lowest < 2 or start - smooth[lowest] < _FALL * abs(start):
        raise EtudeError(
            en="The range test found no learning rate at which the loss falls; look at the data and the labels, or give "
            "learning_rate a number.",
            zh="学习率范围测试没有找到能让损失下降的学习率；请检查数据与标签，或直接给出 learning_rate 的数值。",
        )
    steepest = int(np.argmin(np.gradient(smooth[: lowest + 1])))
    lost = np.flatnonzero(smooth[lowest:] > (start + smooth[lowest]) / 2)
    limit = lowest + int(lost[0]) - 1 if len(lost) else len(smooth) - 1
    return float(rates[steepest]), float(rates[limit])


def _losses(task: Task, feed: Feed, recipe: Recipe, choices: Choices, rates: list[float]) -> list[float]:
    """The loss at each rate, until it explodes."""
    if torch.device(choices.device).type == "cuda":
        choices = replace(choices, fused=False)  # fused ones tell of a loss that is not finite only later
    still = recipe.model_copy(
        update={"schedule": "constant", "warmup_epochs": 0.0, "ema": None, "steps": len(rates)}
    )
    state = State(task, still, choices, len(rates))
    losses: list[float] = []
    mean = lowest = math.inf
    for rate, batch in zip(rates, _forever(feed)):
        try:
            losses.append(sum(float(loss) for loss in train_step(state, batch, rate).values()))
        except NonFiniteLoss:
            break
        mean = losses[-1] if math.isinf(mean) else 0.7 * mean + 0.3 * losses[-1]
        lowest = min(lowest, mean)
        if len(losses) > _LEAST and mean > _EXPLODED * abs(lowest):
            break
    return losses


def _forever(feed: Feed) -> Iterator[Any]:
    epoch = 0
    while True:
        yield from feed.batches(epoch)
        epoch += 1


@contextmanager
def _untouched(feed: Feed) -> Iterator[None]:
    """Inside this block chance may be drawn: afterwards all generators are where they were."""
    states = generator_states()
    loader = getattr(
        feed, "_train", None
    )  # a person's own DataLoader, and its sampler, may have generators of their own
    owners = (loader, getattr(loader, "sampler", None))
    own = [g for owner in owners if isinstance(g := getattr(owner, "generator", None), torch.Generator)]
    drawn = [generator.get_state() for generator in own]
    try:
        yield
    finally:
        restore_generators(states)
        for generator, state in zip(own, drawn):
            generator.set_state(state)
