"""Weights from elsewhere put into a model: strict, but for the last layer and the number of channels of the first."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from etude.core.errors import EtudeError
from etude.core.text import Text
from etude.train.averages import named_tensors
from etude.train.heads import find_head

_WRAPPERS = ("module.", "_orig_mod.", "model.")  # DataParallel and averages, torch.compile, Lightning
_RENAMED = (  # what torchvision's own classes rename when they load: DenseNet of 2017, vision transformers of 2022
    (re.compile(r"^(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\.)"), r"\1\2"),
    (re.compile(r"^(.*encoder_layer_\d+\.mlp)\.linear_1\."), r"\1.0."),
    (re.compile(r"^(.*encoder_layer_\d+\.mlp)\.linear_2\."), r"\1.3."),
)
_COUNTERS = ("num_batches_tracked", "n_averaged")  # they say how long was trained, and change no output


def apply_weights(model: nn.Module, tensors: Mapping[str, Tensor], where: str) -> list[Text]:
    """Put weights into ``model``; it is left as it was if they do not fit.

    All must fit but two layers: a head of another size begins anew; a first convolution for another number of channels
    is made to fit (three channels to one: the sum of their kernels, which answers a grey picture as before; one to
    three: a third of the kernel for each). Auxiliary classifiers, which only help in training, may be lacking.

    Args:
        model: its weights are those of before where this says that a layer begins anew.
        tensors: by their names, of any floating type; prefixes of wrappers are taken off.
        where: what a person knows them by.

    Returns:
        a sentence for each layer that could not be taken as it was.

    Raises:
        EtudeError: the weights are of another model; the first tensor that does not fit is named.
    """
    wanted, aliases = _wanted(model)
    given = {aliases.get(name, name): tensor for name, tensor in _renamed(tensors, wanted, aliases).items()}
    head = find_head(model)
    told = [
        *_leave_out_auxiliary(wanted, given),
        *_fit_channels(wanted, given, where),
        *_leave_out_head(wanted, given, head, where),
    ]
    _demand_all(wanted, given, where, type(model).__name__)
    with torch.no_grad():
        for name, tensor in given.items():
            wanted[name].copy_(tensor)
    return told


def _wanted(model: nn.Module) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of a model, tied ones once; and the other names of the tied ones."""
    wanted = {name.partition("/")[2]: t for name, t in named_tensors({"model": model}).items()}
    first = {id(tensor): name for name, tensor in wanted.items()}
    everything = model.state_dict(keep_vars=True)
    return wanted, {
        name: first[id(t)] for name, t in everything.items() if name not in wanted and id(t) in first
    }


def _renamed(
    tensors: Mapping[str, Tensor], wanted: Mapping[str, Tensor], aliases: Mapping[str, str]
) -> dict[str, Tensor]:
    """``tensors`` by the names that the model has for them, as far as a prefix or a known renaming does it."""
    known = wanted.keys() | aliases.keys()
    given = {
        name: t for name, t in tensors.items() if name in known or name.rpartition(".")[2] not in _COUNTERS
    }
    while not given.keys() & known:
        prefix = next((p for p in _WRAPPERS if given and all(name.startswith(p) for name in given)), None)
        if prefix is None:
            break
        given = {name.removeprefix(prefix): tensor for name, tensor in given.items()}
    for name in [name for name in given if name not in known]:
        for pattern, replacement in _RENAMED:
            new = pattern.sub(replacement, name)
            if new in known:
                given[new] = given.pop(name)
                break
    return given


def _leave_out_auxiliary(wanted: dict[str, Tensor], given: dict[str, Tensor]) -> list[Text]:
    """Drop what is for auxiliary classifiers and does not fit."""

    def auxiliary(name: str) -> bool:
        return name.lower().startswith("aux")

    lacking = [name for name in wanted if auxiliary(name) and _differs(wanted, given, name)]
    spare = [name for name in given if auxiliary(name) and name not in wanted]
    for name in {*lacking, *spare}:
        given.pop(name, None)
    for name in lacking:
        wanted.pop(name)
    if not lacking:
        return []
    return [
        Text(
            en="The auxiliary classifiers begin anew, at least in part.",
            zh="辅助分类器（至少其中一部分）重新初始化。",
        )
    ]


