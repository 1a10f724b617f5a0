"""The learning rate as a function of the step: nothing to save, nothing to step."""

from __future__ import annotations

import math

from etude.train.recipe import Recipe
from etude.train.target import cycle_ends

_RISE, _START_DIVISOR, _FINAL_DIVISOR = 0.3, 25.0, 1e4  # Smith & Topin 2018, as torch's OneCycleLR has them


def learning_rate_at(step: int, total_steps: int, recipe: Recipe, steps_per_epoch: int) -> float:
    """The learning rate of update number ``step`` (from 0).

    ``one-cycle`` is Smith & Topin 2018 as in `torch.optim.lr_scheduler.OneCycleLR` (cosine, two phases,
    momentum not cycled), once, or where there is an accuracy to reach once for each of the
    `etude.train.target.cycle_ends`; ``cosine`` is Loshchilov & Hutter 2017 without restarts, after the warm-up; ``step`` is
    `torch.optim.lr_scheduler.StepLR` (He et al. 2016, section 4.2), whose drops are counted from the start of the run,
    warm-up included (Goyal et al. 2017, section 5.1).
    """
    peak = recipe.learning_rate
    if recipe.schedule == "one-cycle":
        ends = cycle_ends(total_steps, recipe, steps_per_epoch)
        end = next((end for end in ends if step < end), total_steps)
        began = max((each for each in ends if each < end), default=0)
        return _one_cycle(step - began, end - began, peak)
    warmup = min(round(recipe.warmup_epochs * steps_per_epoch), total_steps)
    if step < warmup:
        return peak * (step + 1) / warmup
    if recipe.schedule == "step":
        between = total_steps / 3 if recipe.step_size is None else recipe.step_size * steps_per_epoch
        return peak * recipe.gamma ** math.floor(step / between + 1e-9)
    if recipe.schedule == "cosine":
        return peak * (1 + math.cos(math.pi * (step - warmup) / max(total_steps - warmup, 1))) / 2
    return peak


def _one_cycle(step: int, total_steps: int, peak: float) -> float:
    first, top, last = peak / _START_DIVISOR, float(_RISE * total_steps) - 1, total_steps - 1
    if step <= top:
        return _cosine(first, peak, step / top if top > 0 else 1.0)
    share = (step - top) / (last - top) if last > top else 1.0
    return _cosine(peak, first / _FINAL_DIVISOR, share)


def _cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) / 2.0 * (math.cos(math.pi * share) + 1)
