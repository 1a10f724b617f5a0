"""Settings that suit an optimiser, from settings that suit another one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from etude.train.recipe import Recipe

MOST_FULL_BATCH = 10_000  # examples that are taken in one batch without asking


@dataclass(frozen=True)
class _Suits:
    """What suits one optimiser.

    Args:
        step: its usual learning rate as a multiple of AdamW's; None: it has a rate of its own, ``rate``.
        rate: the learning rate whatever the model.
        decay: weight decay that is an L2 penalty; None: it is apart from the gradient, as AdamW's.
        others: further settings.
    """

    step: float | None
    rate: float = 0.0
    decay: float | None = 5e-4
    others: tuple[tuple[str, Any], ...] = ()


_SUITS = {
    # measured on LeNet-5: twice this collapses, half of it is slower (momentum 0.9 makes each gradient count ten times)
    "sgd": _Suits(12),
    # no momentum, so larger steps; constant, because the mean does what a falling rate is for (Polyak & Juditsky 1992)
    "asgd": _Suits(50, others=(("schedule", "constant"), ("ema", None))),
    # the step is made of the lengths of earlier steps, which is the rate 1 of Zeiler 2012
    "adadelta": _Suits(None, rate=1.0, decay=1e-4),
    # its steps shrink as 1/sqrt(t) by themselves, so they begin larger (Duchi et al. 2011)
    "adagrad": _Suits(10, decay=1e-4),
    "adam": _Suits(1, decay=1e-4),
    "adamw": _Suits(1, decay=None),
    # the largest gradient lately, not the mean square, is the measure: 2e-3 to Adam's 1e-3 (Kingma & Ba 2015, section 7.1)
    "adamax": _Suits(2, decay=1e-4),
    "sparseadam": _Suits(1, decay=None),
    # momentum comes on top of a step that is already of the length of the rate
    "rmsprop": _Suits(0.2, decay=1e-4),
    # only the first step; every parameter finds its own from there (Riedmiller & Braun 1993)
    "rprop": _Suits(None, rate=1e-3, decay=1e-4, others=(("schedule", "constant"), ("epochs", 150))),
    # the whole quasi-Newton step; the line search shortens it where needed (Nocedal & Wright 2006, section 7.2)
    "lbfgs": _Suits(
        None, rate=1.0, decay=1e-4, others=(("schedule", "constant"), ("epochs", 10), ("clip_norm", None))
    ),
    # its updates are scaled to be as large as AdamW's (Liu et al. 2025, section 2.2); measured on an MLP and LeNet-5, twice
    # the rate does better
    "muon": _Suits(2, decay=None, others=(("momentum", 0.95),)),
}


def suggested_settings(optimizer: str, base: dict[str, Any], train_size: int = 0) -> dict[str, Any]:
    """Settings to put over ``base`` when ``optimizer`` takes the place of the optimiser that ``base`` was tuned for.

    Args:
        optimizer: a name of `etude.train.recipe.Optimizer`.
        base: settings of a recipe; what it leaves out is the recipe's default.
        train_size: training examples; Rprop and L-BFGS take them all in one batch if they are 10,000 or fewer. With more,
            or of unknown number (0), the batch size stays and `etude.train.optimizers.check_batches` says what to set.

    Returns:
        the settings that change; empty where the optimiser is the same.
    """
    before = str(base.get("optimizer", _default("optimizer")))
    if optimizer == before:
        return {}
    new, old = _SUITS[optimizer], _SUITS[before]
    found: dict[str, Any] = {"optimizer": optimizer, "learning_rate": new.rate}
    if new.step is not None:
        rate = base.get("learning_rate", _default("learning_rate"))
        found["learning_rate"] = float(f"{rate * new.step / old.step:.2g}") if old.step else 1e-3 * new.step
    if new.decay is not None:
        found["weight_decay"] = new.decay
    elif old.decay is not None:
        found["weight_decay"] = _default("weight_decay")
    found |= dict(new.others)
    if optimizer in ("rprop", "lbfgs"):
        if 0 < train_size <= MOST_FULL_BATCH:
            found["batch_size"] = train_size
        # the function must be the same in every step
        found |= {
            "augment": False,
            "random_resized_crop": False,
            "color_jitter": 0.0,
            "cutout": 0,
            "mixup": 0.0,
            "ema": None,
        }
        found["warmup_epochs"] = 0.0
    return found


def usual_rate(optimizer: str) -> float | None:
    """A learning rate from which to look for a better one; None where the optimiser finds its own step."""
    step = _SUITS[optimizer].step
    return None if step is None else 1e-3 * step


def _default(name: str) -> Any:
    return Recipe.model_fields[name].default
