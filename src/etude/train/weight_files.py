"""Weights as people have them: files of safetensors or of torch, and runs of étude."""

from __future__ import annotations

import os
import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from etude.core.errors import EtudeError
from etude.core.files import explain_os_error
from etude.train.checkpoint import find_checkpoint, read_checkpoint
from etude.train.run import Run, open_run
from etude.train.torchvision_weights import facts_of, weights_by_file

TORCH_ENDINGS = (".pth", ".pt", ".bin", ".ckpt", ".th", ".tar")
_NESTED = ("state_dict", "model_state_dict", "model", "net", "weights")
_SAFE_TORCH = (2, 6)  # before it, weights_only could be led to run code (CVE-2025-32434)


@dataclass(frozen=True)
class Weights:
    """Trained weights, and how the pictures looked that they were trained on.

    Args:
        tensors: by their names, on the CPU.
        where: what a person knows them by: a file, a run, a model of torchvision.
        normalisation: mean and standard deviation per channel, on the scale where 255 is 1; None: unknown.
        image_size: the side of the pictures they know, in pixels; None: unknown.
        settings: of the model that they are of, where they differ from its defaults.
        model: the name of that model; None: unknown.
    """

    tensors: dict[str, Tensor]
    where: str
    normalisation: tuple[tuple[float, ...], tuple[float, ...]] | None = None
    image_size: int | None = None
    settings: dict[str, Any] | None = None
    model: str | None = None

    def normalisation_for(self, channels: int) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
        """Mean and standard deviation for pictures of so many channels: of another number, their averages."""
        if self.normalisation is None or len(self.normalisation[0]) == channels:
            return self.normalisation
        mean, std = (sum(values) / len(values) for values in self.normalisation)
        return (mean,) * channels, (std,) * channels


def read_weights(source: Path | str) -> Weights:
    """The weights in a file (``.safetensors``, or torch's ``.pth`` and ``.pt``) or of a run (its directory or its name).

    A file of torch may hold a state dict, or one inside ``state_dict`` or ``model``; no code in it is ever run.

    Raises:
        EtudeError: there is no such file and no such run, or it holds no weights.
    """
    path = Path(os.path.expanduser(source))
    if path.is_file():
        return weights_of_file(path)
    if (path / "run.json").exists() or not path.exists():
        try:
            return weights_of_run(open_run(source))
        except EtudeError:
            if path.exists() or path.suffix not in (".safetensors", *TORCH_ENDINGS):
                raise
        raise EtudeError(en=f"There is no file {path}.", zh=f"没有文件 {path}。")
    raise EtudeError(
        en=f"{path} is a folder without run.json; give a file of weights ({_endings()}) or a run.",
        zh=f"{path} 是没有 run.json 的文件夹；请给出权重文件（{_endings('、')}）或一次训练。",
    )


def weights_of_run(run: Run) -> Weights:
    """The weights that a finished run kept, or the best so far of one that is not finished.

    Raises:
        EtudeError: it has none, or they are damaged.
    """
    if run.finished and run.weights.exists():
        try:
            tensors = _read_safetensors(run.weights)
        except EtudeError as error:
            raise EtudeError(
                en=f"{error.text.en} A checkpoint of the run may be whole: etude resume {run.spelt}",
                zh=f"{error.text.zh}该训练的检查点可能完好：etude resume {run.spelt}",
            ) from None
    else:
        _, saved = read_checkpoint(find_checkpoint(run.checkpoints))
        kinds = ("best/model/", "average/model/", "modules/model/")
        kind = next((kind for kind in kinds if any(name.startswith(kind) for name in saved)), kinds[-1])
        tensors = {}
        for prefix in (kinds[-1], kind):  # an average holds no whole numbers: those are the modules'
            tensors |= {n.removeprefix(prefix): t for n, t in saved.items() if n.startswith(prefix)}
    data, build = run.record["data"], run.record["model"].get("build") or {}
    pictures = len(data.get("input_shape") or ()) == 3 and "mean" in data
    return Weights(
        tensors,
        run.name,
        (tuple(data["mean"]), tuple(data["std"])) if pictures else None,
        min(data["input_shape"][1:]) if pictures else None,
        {key: value for key, value in build.items() if key not in ("name", "input_shape", "num_classes")},
        run.record["model"]["name"],
    )


