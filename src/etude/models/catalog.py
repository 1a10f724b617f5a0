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
from etude.models.entry import Model, Shape
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
    """A new model with random weights: examples ``[n, *input_shape]`` to outputs ``[n, num_classes]``.

    Args:
        name: one of `list_models`.
        input_shape: ``(channels, height, width)`` of one image, or ``(num_features,)`` of one row of a table;
            None means the one it was published for.
        num_classes: the number of logits, or 1 for a number (regression); None means as it was published.
        settings: the model's own settings, such as ``dropout=0.2`` or ``widths=(256, 128)``.

    Raises:
        EtudeError: there is no such model or it has no such setting, a value is out of bounds, the images
            are too small for it, or it takes no tables or gives no numbers.
    """
    model = find_model(name)
    shape = _checked_shape(model, model.input_shape if input_shape is None else input_shape)
    classes = _checked_classes(model, model.num_classes if num_classes is None else num_classes)
    settings = check_settings(model, settings)
    try:
        return model.build(shape, classes, **settings)
    except (RuntimeError, MemoryError, OverflowError) as error:  # torch has no better type for "out of memory"
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise EtudeError(
            en=f"{name} for inputs {shape} and {classes} outputs could not be made ({reason}); choose smaller ones.",
            zh=f"无法为形状 {shape} 的输入和 {classes} 个输出构建 {name}（{reason}）；请减小尺寸。",
        ) from error


@functools.cache
def _discover() -> tuple[Model, ...]:
    found: list[Model] = []
    for module in sorted(pkgutil.iter_modules(etude.models.__path__), key=lambda module: module.name):
        found.extend(getattr(import_module(f"etude.models.{module.name}"), "CATALOG", ()))
    return tuple(found)


def _checked_shape(model: Model, shape: Sequence[int]) -> Shape:
    sizes = [_whole(size) for size in shape] if isinstance(shape, list | tuple) else []
    if len(sizes) not in (1, 3) or min(sizes) < 1:
        raise EtudeError(
            en=f"input_shape is {shape}; it must be three whole numbers of at least 1 for images, (channels, height, width), "
            "or one for a table, (num_features,).",
            zh=f"input_shape 为 {shape}；对图片，它必须是三个不小于 1 的整数：（通道数，高，宽）；对表格，则是一个整数：特征数，写成 (num_features,)。",
        )
    if len(sizes) == 1:
        if model.takes_tables:
            return (sizes[0],)
        able = _names("takes_tables")
        raise EtudeError(
            en=f"{model.name} takes images (channels, height, width), not rows of a table with {sizes[0]} features; "
            f"these models take tables: {', '.join(able)}.",
            zh=f"{model.name} 的输入是图片（通道数，高，宽），不能是含 {sizes[0]} 个特征的表格行；"
            f"可用于表格的模型：{'、'.join(able)}。",
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


def _checked_classes(model: Model, num_classes: int) -> int:
    classes = _whole(num_classes)
    if classes == 1 and not model.gives_numbers:
        able = _names("gives_numbers")
        raise EtudeError(
            en=f"num_classes is 1, but {model.name} tells classes apart and needs at least 2; "
            f"these models also give a number (regression): {', '.join(able)}.",
            zh=f"num_classes 为 1，而 {model.name} 用于分类，至少需要 2 个类别；可以只输出一个数（回归）的模型：{'、'.join(able)}。",
        )
    if classes < 1:
        raise EtudeError(
            en=f"num_classes is {num_classes}; it must be a whole number: at least 2 classes to tell apart, "
            "or 1 for a number (regression).",
            zh=f"num_classes 为 {num_classes}；它必须是整数：分类至少为 2，回归（只输出一个数）为 1。",
        )
    return classes


def _names(ability: str) -> list[str]:
    return [name for name, model in list_models().items() if getattr(model, ability)]


def _whole(number: Any) -> int:
    """``number`` as an int, also from NumPy's and torch's integers; 0, which is never allowed, for anything else."""
    try:
        return 0 if isinstance(number, bool) else operator.index(number)
    except TypeError:
        return 0
