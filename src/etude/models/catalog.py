"""The catalogue of models: every module beside this one that defines ``CATALOG``.

Adding an architecture is adding one file with ``CATALOG: tuple[Model, ...]``; listing, checks, command line
and tests follow from it.
"""

from __future__ import annotations

import functools
import pkgutil
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

import etude.models
from etude.core.errors import EtudeError, unknown
from etude.core.text import Text
from etude.models.entry import Model
from etude.models.settings import check_settings

if TYPE_CHECKING:
    from torch import nn


def list_models() -> dict[str, Model]:
    """Every model by its name: in the order of the files' names, then as listed in each file."""
    return {model.name: model for model in _discover()}


def find_model(name: str) -> Model:
    """The model called ``name``.

    Raises:
        EtudeError: there is none; the nearest names are suggested.
    """
    models = list_models()
    if name not in models:
        raise unknown(Text(en="model", zh="模型"), str(name), models)
    return models[name]


def build_model(
    name: str, input_shape: Sequence[int] | None = None, num_classes: int | None = None, **settings: Any
) -> nn.Module:
    """A new model with random weights: images ``[n, channels, height, width]`` to logits ``[n, num_classes]``.

    Args:
        name: one of `list_models`.
        input_shape: ``(channels, height, width)`` of one image; None means the one it was published for.
        num_classes: None means the number it was published for.
        settings: the model's own settings, such as ``dropout=0.2`` or ``widths=(256, 128)``.

    Raises:
        EtudeError: there is no such model or it has no such setting, a value is out of bounds, or the images
            are too small for it.
    """
    model = find_model(name)
    shape = _checked_shape(model, model.input_shape if input_shape is None else input_shape)
    classes = _checked_classes(model.num_classes if num_classes is None else num_classes)
    return model.build(shape, classes, **check_settings(model, settings))


@functools.cache
def _discover() -> tuple[Model, ...]:
    found: list[Model] = []
    for module in sorted(pkgutil.iter_modules(etude.models.__path__), key=lambda module: module.name):
        found.extend(getattr(import_module(f"etude.models.{module.name}"), "CATALOG", ()))
    return tuple(found)


def _checked_shape(model: Model, shape: Sequence[int]) -> tuple[int, int, int]:
    whole = isinstance(shape, list | tuple) and all(type(size) is int and size >= 1 for size in shape)
    if not whole or len(shape) != 3:
        raise EtudeError(
            en=f"input_shape is {shape}; it must be three whole numbers of at least 1: (channels, height, width).",
            zh=f"input_shape 为 {shape}；它必须是三个不小于 1 的整数：（通道数，高，宽）。",
        )
    channels, height, width = shape
    if min(height, width) < model.smallest:
        least = f"{model.smallest}×{model.smallest}"
        raise EtudeError(
            en=f"{model.name} needs images of at least {least} pixels, but these are {height}×{width}; "
            "take larger images, or a model that takes any size, such as mlp.",
            zh=f"{model.name} 需要至少 {least} 像素的图片，而给出的是 {height}×{width}；"
            "请使用更大的图片，或换用任何尺寸都能处理的模型，例如 mlp。",
        )
    return channels, height, width


def _checked_classes(num_classes: int) -> int:
    if type(num_classes) is not int or num_classes < 2:
        raise EtudeError(
            en=f"num_classes is {num_classes}; there must be at least 2 classes to tell apart.",
            zh=f"num_classes 为 {num_classes}；至少要有 2 个类别才能分类。",
        )
    return num_classes