def weights_of_file(path: Path) -> Weights:
    """The weights in a file; of one that torchvision published, known by its name, also how pictures are prepared.

    Raises:
        EtudeError: it holds none, or is damaged.
    """
    try:
        with path.open("rb") as file:
            start = file.read(64)
    except OSError as error:
        raise explain_os_error(error, path) from None
    if not start:
        raise EtudeError(
            en=f"{path} is empty; download or save it again.", zh=f"{path} 是空文件；请重新下载或保存。"
        )
    text = start.lstrip().startswith((b"<", b"version https://git-lfs", b"{"))
    if (
        text and start[8:9] != b"{"
    ):  # safetensors begin with 8 bytes of length, which may look like text, and JSON
        raise EtudeError(
            en=f"{path} holds text (a web page, perhaps), not weights; download the file itself.",
            zh=f"{path} 的内容是文本（可能是网页），而不是权重；请下载文件本身。",
        )
    if path.suffix == ".safetensors":
        return Weights(_checked(_read_safetensors(path), path), str(path))
    if path.suffix in TORCH_ENDINGS:
        tensors = _checked(_state_dict(_read_torch(path), path), path)
        published = weights_by_file(path.name)
        return Weights(tensors, str(path), **(facts_of(*published) if published else {}))
    raise EtudeError(
        en=f"{path} does not end like a file of weights; étude reads {_endings()}.",
        zh=f"{path} 的扩展名不是权重文件的扩展名；étude 可读取 {_endings('、')}。",
    )


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, KeyError) as error:  # KeyError: a number format that torch does not have
        raise EtudeError(
            en=f"{path} is damaged or no safetensors file ({_line(error)}); download or save it again.",
            zh=f"{path} 已损坏或不是 safetensors 文件（{_line(error)}）；请重新下载或保存。",
        ) from None
    except OSError as error:
        raise explain_os_error(error, path) from None


def _read_torch(path: Path) -> Any:
    version = tuple(int(number) for number in re.findall(r"\d+", torch.__version__)[:2])
    if version < _SAFE_TORCH:
        raise EtudeError(
            en=f"{path} is not opened: torch {torch.__version__} may run code hidden in such a file; "
            "use torch 2.6 or newer, or a .safetensors file.",
            zh=f"不打开 {path}：torch {torch.__version__} 可能会执行这类文件中隐藏的代码；请使用 torch 2.6 或更高版本，或 .safetensors 文件。",
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch guesses aloud at what a damaged file may be
            return torch.load(path, weights_only=True, map_location="cpu")
    except pickle.UnpicklingError as error:
        raise _unsafe(path, str(error)) from None
    except Exception as error:  # a damaged file raises anything at all, an OSError for its end too
        if "TorchScript" in str(error) or "constants.pkl" in str(error):
            raise _other_objects(path, "TorchScript") from None
        raise _damaged(path) from None


def _unsafe(path: Path, why: str) -> EtudeError:
    """The sentence for what ``weights_only`` refused: objects that are no tensors, or no pickle at all."""
    named = re.search(r"GLOBAL ([\w.]+)|[Cc]an(?:not|'t) .*?class[: ]+([\w.]+)", why)
    if named:
        return _other_objects(path, named[1] or named[2])
    if zipfile.is_zipfile(path) and "Unsupported" in why:
        return _other_objects(path, "?")
    return _damaged(path)


def _other_objects(path: Path, kind: str) -> EtudeError:
    return EtudeError(
        en=f"{path} holds more than weights ({kind}), and opening that would run code; where it was made, save only "
        "the weights: torch.save(model.state_dict(), …).",
        zh=f"{path} 中不只是权重（{kind}），打开它会执行其中的代码；请在产生它的地方只保存权重：torch.save(model.state_dict(), …)。",
    )


def _damaged(path: Path) -> EtudeError:
    return EtudeError(
        en=f"{path} is damaged or no file of weights; download or save it again.",
        zh=f"{path} 已损坏或不是权重文件；请重新下载或保存。",
    )


def _state_dict(content: Any, path: Path) -> dict[str, Tensor]:
    """The weights in what a file of torch holds: itself, or an entry with a usual name."""
    if isinstance(content, Mapping):
        for name in _NESTED:
            inner = content.get(name)
            if isinstance(inner, Mapping) and inner:
                return _state_dict(inner, path)
        tensors = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
        if tensors and len(tensors) == len(content):
            return tensors
        found = ", ".join(str(name) for name in list(content)[:5])
    else:
        found = type(content).__name__
    raise EtudeError(
        en=f"{path} holds no state dict of a model but {found or 'nothing'}; save one: torch.save(model.state_dict(), …).",
        zh=f"{path} 中没有模型的 state dict，只有：{found or '空'}；请这样保存：torch.save(model.state_dict(), …)。",
    )


def _checked(tensors: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    if not tensors:
        raise EtudeError(en=f"{path} holds no weights at all.", zh=f"{path} 中没有任何权重。")
    for name, tensor in tensors.items():
        if tensor.layout is not torch.strided or tensor.is_quantized:
            raise EtudeError(
                en=f"'{name}' in {path} is a sparse or quantised tensor; save the weights as ordinary numbers.",
                zh=f"{path} 中的“{name}”是稀疏或量化张量；请把权重保存为普通数值。",
            )
        if tensor.is_floating_point() and not tensor.float().isfinite().all():
            raise EtudeError(
                en=f"'{name}' in {path} holds infinite numbers or NaN: the training it came from failed; take an earlier file.",
                zh=f"{path} 中的“{name}”含有无穷大或 NaN：产生它的训练已失败；请使用更早的文件。",
            )
    return tensors


def _endings(between: str = ", ") -> str:
    return between.join((".safetensors", ".pth", ".pt"))


def _line(why: object) -> str:
    lines = str(why).strip().splitlines()
    return lines[0].split(". ")[0][:120] if lines else type(why).__name__
