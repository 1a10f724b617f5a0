"""torchvision's classifiers by name, as ``torchvision:resnet18``, beside the models of étude's own catalogue."""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import nn

from etude.core.errors import EtudeError, unknown
from etude.core.text import Text
from etude.models.catalog import build_model, find_model
from etude.models.entry import Model, Shape
from etude.models.settings import check_settings
from etude.train.torchvision_weights import PREFIX, default_weights, list_torchvision_models

_NOT_FOR_CLASSES = ("segmentation", "detection", "video", "quantization", "optical_flow")
_INCEPTION_SIDE = 299  # the auxiliary classifier of Inception v3 needs the 17×17 maps that this leaves it


def find_any_model(name: str) -> Model:
    """What is known of a model: one of the catalogue, or ``torchvision:NAME``.

    Raises:
        EtudeError: there is none; the nearest names are suggested.
    """
    return find_torchvision_model(name) if is_torchvision(name) else find_model(name)


def build_any_model(name: str, input_shape: Sequence[int], num_classes: int, **settings: Any) -> nn.Module:
    """A new network with random weights: a model of the catalogue, or ``torchvision:NAME``.

    Args:
        name: as `find_any_model` takes it.
        input_shape: ``(channels, height, width)`` of one image.
        num_classes: number of logits.
        settings: the model's own; torchvision's have ``dropout``.

    Raises:
        EtudeError: there is no such model or setting, or the images do not suit it.
    """
    if not is_torchvision(name):
        return build_model(name, tuple(input_shape), num_classes, **settings)
    model = find_torchvision_model(name)
    if len(input_shape) != 3:
        raise EtudeError(
            en=f"{name} takes images (channels, height, width), not examples of shape {list(input_shape)}.",
            zh=f"{name} 的输入是图片（通道数，高，宽），而不是形状为 {list(input_shape)} 的样本。",
        )
    if num_classes < 1:
        raise EtudeError(
            en=f"num_classes is {num_classes}; it must be at least 1.",
            zh=f"num_classes 为 {num_classes}；它必须不小于 1。",
        )
    channels, height, width = input_shape
    return model.build((channels, height, width), num_classes, **check_settings(model, settings))


def is_torchvision(name: str) -> bool:
    """Whether a model's name means one of torchvision's."""
    return name.startswith(PREFIX)


def find_torchvision_model(name: str) -> Model:
    """What is known of ``torchvision:NAME``.

    Raises:
        EtudeError: torchvision has no such model, or it is no classifier of pictures.
    """
    import torchvision

    kind = name.removeprefix(PREFIX)
    if kind not in list_torchvision_models():
        if kind in torchvision.models.list_models():
            raise EtudeError(
                en=f"{name} is no classifier of pictures ({_purpose(kind)}); étude takes torchvision's classifiers, "
                "such as torchvision:resnet18.",
                zh=f"{name} 不是图片分类模型（{_purpose(kind)}）；étude 只使用 torchvision 的分类模型，例如 torchvision:resnet18。",
            )
        raise unknown(
            Text(en="torchvision classifier", zh=" torchvision 分类模型"),
            name,
            [PREFIX + each for each in list_torchvision_models()],
        )
    side = default_weights(kind).transforms().crop_size[0]
    return Model(
        name=PREFIX + kind,
        title=Text(en=f"torchvision's {kind}", zh=f"torchvision 的 {kind}"),
        source=_source(kind),
        build=partial(_build, kind=kind),
        input_shape=(3, side, side),
        num_classes=1000,
        notes=Text(
            en=f"Trained weights (ImageNet, {side}×{side} pixels) come with --pretrained, where the network allows it.",
            zh=f"在网络允许时，--pretrained 会取得训练好的权重（ImageNet，{side}×{side} 像素）。",
        ),
    )


