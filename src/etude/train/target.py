"""Training until an accuracy is reached: what a validation part of limited size can tell of it."""

from __future__ import annotations

import math
from typing import Any

from etude.core.errors import EtudeError
from etude.train.recipe import Recipe

_Z90 = 1.2815515655446004  # nine tenths of a normal distribution lie below it
AT_LEAST, AT_MOST = "accuracy_at_least", "accuracy_at_most"
"""The metrics that are compared with ``to_accuracy``."""


def at_least(accuracy: float, count: int) -> float:
    """What the accuracy on endlessly many such examples is with 90 % confidence: the lower end of Wilson's interval.

    The accuracy on ``count`` examples alone would be too hopeful: of the networks that reach a target on a few thousand
    pictures, half are below it in truth, and more where one is picked out of many evaluations.

    Args:
        accuracy: the share of ``count`` examples that was right.

    Source: Wilson 1927, one-sided.
    """
    return _wilson(accuracy, count, -1) if count else 0.0


def at_most(accuracy: float, count: int) -> float:
    """The upper end, likewise: with 90 % confidence the accuracy is not above it."""
    return _wilson(accuracy, count, +1) if count else 1.0


def _wilson(accuracy: float, count: int, side: int) -> float:
    z2 = _Z90**2
    centre = accuracy + z2 / (2 * count)
    half = _Z90 * math.sqrt(accuracy * (1 - accuracy) / count + z2 / (4 * count**2))
    return min(max((centre + side * half) / (1 + z2 / count), 0.0), 1.0)


def with_bound(metrics: dict[str, float], recipe: Recipe, part: Any) -> dict[str, float]:
    """``metrics`` of one part of the data, with `at_least` and `at_most` where the recipe has a target."""
    if recipe.to_accuracy is None or "accuracy" not in metrics:
        return metrics
    accuracy, count = metrics["accuracy"], len(part)
    return metrics | {AT_LEAST: at_least(accuracy, count), AT_MOST: at_most(accuracy, count)}


def reaches(metrics: dict[str, float], recipe: Recipe, cycle_ended: bool) -> bool:
    """Whether an evaluation is reason to stop.

    Within a cycle of the learning rate it must show the target with 90 % confidence: one looks often there, and who
    stops at the first success stops by luck. Where a cycle ends there is one look, at the best that the cycle leads to:
    there it is enough that the target cannot be ruled out with that confidence, because a cycle twice as long gains
    less than the validation part can tell.
    """
    target = recipe.to_accuracy
    if target is None:
        return False
    return metrics.get(AT_LEAST, 0.0) >= target or (cycle_ended and metrics.get(AT_MOST, 0.0) >= target)


def cycle_ends(total_steps: int, recipe: Recipe, steps_per_epoch: int) -> list[int]:
    """The steps after which a cycle of the learning rate ends, in order; the last is ``total_steps``.

    How long a schedule must be to reach a target is not known beforehand, and a schedule is at its best at its end. So
    the one-cycle schedule is run through up to three times, each time twice as long as before (Loshchilov & Hutter 2017,
    section 4, with T_mult 2): that costs at most about three times what the right length would have. Cycles end with
    epochs, where there is an evaluation. Fewer than seven epochs are one cycle.
    """
    epochs = total_steps / steps_per_epoch
    if recipe.to_accuracy is None or recipe.schedule != "one-cycle" or epochs < 7:
        return [total_steps]
    ends = {max(1, round(epochs * done / 7)) * steps_per_epoch for done in (1, 3)}
    return [*sorted(end for end in ends if end < total_steps), total_steps]


def check_target(recipe: Recipe, kind: str, validation: Any) -> None:
    """See to it that the target of a recipe, if it has one, can be reached and seen to be.

    Args:
        kind: of the task.
        validation: the part it is measured on, or None.

    Raises:
        EtudeError: the task has no accuracy, there is no validation part, or it is too small to show it, or does not tell its size.
    """
    target = recipe.to_accuracy
    if target is None:
        return
    if kind != "classification":
        raise EtudeError(
            en=f"to_accuracy is {target:g}, but a {kind} has no accuracy; leave it out (early_stopping stops where nothing "
            "is gained any more).",
            zh=f"to_accuracy 为 {target:g}，但回归任务没有准确率；请去掉它（early_stopping 会在不再进步时停止）。",
        )
    if validation is None:
        raise EtudeError(
            en=f"to_accuracy is {target:g}, but there is no validation part to measure it on; give one: (train, validation).",
            zh=f"to_accuracy 为 {target:g}，但没有验证集可供测量；请给出验证集：（训练集，验证集）。",
        )
    try:
        count = len(validation)
    except TypeError:
        raise EtudeError(
            en=f"to_accuracy is {target:g}, but the validation data does not say how many examples it has; give a Dataset "
            "with __len__, or a DataLoader over one.",
            zh=f"to_accuracy 为 {target:g}，但验证数据没有给出样本数；请给出带 __len__ 的 Dataset 或其 DataLoader。",
        ) from None
    highest = at_least(1.0, count)
    if highest < target:
        raise EtudeError(
            en=f"to_accuracy is {target:g}, but {count:,} validation examples cannot show more than "
            f"{math.floor(1000 * highest) / 1000:g}, even if every one is classified correctly; ask for less.",
            zh=f"to_accuracy 为 {target:g}，但 {count:,} 个验证样本即使全部判断正确，也只能证明准确率达到 "
            f"{math.floor(1000 * highest) / 1000:g}；请降低目标。",
        )
