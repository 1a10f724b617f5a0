"""``--pretrained``: weights that étude ships, or those of torchvision where the network allows."""

from __future__ import annotations

from pathlib import Path

from etude.core.errors import EtudeError
from etude.core.files import sha256_of
from etude.core.paths import cache_dir
from etude.data.download import NotFetched, fetch
from etude.data.entry import Progress
from etude.train.run import Run, open_run
from etude.train.torchvision_weights import (
    PREFIX,
    default_weights,
    facts_of,
    hash_in,
    list_torchvision_models,
)
from etude.train.trained import list_trained
from etude.train.weight_files import Weights, weights_of_file, weights_of_run


def pretrained_weights(model: str, data: str | None = None, progress: Progress = None) -> Weights:
    """Weights for a model, trained by étude (shipped) or by torchvision (downloaded once, checked by hash).

    Args:
        model: a name of the catalogue, or ``torchvision:NAME``.
        data: the name of the data to train on: of several trained networks, the one that knows it is taken.
        progress: called with (bytes so far, bytes in all) of a download.

    Raises:
        EtudeError: there are none for this model, or the network does not allow the download.
    """
    shipped = [open_run(path) for path in list_trained().values()]
    mine = [run for run in shipped if run.record["model"]["name"] == model]
    if mine:
        return weights_of_run(next((run for run in mine if run.record["data"]["name"] == data), mine[-1]))
    kind = model.removeprefix(PREFIX)
    if kind in list_torchvision_models():
        return _of_torchvision(model, kind, shipped, progress)
    raise EtudeError(
        en=f"There are no pretrained weights for {model}; there are some for {_named(shipped)}, and for any torchvision "
        "classifier, such as torchvision:resnet18.",
        zh=f"{model} 没有预训练权重；{_named(shipped, '、')} 以及任何 torchvision 分类模型（例如 torchvision:resnet18）有预训练权重。",
    )


def _of_torchvision(model: str, kind: str, shipped: list[Run], progress: Progress) -> Weights:
    entry = default_weights(kind)
    path = _downloaded(entry.url, shipped, progress)
    return Weights(weights_of_file(path).tensors, path.name, **facts_of(kind, entry, model))


def _downloaded(url: str, shipped: list[Run], progress: Progress) -> Path:
    """The file at ``url``: from étude's cache, from that of torch, or else from the network."""
    import torch

    name = url.rpartition("/")[2]
    folder = cache_dir() / "weights"
    for place in (folder, Path(torch.hub.get_dir()) / "checkpoints"):
        if (place / name).exists() and _is_right(place / name, name):
            return place / name
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return fetch([url], folder / name, lambda path: _is_right(path, name), progress)
    except NotFetched as error:
        raise EtudeError(
            en=f"{error.text.en.removesuffix('.')}; download {url} where the network allows it and give --weights {name}, "
            f"or begin with weights that étude brings along ({_named(shipped)}).",
            zh=f"{error.text.zh.removesuffix('。')}；请在网络允许处下载 {url}，再使用 --weights {name}；"
            f"或使用 étude 自带的权重（{_named(shipped, '、')}）。",
        ) from None


def _is_right(path: Path, name: str) -> bool:
    wanted = hash_in(name)
    return wanted is not None and sha256_of(path).startswith(wanted)


def _named(shipped: list[Run], between: str = ", ") -> str:
    return between.join(dict.fromkeys(run.record["model"]["name"] for run in shipped)) or "—"
