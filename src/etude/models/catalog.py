"""The catalogue of models: every module beside this one that defines ``CATALOG``.

Adding an architecture is adding one file with ``CATALOG: tuple[Model, ...]``; listing, checks, command line
and tests follow from it.
"""

from __future__ import annotations

import functools
import operator
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
    settings = check_settings(model, settings)
    try:
        return model.build(shape, classes, **settings)
    except (RuntimeError, MemoryError, OverflowError) as error:  # torch has no better type for "out of memory"
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise EtudeError(
            en=f"{name} for images {shape} and {classes} classes could not be made ({reason}); choose smaller ones.",
            zh=f"无法为 {shape} 的图片和 {classes} 个类别构建 {name}（{reason}）；请减小尺寸。",
        ) from error


@functools.cache
def _discover() -> tuple[Model, ...]:
    found: list[Model] = []
    for module in sorted(pkgutil.iter_modules(etude.models.__path__), key=lambda module: module.name):
        found.extend(getattr(import_module(f"etude.models.{module.name}"), "CATALOG", ()))
    return tuple(found)


def _checked_shape(model: Model, shape: Sequence[int]) -> tuple[int, int, int]:
    sizes = [_whole(size) for size in shape] if isinstance(shape, list | tuple) else []
    if len(sizes) != 3 or min(sizes) < 1:
        raise EtudeError(
            en=f"input_shape is {shape}; it must be three whole numbers of at least 1: (channels, height, width).",
            zh=f"input_shape 为 {shape}；它必须是三个不小于 1 的整数：（通道数，高，宽）。",
        )
    channels, height, width = sizes
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
    classes = _whole(num_classes)
    if classes < 2:
        raise EtudeError(
            en=f"num_classes is {num_classes}; there must be at least 2 classes to tell apart.",
            zh=f"num_classes 为 {num_classes}；至少要有 2 个类别才能分类。",
        )
    return classes


def _whole(number: Any) -> int:
    """``number`` as an int, also from NumPy's and torch's integers; 0, which is never allowed, for anything else."""
    try:
        return 0 if isinstance(number, bool) else operator.index(number)
    except TypeError:
        return 0
