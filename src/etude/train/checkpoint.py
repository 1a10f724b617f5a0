"""A state on the disk: a folder written whole, named by one pointer that is replaced atomically."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from etude.core.errors import EtudeError
from etude.core.files import new_directory, write_text
from etude.core.seeds import generator_states
from etude.train.averages import load_named, named_tensors
from etude.train.optimizer_memory import memory_content, memory_tensors, restore_memory
from etude.train.state import Best, State

FORMAT = 1
KEPT = 2  # an older one stays, in case the newest is damaged
_POINTER, _TENSORS, _STATE = "latest", "tensors.safetensors", "state.json"


def save_checkpoint(folder: Path, state: State, extra: dict[str, Any]) -> Path:
    """Write ``state`` as ``folder/step-N`` and point to it; checkpoints older than the one before are deleted.

    Args:
        extra: JSON that comes back from `load_checkpoint`.

    Raises:
        OSError: the disk is full, or so; the checkpoint that was pointed to still is, and is whole.
    """
    tensors, content = _tensors(state), _content(state)
    generators = generator_states()
    tensors["generators/torch"] = generators.pop("torch")
    for place, cuda in enumerate(generators.pop("cuda")):
        tensors[f"generators/cuda/{place}"] = cuda
    packed = save({name: t.detach().contiguous().cpu() for name, t in tensors.items()})
    content |= {
        "extra": extra,
        "generators": generators,
        "sha256": {_TENSORS: hashlib.sha256(packed).hexdigest()},
    }
    target = folder / f"step-{state.step}"
    if _pointed(folder) == target.name:  # the one pointed to is never replaced, however the process may end
        target = folder / f"step-{state.step}+"
    with new_directory(target) as made:
        (made / _TENSORS).write_bytes(packed)
        (made / _STATE).write_text(json.dumps(content, ensure_ascii=False, allow_nan=False), encoding="utf-8")
    write_text(folder / _POINTER, target.name + "\n")
    for old in list_checkpoints(folder)[:-KEPT]:
        if old != target:
            shutil.rmtree(old, ignore_errors=True)
    return target


def load_checkpoint(
    folder: Path, state: State, step: int | None = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Make ``state`` what it was when the checkpoint was saved.

    Args:
        step: which checkpoint; the one pointed to if None.

    Returns:
        the ``extra`` that was saved with it, and the states of the random generators, for
        `etude.core.seeds.restore_generators`.

    Raises:
        EtudeError: there is no such checkpoint, it is damaged, or it is of another model, recipe or version.
            ``state`` is then as it was.
    """
    path = find_checkpoint(folder, step)
    content, tensors = read_checkpoint(path)
    _restore(state, content, tensors, path)
    generators = content["generators"]
    generators["torch"] = tensors["generators/torch"]
    generators["cuda"] = [tensors[name] for name in sorted(tensors) if name.startswith("generators/cuda/")]
    return content["extra"], generators


def find_checkpoint(folder: Path, step: int | None = None) -> Path:
    """Where the checkpoint of ``step`` is, or the one that is pointed to.

    Raises:
        EtudeError: there is none.
    """
    if step is None:
        name = _pointed(folder)
        if name is None:
            raise EtudeError(
                en=f"{folder} has no checkpoint to go on from; train anew.",
                zh=f"{folder} 中没有可继续的检查点；请重新训练。",
            )
        return folder / name
    found = [path for path in list_checkpoints(folder) if _step_of(path) == step]
    if not found:
        steps = ", ".join(str(_step_of(path)) for path in list_checkpoints(folder)) or "–"
        raise EtudeError(
            en=f"{folder} has no checkpoint of step {step}; those at hand are of steps: {steps}.",
            zh=f"{folder} 中没有第 {step} 步的检查点；现有检查点的步数：{steps}。",
        )
    return found[-1]


