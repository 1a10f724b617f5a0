"""From names to a run: load the data, build the model, choose the recipe, make the directory. And back again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from etude.core.errors import EtudeError
from etude.core.seeds import seed_everything
from etude.core.settings import make
from etude.data.catalog import load_data
from etude.data.dataset import ImageData
from etude.data.table import TableData
from etude.models.catalog import find_model
from etude.models.settings import read_setting
from etude.train.choices import choices_from_json
from etude.train.feed import as_feed, steps_per_epoch
from etude.train.recipe import Recipe
from etude.train.recommended import recommend, recommended_model
from etude.train.record import (
    build_network,
    build_task,
    make_record,
    rebuild_model,
    rebuild_task,
    reload_data,
    task_record,
)
from etude.train.run import Run, create_run, open_run
from etude.train.session import Session
from etude.train.state import State


def start_run(
    data: Any = "fashion-mnist",
    model: str | nn.Module | None = None,
    recipe: Recipe | None = None,
    *,
    task: str | None = None,
    run_dir: Path | str | None = None,
    load: dict[str, Any] | None = None,
    model_settings: dict[str, Any] | Sequence[str] | None = None,
    weights: Path | str | None = None,
    pretrained: bool = False,
    progress: Callable[[int, int], None] | None = None,
    **settings: Any,
) -> Session:
    """Begin a run; iterate over what is returned to train.

    Args:
        data: the name of a data set, the path of a folder of pictures or of a table, what `etude.load_data`
            returned, a Dataset, a DataLoader, or a tuple of those (train, validation[, test]).
        model: a name of the catalogue, or a module of your own that gives one logit a class (one number, for
            regression); None: one that suits the data.
        recipe: the settings; None: those that suit the model and the data.
        task: ``"classification"`` or ``"regression"``; None: what the data is for.
        run_dir: where to keep the run; None: a new name in the folder of runs.
        load: further arguments of `etude.load_data`, where ``data`` is a name or a path.
        model_settings: further arguments of `etude.build_model`, where ``model`` is a name; or as typed on a
            command line, ``["widths=64,32"]``.
        weights: begin with those of a file (``.safetensors``, or ``.pth`` without pickled objects) or of a run.
        pretrained: begin with those that étude ships for the model, or torchvision's.
        progress: called with (done, total) while weights are downloaded.
        **settings: settings of the recipe that take precedence, for instance ``epochs=3``. ``learning_rate="auto"``
            finds one by a range test (Smith 2017).

    Raises:
        EtudeError: a name, a setting or the data is no good; nothing has been written.
    """
    load = dict(load or {})
    if isinstance(data, (str, Path)):
        load.setdefault("seed", settings.get("seed") or 0)
        data = load_data(data, **load, **({"task": task} if task else {}))
    known = isinstance(data, ImageData | TableData)
    if known:
        model = model or recommended_model(data.input_shape)
    name = model if isinstance(model, str) else type(model).__name__
    find_rate = settings.get("learning_rate") == "auto"
    settings = _without_auto(settings)
    if recipe is None:
        recipe = recommend(name, len(data.train) if known else 0, settings)
    elif settings:
        recipe = make(Recipe, recipe.model_dump() | settings)
    seed_everything(recipe.seed)
    build = _build(model, data, recipe, _read_settings(model, model_settings))
    net = model if isinstance(model, nn.Module) else build_network(build)
    kind = data.kind if isinstance(data, TableData) else task or "classification"
    made = build_task(task_record(data, kind), net, recipe.label_smoothing)
    feed = as_feed(data, recipe, None, made)
    state = State.begin(made, recipe, steps_per_epoch(feed, recipe))
    run = create_run(make_record(data, name, build, state), run_dir)
    session = Session(run, made, feed, state)
    session.save()  # a run killed before its first checkpoint resumes from its start
    return session


def check_wishes(
    model: str | None = None,
    model_settings: Sequence[str] = (),
    weights: Path | str | None = None,
    pretrained: bool = False,
    **settings: Any,
) -> int:
    """What can be told of the arguments of `start_run` before the data is read; the seed of the run.

    Raises:
        EtudeError: a name is unknown, a setting is out of bounds, or two do not go together.
    """
    if model is not None:
        find_model(model)
        _read_settings(model, model_settings)
    return recommend(model or "", 0, _without_auto(settings)).seed


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
    if isinstance(data, ImageData | TableData) and data.fingerprint != record["data"].get("fingerprint"):
        raise EtudeError(
            en=f"The data of '{data.name}' is no longer what {run.name} was trained on, so it cannot be resumed; "
            "put the data back as it was, or train anew.",
            zh=f"“{data.name}”的数据与 {run.name} 训练时不同，无法继续；请恢复原来的数据，或重新训练。",
        )
    seed_everything(recipe.seed)
    task = rebuild_task(run, rebuild_model(run) if model is None else model)
    choices = choices_from_json(record["choices"])
    feed = as_feed(data, recipe, choices, task)
    session = Session(run, task, feed, State(task, recipe, choices, steps_per_epoch(feed, recipe)))
    try:
        session.restore(step)
    except BaseException:
        session.close()
        raise
    return session


def _build(model: Any, data: Any, recipe: Recipe, settings: dict[str, Any]) -> dict[str, Any] | None:
    """The description of a network of the catalogue that suits ``data``; None for a module of the person's own."""
    if isinstance(model, nn.Module):
        return None
    if not isinstance(data, ImageData | TableData):
        raise EtudeError(
            en="With data of your own, give the model as a module: etude.start_run(data, model=net).",
            zh="使用自己的数据对象时，请直接给出模型：etude.start_run(data, model=net)。",
        )
    build = {"name": model, "input_shape": list(data.input_shape), "num_classes": data.num_classes} | settings
    return build if recipe.dropout is None else build | {"dropout": recipe.dropout}


def _read_settings(model: Any, words: dict[str, Any] | Sequence[str] | None) -> dict[str, Any]:
    if not words or isinstance(words, dict):
        return dict(words or {})
    if not isinstance(model, str):
        raise EtudeError(
            en=f"The setting '{words[0]}' is of a model; name the model too, for example model mlp.",
            zh=f"“{words[0]}”是模型的设置项；请同时指明模型，例如 mlp。",
        )
    return dict(read_setting(find_model(model), each) for each in words)


def _without_auto(settings: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if (name, value) != ("learning_rate", "auto")}
