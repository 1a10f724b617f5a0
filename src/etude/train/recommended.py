"""Recipes that suit a model and a data set, so that nothing needs to be set to do well."""

from __future__ import annotations

from typing import Any, get_args

from etude.core.settings import make
from etude.train.fine_tuning import FEW, fine_tuning_settings
from etude.train.optimizer_defaults import suggested_settings
from etude.train.recipe import Optimizer, Recipe

_ENOUGH_STEPS = 600  # small sets are seen more often: fewer updates than this leave a network half-taught
_MOST_EPOCHS = 40  # and more passes than this are a long wait for little
_MOST_ROW_EPOCHS = 400  # of a table, whose rows cost next to nothing

_FAMILIES: dict[str, dict[str, Any]] = {
    "any": {"epochs": 10, "batch_size": 64, "learning_rate": 1e-3},
    "table": {
        "epochs": 10,
        "batch_size": 32,
        "optimizer": "adamw",
        "learning_rate": 1e-3,
        "weight_decay": 3.0,  # few rows, many weights
        "label_smoothing": 0.1,
    },
    # as many weights as columns: the larger step does no harm, and nothing needs to be held back
    "table, one layer": {"epochs": 10, "batch_size": 32, "optimizer": "adamw", "learning_rate": 0.03},
    "deep, not normalised": {
        "epochs": 15,
        "batch_size": 64,
        "optimizer": "adamw",
        "learning_rate": 3e-4,
        "weight_decay": 0.05,
        "augment": True,
        "clip_norm": 1.0,
    },
    "mlp": {"epochs": 10, "batch_size": 128, "optimizer": "adamw", "learning_rate": 2e-3},
    "lenet": {"epochs": 8, "batch_size": 128, "optimizer": "adamw", "learning_rate": 6e-3, "ema": 0.999},
    # an average over a thousand steps is too slow for a schedule of a few hundred
    "lenet, soon": {"epochs": 12, "batch_size": 256, "optimizer": "adamw", "learning_rate": 0.012, "ema": 0.98},
    "lenet, few pictures": {
        "epochs": 60,
        "batch_size": 32,
        "optimizer": "adamw",
        "learning_rate": 3e-3,
        "weight_decay": 0.05,
        "dropout": 0.3,
        "ema": 0.99,
        "label_smoothing": 0.1,
        "keep": "last",  # the validation part is too small to tell a good epoch from a lucky one
        "augment": True,
    },
    "resnet": {
        "epochs": 15,
        "batch_size": 128,
        "optimizer": "sgd",
        "learning_rate": 0.1,
        "weight_decay": 5e-4,
        "augment": True,
    },
    # Jordan 2024
    "speednet": {
        "epochs": 10,
        "batch_size": 1024,
        "optimizer": "sgd",
        "learning_rate": 1.5,
        "momentum": 0.85,
        "weight_decay": 1.33e-3,
        "label_smoothing": 0.2,
        "augment": True,
        "ema": 0.98,
        "keep": "last",
    },
    "resnet, few pictures": {
        "epochs": 15,
        "batch_size": 32,
        "optimizer": "adamw",
        "learning_rate": 5e-3,
        "weight_decay": 0.05,
        "ema": 0.99,
        "label_smoothing": 0.1,
        "keep": "last",
        "augment": True,
    },
}


def recommend(
    model: str,
    train_size: int,
    chosen: dict[str, Any] | None = None,
    *,
    table: bool = False,
    trained: bool = False,
) -> Recipe:
    """A recipe for ``model`` on ``train_size`` training examples.

    Args:
        model: a name of the catalogue; for any other, the settings of an MLP with a careful learning rate.
        chosen: what a person set; it takes precedence.
        table: the examples are rows of a table, not pictures.
        trained: the model begins with trained weights.

    Raises:
        EtudeError: a chosen value is out of bounds.
    """
    chosen = {name: value for name, value in (chosen or {}).items() if value is not None}
    if trained:
        settings = fine_tuning_settings(train_size, chosen.get("freeze") is True)
    else:
        family = _family(model, train_size, table)
        soon = f"{family}, soon" if chosen.get("to_accuracy") is not None else ""
        settings = dict(_FAMILIES.get(soon, _FAMILIES[family]))
        settings = _for_size(settings, chosen, train_size, _MOST_ROW_EPOCHS if table else _MOST_EPOCHS)
        if family == "speednet":  # its learning rate goes with the size of the batch
            settings["learning_rate"] *= settings["batch_size"] / _FAMILIES[family]["batch_size"]
    if chosen.get("to_accuracy") is not None:
        settings |= _soon(settings)
    if chosen.get("optimizer") in get_args(Optimizer):
        settings |= suggested_settings(chosen["optimizer"], settings, train_size)
    schedule = chosen.get("schedule", settings.get("schedule", "one-cycle"))
    if schedule == "cosine":
        settings["warmup_epochs"] = 1.0
    return make(Recipe, settings | chosen)


def _for_size(
    settings: dict[str, Any], chosen: dict[str, Any], train_size: int, most_epochs: int
) -> dict[str, Any]:
    """``settings`` with smaller batches and more epochs where there are few examples."""
    batch_size = chosen.get("batch_size", settings["batch_size"])
    if not train_size or not isinstance(batch_size, int) or batch_size < 1:
        return settings
    if "batch_size" not in chosen:
        batch_size = max(8, min(batch_size, train_size // 6))
    enough = round(_ENOUGH_STEPS / -(-train_size // batch_size))
    epochs = max(settings["epochs"], min(enough, most_epochs))
    return settings | {"batch_size": batch_size, "epochs": epochs}


def _soon(settings: dict[str, Any]) -> dict[str, Any]:
    """What changes where an accuracy is to be reached soon: a third of the epochs, then twice, then four times as many.

    See `etude.train.target.cycle_ends`. Smoothed labels cost likelihood and gain accuracy, which is what is asked for
    (LeNet-5 on the validation part of MNIST: a tenth of a point).
    """
    return {"epochs": 7 * -(-settings["epochs"] // 3), "schedule": "one-cycle", "label_smoothing": 0.1}


def recommended_settings(model: str, input_shape: tuple[int, ...]) -> dict[str, Any]:
    """Settings of the model that suit the data better than those it was published with."""
    if len(input_shape) == 1 and model.startswith("mlp"):
        return {"widths": (64, 64)}  # a table has tens of columns, not hundreds of pixels
    return {}


def recommended_model(input_shape: tuple[int, ...]) -> str:
    """The model to begin with for pictures ``(channels, height, width)``, or for a table ``(num_features,)``."""
    if len(input_shape) == 1:
        return "mlp"
    channels, height, width = input_shape
    side = min(height, width)
    if side < 12:
        return "mlp"
    return "lenet5" if channels == 1 and side <= 40 else "resnet20"


def _family(model: str, train_size: int, table: bool) -> str:
    model = model.removeprefix("torchvision:")
    if table:
        return "table, one layer" if model in ("linear", "logistic") else "table"
    few = ", few pictures" if 0 < train_size < FEW else ""
    if model.startswith(("resnet", "plain", "googlenet")) or (
        model.startswith("vgg") and model.endswith("_bn")
    ):
        return f"resnet{few}"
    if model == "speednet":
        return "speednet"
    if model.startswith("lenet"):
        return f"lenet{few}"
    if model.startswith("mlp"):
        return "mlp"
    return "deep, not normalised" if model.startswith(("alexnet", "vgg")) else "any"
