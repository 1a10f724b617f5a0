"""From names to a run: load the data, build the model, choose the recipe, make the directory. And back again."""

from __future__ import annotations

import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

from etude.core.errors import EtudeError
from etude.core.seeds import seed_everything
from etude.core.text import Text
from etude.data.catalog import load_data
from etude.data.dataset import ImageData
from etude.models.catalog import build_model
from etude.tasks.classification import Classification
from etude.train.choices import choices_from_json
from etude.train.feed import as_feed, steps_per_epoch
from etude.train.recipe import Recipe
from etude.train.recommended import recommend, recommended_model
from etude.train.run import Run, create_run, open_run
from etude.train.session import Session
from etude.train.state import State


def start_run(
    data: Any = "fashion-mnist",
    model: str | nn.Module | None = None,
    recipe: Recipe | None = None,
    *,
    run_dir: Path | str | None = None,
    load: dict[str, Any] | None = None,
    model_settings: dict[str, Any] | None = None,
    **settings: Any,
) -> Session:
    """Begin a run; iterate over what is returned to train.

    Args:
        data: the name of a data set, the path of a folder of pictures, what `etude.load_data` returned, a
            Dataset, a DataLoader, or a tuple of those (train, validation[, test]).
        model: a name of the catalogue, or a module of your own that gives one logit a class; None: one that
            suits the data.
        recipe: the settings; None: those that suit the model and the data.
        run_dir: where to keep the run; None: a new name in the folder of runs.
        load: further arguments of `etude.load_data`, where ``data`` is a name or a path.
        model_settings: further arguments of `etude.build_model`, where ``model`` is a name.
        **settings: settings of the recipe that take precedence, for instance ``epochs=3``.

    Raises:
        EtudeError: a name, a setting or the data is no good; nothing has been written.
    """
    load = dict(load or {})
    if isinstance(data, (str, Path)):
        load.setdefault("seed", settings.get("seed") or 0)
        data = load_data(data, **load)
    if isinstance(data, ImageData):
        model = model or recommended_model(data.input_shape)
        size = len(data.train)
    else:
        size = 0
    name = model if isinstance(model, str) else type(model).__name__
    if recipe is None:
        recipe = recommend(name, size, settings)
    elif settings:
        recipe = recipe.model_copy(update=settings)
        recipe = Recipe.model_validate(recipe.model_dump())
    seed_everything(recipe.seed)
    task = Classification(_model(model, data, recipe, model_settings or {}), recipe.label_smoothing)
    feed = as_feed(data, recipe, None, task)
    state = State.begin(task, recipe, steps_per_epoch(feed, recipe))
    run = create_run(_record(data, name, model, model_settings or {}, state), run_dir)
    session = Session(run, task, feed, state)
    session.save()  # a run killed before its first checkpoint resumes from its start
    return session


def resume_run(
    run: Run | Path | str,
    data: Any = None,
    model: nn.Module | None = None,
    *,
    step: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Session:
    """Carry on a run where it was stopped, exactly: the rest is what it would have been without the stop.

    Args:
        run: the run, its directory or its name.
        data, model: needed only where the run was begun with objects of your own: the same ones again.
        step: the checkpoint to go on from; None: the newest.

    Raises:
        EtudeError: there is no such run or checkpoint, it is damaged, or the data is no longer the same.
    """
    run = run if isinstance(run, Run) else open_run(run)
    record = run.record
    recipe = Recipe.model_validate(record["recipe"])
    data = reload_data(run, progress) if data is None else data
    if isinstance(data, ImageData) and data.fingerprint != record["data"].get("fingerprint"):
        raise EtudeError(
            en=f"The data of '{data.name}' is no longer what {run.name} was trained on, so it cannot be resumed; "
            "put the data back as it was, or train anew.",
            zh=f"“{data.name}”的数据与 {run.name} 训练时不同，无法继续；请恢复原来的数据，或重新训练。",
        )
    seed_everything(recipe.seed)
    task = Classification(rebuild_model(run) if model is None else model, recipe.label_smoothing)
    choices = choices_from_json(record["choices"])
    feed = as_feed(data, recipe, choices, task)
    session = Session(run, task, feed, State(task, recipe, choices, steps_per_epoch(feed, recipe)))
    try:
        session.restore(step)
    except BaseException:
        session.close()
        raise
    return session


def reload_data(run: Run, progress: Callable[[int, int], None] | None = None) -> ImageData:
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
    return load_data(**load, progress=progress)


def rebuild_model(run: Run) -> nn.Module:
    """The model of a run, with fresh weights.

    Raises:
        EtudeError: it was an object of the person's own.
    """
    model = run.record["model"]
    if model.get("build") is None:
        raise EtudeError(
            en=f"{run.name} trained a model of your own; give it again: etude.resume_run(run, model=…).",
            zh=f"{run.name} 训练的是您自己的模型；请再次给出：etude.resume_run(run, model=…)。",
        )
    build = dict(model["build"])
    return build_model(build.pop("name"), tuple(build.pop("input_shape")), build.pop("num_classes"), **build)


def _model(model: Any, data: Any, recipe: Recipe, settings: dict[str, Any]) -> nn.Module:
    if isinstance(model, nn.Module):
        return model
    if not isinstance(data, ImageData):
        raise EtudeError(
            en="With data of your own, give the model as a module: etude.start_run(data, model=net).",
            zh="使用自己的数据对象时，请直接给出模型：etude.start_run(data, model=net)。",
        )
    return build_model(model, data.input_shape, data.num_classes, **_build_settings(recipe, settings))


def _build_settings(recipe: Recipe, settings: dict[str, Any]) -> dict[str, Any]:
    return settings | ({} if recipe.dropout is None else {"dropout": recipe.dropout})


def _record(data: Any, name: str, model: Any, settings: dict[str, Any], state: State) -> dict[str, Any]:
    """What ``run.json`` says at the start."""
    net = state.task.modules["model"]
    recipe = state.recipe
    images = data if isinstance(data, ImageData) else None
    build = None
    if images and isinstance(model, str):
        build = {"name": name, "input_shape": list(images.input_shape), "num_classes": images.num_classes}
        build |= _build_settings(recipe, settings)
    return {
        "task": {"kind": state.task.kind, "classes": list(images.classes) if images else None},
        "model": {"name": name, "build": build, "parameters": sum(p.numel() for p in net.parameters())},
        "data": _data_record(images) if images else {"name": "own-data", "load": None},
        "recipe": recipe.model_dump(),
        "choices": state.choices.to_json(),
        "steps_planned": state.total_steps,
        "versions": versions(),
    }


def _data_record(data: ImageData) -> dict[str, Any]:
    return {
        "name": data.name,
        "load": data.source.get("load"),
        "fingerprint": data.fingerprint,
        "input_shape": list(data.input_shape),
        "mean": list(data.mean),
        "std": list(data.std),
        "split": data.split,
        "preparation": data.preparation,
        "findings": [{"en": found.en, "zh": found.zh} for found in data.findings],
        "source": {name: value for name, value in data.source.items() if name != "load"},
    }


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


def finding_texts(run: Run) -> list[Text]:
    """What was noticed about the data when the run began."""
    return [Text(en=found["en"], zh=found["zh"]) for found in run.record.get("data", {}).get("findings", [])]