def _build(input_shape: Shape, num_classes: int, *, kind: str, dropout: float | None = None) -> nn.Module:
    import torchvision

    channels, height, width = input_shape
    make = partial(
        getattr(torchvision.models, kind),
        weights=None,
        num_classes=num_classes,
        **_options(kind, height, width),
    )
    try:
        model = make()
    except NotImplementedError:  # asked for on the meta device, where RegNet cannot compute its widths
        with torch.device("cpu"):
            model = make()
        model.to("meta")
    if channels != 3:
        _take_channels(model, channels)
    if dropout is not None:
        _set_dropout(model, dropout, kind)
    _try_out(model, kind, input_shape)
    return model


def _options(kind: str, height: int, width: int) -> dict[str, Any]:
    """What the builder must be told for images of this size."""
    if kind == "googlenet":
        return {"init_weights": True}  # torchvision warns where it is left open
    if kind == "inception_v3":
        return {"init_weights": True, "aux_logits": min(height, width) >= _INCEPTION_SIDE}
    if kind.startswith("vit_"):
        patch = int(kind.rpartition("_")[2])
        if height != width or height % patch:
            side = default_weights(kind).transforms().crop_size[0]
            raise _wrong_size(kind, height, width, f"square images whose side is a multiple of {patch}",
                              f"边长为 {patch} 的倍数的正方形图片", side)  # fmt: skip
        return {"image_size": height}
    if kind.startswith("maxvit"):
        if height % 224 or width % 224:
            raise _wrong_size(
                kind, height, width, "sides that are multiples of 224", "边长为 224 的倍数的图片", 224
            )
        return {"input_size": (height, width)}
    return {}


def _wrong_size(kind: str, height: int, width: int, en: str, zh: str, side: int) -> EtudeError:
    return EtudeError(
        en=f"{PREFIX}{kind} needs {en}, but these are {height}×{width}; ask for them with --image-size {side}.",
        zh=f"{PREFIX}{kind} 需要{zh}，而给出的是 {height}×{width}；请使用 --image-size {side}。",
    )


def _take_channels(model: nn.Module, channels: int) -> None:
    """Replace the first convolution by one that takes so many channels."""
    name, old = next((name, m) for name, m in model.named_modules() if isinstance(m, nn.Conv2d))
    new = nn.Conv2d(
        channels, old.out_channels, old.kernel_size, old.stride, old.padding, bias=old.bias is not None,  # type: ignore[arg-type]
        device=old.weight.device,
    )  # fmt: skip
    parent, _, last = name.rpartition(".")
    setattr(model.get_submodule(parent), last, new)


def _set_dropout(model: nn.Module, dropout: float, kind: str) -> None:
    layers = [module for module in model.modules() if type(module) is nn.Dropout]
    if not layers:
        raise EtudeError(
            en=f"{PREFIX}{kind} has no dropout to set; leave dropout out.",
            zh=f"{PREFIX}{kind} 没有 Dropout 层；请去掉 dropout 设置。",
        )
    for layer in layers:
        layer.p = dropout


def _try_out(model: nn.Module, kind: str, input_shape: Shape) -> None:
    """See that such images pass through it, without computing anything.

    Raises:
        EtudeError: they are too small.
    """
    from etude.models.summary import count

    try:
        count(model, input_shape)
    except (RuntimeError, ValueError) as error:
        height, width = input_shape[1:]
        side = default_weights(kind).transforms().crop_size[0]
        raise EtudeError(
            en=f"{PREFIX}{kind} cannot take images of {height}×{width} pixels; ask for larger ones with --image-size {side}.",
            zh=f"{PREFIX}{kind} 无法处理 {height}×{width} 像素的图片；请用 --image-size {side} 取更大的图片。",
        ) from error


def _purpose(kind: str) -> str:
    import torchvision

    module = inspect.getmodule(torchvision.models.get_model_builder(kind))
    parts = (module.__name__ if module else "").split(".")
    return next((part for part in parts if part in _NOT_FOR_CLASSES), "?")


def _source(kind: str) -> str:
    """The paper that torchvision's documentation names."""
    import torchvision

    words = " ".join((inspect.getdoc(getattr(torchvision.models, kind)) or "").split())
    found = re.search(r"`([^`<]+?)\s*<(https?://[^>]+)>`_", words)
    return f"{found[1].removesuffix(' paper')}, {found[2]}" if found else "torchvision"
