"""Recipes that suit a model and a data set, so that nothing needs to be set to do well."""

from __future__ import annotations

from typing import Any

from etude.core.settings import make
from etude.train.recipe import Recipe

_ENOUGH_STEPS = 600  # small sets are seen more often: fewer updates than this leave a network half-taught
_MOST_EPOCHS = 40  # and more passes than this are a long wait for little
_FEW = 5_000  # below this many pictures, a large step of SGD throws a ResNet about

_FAMILIES: dict[str, dict[str, Any]] = {
    "mlp": {"epochs": 10, "batch_size": 128, "optimizer": "adamw", "learning_rate": 2e-3},
    "lenet": {"epochs": 8, "batch_size": 128, "optimizer": "adamw", "learning_rate": 6e-3, "ema": 0.999},
    "resnet": {
        "epochs": 15,
        "batch_size": 128,
        "optimizer": "sgd",
        "learning_rate": 0.1,
        "weight_decay": 5e-4,
        "augment": True,
    },
    "resnet, few pictures": {
        "epochs": 15,
        "batch_size": 32,
        "optimizer": "adamw",
        "learning_rate": 5e-3,
        "weight_decay": 0.05,
        "ema": 0.99,
        "label_smoothing": 0.1,
        "keep": "last",  # the validation part is too small to tell a good epoch from a lucky one
        "augment": True,
    },
}


def recommend(model: str, train_size: int, chosen: dict[str, Any] | None = None) -> Recipe:
    """A recipe for ``model`` on ``train_size`` training examples.

    Args:
        model: a name of the catalogue; for any other, the settings of an MLP with a careful learning rate.
        chosen: what a person set; it takes precedence.

    Raises:
        EtudeError: a chosen value is out of bounds.
    """
    chosen = {name: value for name, value in (chosen or {}).items() if value is not None}
    family = _family(model)
    if family == "resnet" and train_size and train_size < _FEW:
        family = "resnet, few pictures"
    settings = dict(_FAMILIES.get(family, {"epochs": 10, "learning_rate": 1e-3}))
    batch_size = chosen.get("batch_size", settings.get("batch_size", 64))
    if train_size and isinstance(batch_size, int) and batch_size > 0:
        if "batch_size" not in chosen:
            settings["batch_size"] = batch_size = max(8, min(batch_size, train_size // 6))
        enough = round(_ENOUGH_STEPS / -(-train_size // batch_size))
        settings["epochs"] = max(settings["epochs"], min(enough, _MOST_EPOCHS))
    if chosen.get("schedule", "one-cycle") != "one-cycle" and "warmup_epochs" not in chosen:
        settings["warmup_epochs"] = 1.0 if chosen["schedule"] == "cosine" else 0.0
    return make(Recipe, settings | chosen)


def recommended_model(input_shape: tuple[int, int, int]) -> str:
    """The model to begin with for pictures ``(channels, height, width)``."""
    channels, height, width = input_shape
    side = min(height, width)
    if side < 12:
        return "mlp"
    return "lenet5" if channels == 1 and side <= 40 else "resnet20"


def _family(model: str) -> str:
    if model.startswith("mlp"):
        return "mlp"
    if model.startswith("lenet"):
        return "lenet"
    return "resnet" if model.startswith(("resnet", "plain")) else ""
