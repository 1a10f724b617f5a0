"""From names to a run: load the data, build the model, choose the recipe, make the directory. And back again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from etude.core.errors import EtudeError
from etude.core.seeds import seed_everything
from etude.core.settings import make
from etude.core.text import Text
from etude.data.catalog import load_data
from etude.data.dataset import ImageData
from etude.data.table import TableData
from etude.models.settings import read_setting
from etude.train.begin_with import find_weights, gains_from_weights, put_into, settings_that_fit, suited_to
from etude.train.choices import choices_from_json, choose
from etude.train.feed import as_feed, steps_per_epoch
from etude.train.heads import freeze_below_head
from etude.train.range_test import find_learning_rate
from etude.train.recipe import Recipe
from etude.train.recommended import recommend, recommended_model, recommended_settings
from etude.train.record import (
    build_network,
    build_task,
    make_record,
    normalised_as,
    rebuild_model,
    rebuild_task,
    reload_data,
    task_record,
)
from etude.train.run import Run, create_run, open_run
from etude.train.session import Session
from etude.train.state import State
from etude.train.target import check_target
from etude.train.torchvision_models import find_any_model
from etude.train.weight_files import Weights

_PICTURE_SETTINGS = ("random_resized_crop", "color_jitter", "cutout", "mixup")

_FROZEN_AT_RANDOM = Text(
    en="All layers but the last are frozen as chance made them; give --weights or --pretrained to begin with trained ones.",
    zh="除最后一层外，各层都冻结在随机权重上；用 --weights 或 --pretrained 可从训练好的权重开始。",
)


def start_run(
    data: Any = "fashion-mnist",
    model: str | nn.Module | None = None,
    recipe: Recipe | None = None,
    *,
    task: str | None = None,
    run_dir: Path | str | None = None,
    load: dict[str, Any] | None = None,
    model_settings: dict[str, Any] | Sequence[str] | None = None,
    weights: Weights | Path | str | None = None,
    pretrained: bool | None = None,
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
        pretrained: begin with those that étude ships for the model, or torchvision's. None: where neither model nor
            weights are named and ``data`` is a folder of few photographs.
        progress: called with (done, total) while data is read or weights are downloaded.
        **settings: settings of the recipe that take precedence, for instance ``epochs=3``. ``threads=2`` is that of the whole
            process, and stays so after the run. ``learning_rate="auto"``
            finds one by a range test (Smith 2017). ``to_accuracy=0.99`` stops as soon as the validation part shows so much
            (`etude.train.target`), with settings that get there soon.

    Raises:
        EtudeError: a name, a setting or the data is no good; nothing has been written.
    """
    wishes = {"seed": _seed(recipe, settings), "task": task, "progress": progress}
    if settings.get("random_resized_crop", recipe is not None and recipe.random_resized_crop):
        wishes["room_to_crop"] = True
    wishes |= load or {}
    data, begun = _data_and_weights(data, model, weights, pretrained, wishes)
    known = isinstance(data, ImageData | TableData)
    if model is None and known:
        model = begun.model if begun and begun.model else recommended_model(data.input_shape)
    name = model if isinstance(model, str) else type(model).__name__
    recipe = _recipe(recipe, name, data, settings, begun is not None)
    seed_everything(recipe.seed)
    if recipe.threads is not None:
        torch.set_num_threads(recipe.threads)
    build = _build(model, data, recipe, model_settings, begun)
    net = model if isinstance(model, nn.Module) else build_network(build or {})
    origin = None
    notes: list[Text] = list(data.findings) if known else []
    if begun:
        if not weights and not pretrained:
            notes.append(_not_from_chance(begun))
        data, origin, said = put_into(begun, net, data)
        notes += said
    if recipe.freeze:
        freeze_below_head(net)
        if not begun and build:
            notes.append(_FROZEN_AT_RANDOM)
    kind = data.kind if isinstance(data, TableData) else task or "classification"
    made = build_task(task_record(data, kind), net, recipe.label_smoothing)
    choices = choose(recipe, dict(made.modules), data)
    feed = as_feed(data, recipe, choices, made)
    check_target(recipe, made.kind, feed.validation)
    tested = None
    if settings.get("learning_rate") == "auto":
        tested = find_learning_rate(made, feed, recipe, choices)
        recipe = recipe.model_copy(update={"learning_rate": tested.suggestion})
        notes.append(_suggested(tested.suggestion))
    state = State.begin(made, recipe, steps_per_epoch(feed, recipe), choices)
    record = make_record(data, name, build, state)
    record["model"]["weights"] = origin
    record["range_test"] = tested.to_json() if tested else None
    session = Session(create_run(record, run_dir), made, feed, state)
    session.notes = notes
    session.save()  # a run killed before its first checkpoint resumes from its start
    return session


def _first_inputs(feed: Any) -> Tensor:
    """Some thousand training pictures, for a model whose first layer begins with what they look like."""
    return torch.cat([batch.inputs for batch, _ in zip(feed.evaluation("train"), range(5))])


