"""What ``run.json`` says of a run, and how its data, model and task are made again from that."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from torch import nn

from etude.core.errors import EtudeError
from etude.data.catalog import load_data
from etude.data.dataset import ImageData
from etude.data.table import TableData
from etude.tasks.classification import Classification
from etude.tasks.regression import Regression
from etude.train.run import Run
from etude.train.state import State
from etude.train.torchvision_models import build_any_model


def make_record(data: Any, name: str, build: dict[str, Any] | None, state: State) -> dict[str, Any]:
    """What ``run.json`` says when a run begins.

    Args:
        data: an `ImageData`, a `TableData`, or an object of the person's own.
        name: of the model.
        build: what `rebuild_model` needs; None for a module of the person's own.
    """
    from etude.train.explain import explain

    net = state.task.modules["model"]
    known = isinstance(data, ImageData | TableData)
    return {
        "task": task_record(data, state.task.kind),
        "model": {"name": name, "build": build, "parameters": sum(p.numel() for p in net.parameters())},
        "data": data_record(data) if known else {"name": "own-data", "load": None},
        "recipe": state.recipe.model_dump(),
        "choices": state.choices.to_json(),
        "reasons": [{"en": why.en, "zh": why.zh} for why in explain(state.choices, state.recipe, data)],
        "steps_planned": state.total_steps,
        "versions": versions(),
    }


def task_record(data: Any, kind: str) -> dict[str, Any]:
    """What a batch of ``data`` means."""
    if isinstance(data, TableData):
        record: dict[str, Any] = {"kind": kind, "target": data.target, "classes": list(data.classes) or None}
        if kind == "regression":
            record |= {"target_mean": data.target_mean, "target_std": data.target_std}
        return record
    return {"kind": kind, "classes": list(data.classes) if isinstance(data, ImageData) else None}


def data_record(data: ImageData | TableData) -> dict[str, Any]:
    """Where the data came from and how new examples must be prepared to look like it."""
    record = {
        "name": data.name,
        "kind": "pictures" if isinstance(data, ImageData) else "table",
        "load": data.source.get("load"),
        "fingerprint": data.fingerprint,
        "input_shape": list(data.input_shape),
        "split": data.split,
        "preparation": data.preparation,
        "findings": [{"en": found.en, "zh": found.zh} for found in data.findings],
        "source": {name: value for name, value in data.source.items() if name != "load"},
    }
    if isinstance(data, ImageData):
        record |= {"mean": list(data.mean), "std": list(data.std)}
    else:
        record |= {"features": list(data.features)}
    return record


def reload_data(run: Run, progress: Callable[[int, int], None] | None = None) -> ImageData | TableData:
    """The data that a run was trained on, loaded again.

    Raises:
        EtudeError: it is gone, or was an object of the person's own.
    """
    load = run.record["data"].get("load")
    if load is None:
        raise EtudeError(
            en=f"{run.name} was trained on data of your own; give it again: etude.resume_run(run, data=…).",
            zh=f"{run.name} 是用您自己的数据对象训练的；请再次给出：etude.resume_run(run, data=…)。",
        )
    return normalised_as(run, load_data(**load, progress=progress))


def normalised_as(run: Run, data: Any) -> Any:
    """Pictures with the mean and standard deviation of a run: weights from elsewhere bring their own. Other data as it is."""
    if not isinstance(data, ImageData):
        return data
    return replace(data, mean=tuple(run.record["data"]["mean"]), std=tuple(run.record["data"]["std"]))


def rebuild_model(run: Run) -> nn.Module:
    """The model of a run, with fresh weights.

    Raises:
        EtudeError: it was an object of the person's own.
    """
    build = run.record["model"].get("build")
    if build is None:
        raise EtudeError(
            en=f"{run.name} trained a model of your own; give it again: etude.resume_run(run, model=…).",
            zh=f"{run.name} 训练的是您自己的模型；请再次给出：etude.resume_run(run, model=…)。",
        )
    return build_network(build)


def build_network(build: dict[str, Any]) -> nn.Module:
    """A network with fresh weights from its description: ``name``, ``input_shape``, ``num_classes``, and its settings."""
    settings = dict(build)
    name, shape = settings.pop("name"), tuple(settings.pop("input_shape"))
    return build_any_model(name, shape, settings.pop("num_classes"), **settings)


def rebuild_task(run: Run, model: nn.Module) -> Classification | Regression:
    """The task of a run, around ``model``."""
    return build_task(run.record["task"], model, run.record["recipe"].get("label_smoothing", 0.0))


def build_task(record: dict[str, Any], model: nn.Module, label_smoothing: float) -> Classification | Regression:
    """A task from what `task_record` says of it."""
    if record["kind"] == "regression":
        return Regression(model, record.get("target_mean", 0.0), record.get("target_std", 1.0))
    return Classification(model, label_smoothing)


def versions() -> dict[str, str]:
    """What computed: étude, Python, torch, NumPy, the system and the processor."""
    import numpy
    import torch

    from etude import __version__
    from etude.core.devices import cpu_name

    return {
        "etude": __version__,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "numpy": numpy.__version__,
        "system": f"{platform.system()} {platform.release()}",
        "processor": cpu_name(),
    }


def version_changes(run: Run) -> list[str]:
    """What computes now and did not when the run began; a resume is exact only without any."""
    before = run.record.get("versions", {})
    return [
        f"{name} {before.get(name)} -> {now}" for name, now in versions().items() if before.get(name) != now
    ]