def _fit_channels(wanted: dict[str, Tensor], given: dict[str, Tensor], where: str) -> list[Text]:
    name = next((name for name, tensor in wanted.items() if tensor.ndim == 4), None)
    if name is None or name not in given or given[name].ndim != 4:
        return []
    there, here = given[name].shape[1], wanted[name].shape[1]
    if {there, here} != {1, 3}:
        return []
    kernels = given[name].float()
    given[name] = kernels.sum(1, keepdim=True) if here == 1 else kernels.expand(-1, 3, -1, -1) / 3
    if here == 1:
        return [
            Text(
                en=f"The weights in {where} are for colour pictures; the kernels of the first layer ({name}) are summed "
                "over the three channels for grey ones.",
                zh=f"{where} 的权重用于彩色图片；第一层（{name}）的卷积核在三个通道上求和，以用于灰度图片。",
            )
        ]
    return [
        Text(
            en=f"The weights in {where} are for grey pictures; each of the three channels of the first layer ({name}) "
            "gets a third of the kernel.",
            zh=f"{where} 的权重用于灰度图片；第一层（{name}）的三个通道各取卷积核的三分之一。",
        )
    ]


def _leave_out_head(
    wanted: dict[str, Tensor], given: dict[str, Tensor], head: str | None, where: str
) -> list[Text]:
    """Drop a head of another size, so that the model's own stays as it was made."""
    mine = [name for name in wanted if head is not None and name.startswith(f"{head}.")]
    if not any(_differs(wanted, given, name) for name in mine):
        return []
    weight = f"{head}.weight"
    there, here = given[weight].shape if weight in given else None, wanted[weight].shape
    if there is not None and (there[0] == here[0] or there[1:] != here[1:]):  # not a matter of classes
        return []
    for name in mine:
        wanted.pop(name)
        given.pop(name, None)
    if there is None:
        return [
            Text(
                en=f"{where} has no last layer ({head}); it begins anew, with {here[0]} outputs.",
                zh=f"{where} 中没有最后一层（{head}）；该层重新初始化，有 {here[0]} 个输出。",
            )
        ]
    return [
        Text(
            en=f"The last layer ({head}) in {where} has {there[0]} outputs, and {here[0]} are needed; it begins anew.",
            zh=f"{where} 的最后一层（{head}）有 {there[0]} 个输出，而这里需要 {here[0]} 个；该层重新初始化。",
        )
    ]


def _differs(wanted: Mapping[str, Tensor], given: Mapping[str, Tensor], name: str) -> bool:
    if name not in given or name not in wanted:
        return not name.endswith(_COUNTERS)
    return given[name].shape != wanted[name].shape


def _demand_all(wanted: Mapping[str, Tensor], given: Mapping[str, Tensor], where: str, kind: str) -> None:
    odd = [name for name in dict.fromkeys((*wanted, *given)) if _differs(wanted, given, name)]
    if not odd:
        return
    name, more = odd[0], len(odd) - 1
    if name not in given:
        en, zh = f"'{name}' is missing", f"缺少“{name}”"
    elif name not in wanted:
        en, zh = f"there is no place for '{name}'", f"“{name}”无处可放"
    else:
        there, here = list(given[name].shape), list(wanted[name].shape)
        en, zh = f"'{name}' has shape {there}, not {here}", f"“{name}”的形状是 {there}，而不是 {here}"
    others = Text(
        en=f" (and {more} more tensors differ)" if more else "",
        zh=f"（另有 {more} 个张量不符）" if more else "",
    )
    raise EtudeError(
        en=f"{where} does not hold weights of this {kind}: {en}{others.en}; choose the model, its settings and the "
        "image size that they are of.",
        zh=f"{where} 中不是这个 {kind} 的权重：{zh}{others.zh}；请选择与权重一致的模型、设置与图片尺寸。",
    )