def _data_and_weights(
    data: Any,
    model: Any,
    weights: Weights | Path | str | None,
    pretrained: bool | None,
    wishes: dict[str, Any],
) -> tuple[Any, Weights | None]:
    """The data, loaded where it is a name or a path, and the weights to begin with, which have a say in its size."""
    begun = find_weights(weights, pretrained, model, data, wishes["progress"])
    if not isinstance(data, (str, Path)):
        return data, begun
    place = data
    data = load_data(place, **suited_to(begun, place) | wishes)
    if model is None and begun is None and pretrained is None and gains_from_weights(data, wishes):
        begun = find_weights(None, True, None, place)
        data = load_data(place, **wishes | suited_to(begun, place))
    return data, begun


def check_wishes(
    model: str | None = None,
    model_settings: Sequence[str] = (),
    **settings: Any,
) -> None:
    """See what can be seen of the arguments of `start_run` before the data is read.

    Raises:
        EtudeError: a name is unknown or a setting is out of bounds.
    """
    if model is not None:
        find_any_model(model)
        _read_settings(model, model_settings)
    recommend(model or "", 0, _without_auto(settings))


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
    known = isinstance(data, ImageData | TableData)
    if known and data.fingerprint != record["data"].get("fingerprint"):
        raise EtudeError(
            en=f"The data of '{data.name}' is no longer what {run.name} was trained on, so it cannot be resumed; "
            "put the data back as it was, or train anew.",
            zh=f"“{data.name}”的数据与 {run.name} 训练时不同，无法继续；请恢复原来的数据，或重新训练。",
        )
    if known:
        data = normalised_as(run, data)
    seed_everything(recipe.seed)
    net = rebuild_model(run) if model is None else model
    if recipe.freeze:
        freeze_below_head(net)
    task = rebuild_task(run, net)
    choices = choices_from_json(record["choices"])
    feed = as_feed(data, recipe, choices, task)
    session = Session(run, task, feed, State(task, recipe, choices, steps_per_epoch(feed, recipe)))
    try:
        session.restore(step)
    except BaseException:
        session.close()
        raise
    return session


def _recipe(recipe: Recipe | None, model: str, data: Any, settings: dict[str, Any], trained: bool) -> Recipe:
    settings = _without_auto(settings)
    if isinstance(data, TableData):
        _refuse_picture_settings(settings, data.name)
    if recipe is not None:
        return make(Recipe, recipe.model_dump() | settings) if settings else recipe
    size = len(data.train) if isinstance(data, ImageData | TableData) else 0
    return recommend(model, size, settings, table=isinstance(data, TableData), trained=trained)


def _seed(recipe: Recipe | None, settings: dict[str, Any]) -> int:
    """That of the run: as a number, also where it was typed on a command line."""
    if settings.get("seed") is not None:
        return make(Recipe, {"seed": settings["seed"]}).seed
    return recipe.seed if recipe else 0


def _refuse_picture_settings(settings: dict[str, Any], name: str) -> None:
    given = next((each for each in _PICTURE_SETTINGS if settings.get(each)), None)
    if given is not None:
        raise EtudeError(
            en=f"{given} varies pictures, and {name} is a table; leave it out.",
            zh=f"{given} 用于变化图片，而 {name} 是表格；请去掉它。",
        )


def _build(
    model: Any,
    data: Any,
    recipe: Recipe,
    settings: dict[str, Any] | Sequence[str] | None,
    weights: Weights | None,
) -> dict[str, Any] | None:
    """The description of a network that suits ``data`` and ``weights``; None for a module of the person's own."""
    if isinstance(model, nn.Module):
        return None
    if not isinstance(data, ImageData | TableData):
        raise EtudeError(
            en="With data of your own, give the model as a module: etude.start_run(data, model=net).",
            zh="使用自己的数据对象时，请直接给出模型：etude.start_run(data, model=net)。",
        )
    build = {"name": model, "input_shape": list(data.input_shape), "num_classes": data.num_classes}
    if weights and weights.model == model:
        build |= weights.settings or {}
    elif weights:
        build |= settings_that_fit(weights, model)
    else:
        build |= recommended_settings(model, data.input_shape)
    build |= _read_settings(model, settings)
    return build if recipe.dropout is None else build | {"dropout": recipe.dropout}


def _read_settings(model: str, settings: dict[str, Any] | Sequence[str] | None) -> dict[str, Any]:
    if isinstance(settings, dict):
        return settings
    return dict(read_setting(find_any_model(model), words) for words in settings or ())


def _not_from_chance(weights: Weights) -> Text:
    return Text(
        en=f"There are few pictures, so training begins with the weights of {weights.where} (--no-pretrained: with random ones).",
        zh=f"图片较少，因此从 {weights.where} 的权重开始训练（用 --no-pretrained 可从随机权重开始）。",
    )


def _suggested(rate: float) -> Text:
    return Text(
        en=f"The range test suggests a learning rate of {rate:.3g}.", zh=f"学习率测试建议使用 {rate:.3g}。"
    )


def _without_auto(settings: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if (name, value) != ("learning_rate", "auto")}
