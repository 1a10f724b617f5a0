"""Where the weights of a new run come from: chance, a file, another run, étude's own, torchvision's."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from etude.core.errors import EtudeError
from etude.core.text import Text
from etude.data.catalog import list_datasets
from etude.data.dataset import ImageData
from etude.data.entry import NamedDataset
from etude.models.catalog import list_models
from etude.models.settings import settings_of
from etude.train.fine_tuning import FEW
from etude.train.pretrained import pretrained_weights
from etude.train.recommended import recommended_model
from etude.train.weight_files import Weights, read_weights
from etude.train.weights import apply_weights


def find_weights(
    weights: Weights | Path | str | None,
    pretrained: bool | None,
    model: Any,
    data: Any,
    progress: Callable[[int, int], None] | None = None,
) -> Weights | None:
    """The weights that were asked for, or None.

    Args:
        weights: a file, or a run.
        pretrained: those that are known for ``model``.
        model: the name of a model, a module, or None.
        data: what is to be trained on: of several networks known for a model, the one trained on it is taken.
        progress: called with (bytes so far, bytes in all) of a download.

    Raises:
        EtudeError: there are none, or both were asked for.
    """
    if weights is not None and pretrained:
        raise EtudeError(
            en="--weights and --pretrained were both given; begin with one of them.",
            zh="同时给出了 --weights 与 --pretrained；请只用其中一个。",
        )
    if weights is not None:
        return weights if isinstance(weights, Weights) else read_weights(weights)
    if not pretrained:
        return None
    if model is not None and not isinstance(model, str):
        raise EtudeError(
            en="There are no pretrained weights for a model of your own; give a file: weights=FILE.",
            zh="您自己的模型没有预训练权重；请给出权重文件：weights=文件。",
        )
    if isinstance(data, (str, Path)):
        name = None if _is_own_folder(data) else str(data)
    else:
        name = getattr(data, "name", None)
    return pretrained_weights(model or _usual_model(name), name, progress)


def _usual_model(data_name: str | None) -> str:
    """What is trained where no model is named: for pictures of one's own, the one that knows photographs."""
    entry = list_datasets().get(data_name or "")
    return recommended_model(entry.input_shape) if isinstance(entry, NamedDataset) else "resnet20"


def gains_from_weights(data: Any, load: Mapping[str, Any]) -> bool:
    """Whether ``data`` are few photographs of a person's own, of which a network learns little from the beginning.

    Args:
        data: what `etude.data.catalog.load_data` returned.
        load: the arguments that a person gave it; one who chose the size of the pictures has a network in mind.
    """
    return (
        isinstance(data, ImageData)
        and "path" in data.source
        and data.input_shape[0] == 3
        and len(data.train) < FEW
        and load.get("image_size") is None
    )


def suited_to(weights: Weights | None, data: Path | str) -> dict[str, Any]:
    """Arguments of `etude.data.catalog.load_data` that make a person's own pictures as large as those the weights know."""
    wanted = weights and weights.image_size and _is_own_folder(data)
    return {"image_size": weights.image_size} if weights and wanted else {}


def _is_own_folder(data: Path | str) -> bool:
    """Whether `etude.data.catalog.load_data` takes it as a folder: a `Path` may be called like a data set."""
    named = isinstance(data, str) and data in list_datasets()
    return not named and os.path.isdir(os.path.expanduser(data))


def settings_that_fit(weights: Weights, model: str) -> dict[str, Any]:
    """Settings of ``model`` that can be read off weights of which nothing else is known: a ResNet's first convolution."""
    entry = list_models().get(model)
    first = next((t for name, t in weights.tensors.items() if name.endswith("conv1.weight")), None)
    if entry is None or first is None or first.ndim != 4 or "stem" not in settings_of(entry):
        return {}
    return {"stem": "imagenet" if first.shape[-1] == 7 else "small"}


def put_into(weights: Weights, net: nn.Module, data: Any) -> tuple[Any, dict[str, Any], list[Text]]:
    """Put ``weights`` into ``net``, and normalise pictures as those were that the weights know.

    Returns:
        the data, what ``run.json`` says of the weights, and what a person should know.

    Raises:
        EtudeError: the weights are of another network; it is left as it was.
    """
    notes = apply_weights(net, weights.tensors, weights.where)
    if isinstance(data, ImageData):
        known = weights.normalisation_for(data.input_shape[0])
        if known is not None:
            data = replace(data, mean=known[0], std=known[1])
    record = {
        "from": weights.where,
        "model": weights.model,
        "notes": [{"en": note.en, "zh": note.zh} for note in notes],
    }
    return data, record, notes