def read_checkpoint(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The content and the tensors of one checkpoint, verified.

    Raises:
        EtudeError: it is missing, damaged or of another version.
    """
    try:
        content = json.loads((path / _STATE).read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise EtudeError(
                en=f"{path} is a checkpoint of format {content['format']}; this version of étude reads format {FORMAT}. "
                "Resume it with the version that wrote it.",
                zh=f"{path} 是格式 {content['format']} 的检查点；此版本的 étude 只读格式 {FORMAT}。请用写入它的版本继续。",
            )
        packed = (path / _TENSORS).read_bytes()
        if hashlib.sha256(packed).hexdigest() != content["sha256"][_TENSORS]:
            raise ValueError("its content is not what was written")
        return content, load(packed)
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        raise _damaged(path, str(error)) from None


def list_checkpoints(folder: Path) -> list[Path]:
    """The checkpoints in ``folder``, oldest first."""
    found = [path for path in folder.glob("step-*") if _step_of(path) is not None]
    return sorted(found, key=lambda path: (_step_of(path), path.name != _pointed(folder), path.name))


def _pointed(folder: Path) -> str | None:
    try:
        name = (folder / _POINTER).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return name if name.startswith("step-") else None


def _step_of(path: Path) -> int | None:
    digits = path.name.removeprefix("step-").removesuffix("+")
    return int(digits) if digits.isdigit() else None


def _tensors(state: State) -> dict[str, Tensor]:
    found = {f"modules/{name}": t for name, t in named_tensors(state.task.modules).items()}
    if state.average:
        found |= {f"average/{name}": t for name, t in state.average.tensors.items()}
    if state.best:
        found |= {f"best/{name}": t for name, t in state.best.weights.items()}
    for part, optimizer in state.optimizers.items():
        found |= {f"optimizer/{part}/{name}": t for name, t in memory_tensors(optimizer).items()}
    return found


def _content(state: State) -> dict[str, Any]:
    best = state.best and {
        "score": state.best.score, "step": state.best.step, "epoch": state.best.epoch, "metrics": state.best.metrics
    }  # fmt: skip
    return {
        "format": FORMAT,
        "step": state.step,
        "epoch": state.epoch,
        "position": state.position,
        "examples": state.examples,
        "ended": state.ended,
        "stale": state.stale,
        "best": best,
        "judged": state.judged,
        "loss_sums": {name: float(total) for name, total in state.loss_sums.items()},
        "optimizers": {part: memory_content(optimizer) for part, optimizer in state.optimizers.items()},
        "choices": state.choices.to_json(),
    }


def _restore(state: State, content: dict[str, Any], tensors: dict[str, Tensor], path: Path) -> None:
    live = {f"modules/{name}": t for name, t in named_tensors(state.task.modules).items()}
    saved = {name: t for name, t in tensors.items() if name.startswith("modules/")}
    if {n: t.shape for n, t in live.items()} != {n: t.shape for n, t in saved.items()}:
        odd = sorted(set(live) ^ set(saved)) or sorted(n for n in live if live[n].shape != saved[n].shape)
        raise EtudeError(
            en=f"{path} holds another model than the one given: they differ in '{odd[0].removeprefix('modules/')}'.",
            zh=f"{path} 中的模型与给出的模型不同：差别在“{odd[0].removeprefix('modules/')}”。",
        )
    load_named(state.task.modules, _under(tensors, "modules/"))
    if state.average:
        for name, tensor in state.average.tensors.items():
            tensor.copy_(tensors[f"average/{name}"])
    device = state.choices.device
    if content["best"]:
        weights = {name: t.to(device) for name, t in _under(tensors, "best/").items()}
        best = content["best"]
        state.best = Best(tuple(best["score"]), best["step"], best["epoch"], best["metrics"], weights)
    for part, optimizer in state.optimizers.items():
        restore_memory(optimizer, content["optimizers"][part], _under(tensors, f"optimizer/{part}/"))
    for name in ("step", "epoch", "position", "examples", "ended", "stale"):
        setattr(state, name, content[name])
    state.judged = content["judged"] and (content["judged"][0], content["judged"][1])
    for name, total in content["loss_sums"].items():
        state.loss_sums[name].fill_(total)


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}


def _damaged(path: Path, why: str) -> EtudeError:
    others = [_step_of(other) for other in list_checkpoints(path.parent) if other != path]
    if others:
        return EtudeError(
            en=f"The checkpoint {path} is damaged ({why}); another is at hand: resume with --step {others[-1]}.",
            zh=f"检查点 {path} 已损坏（{why}）；还有另一个检查点：请用 --step {others[-1]} 继续。",
        )
    return EtudeError(
        en=f"The checkpoint {path} is damaged ({why}) and there is no other; train anew.",
        zh=f"检查点 {path} 已损坏（{why}），且没有其他检查点；请重新训练。",
    )
