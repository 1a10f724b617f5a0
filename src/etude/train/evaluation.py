"""A trained run measured: on its own test part, or on data it has not seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from etude.core.errors import EtudeError
from etude.core.text import Text
from etude.data.dataset import Examples, ImageData
from etude.data.table import TableData, TableExamples
from etude.train.outcomes import as_predictions
from etude.train.predict import Predictor
from etude.train.report.predictions import Predictions, RegressionPredictions

Progress = Callable[[int, int], None] | None


@dataclass(frozen=True)
class Evaluation:
    """What came of measuring a run.

    Args:
        data: the name of what it was measured on.
        findings: what was noticed about that.
        metrics: of the task, such as ``accuracy`` or ``rmse``.
        predictions: what the network said of every example.
    """

    data: str
    findings: tuple[Text, ...]
    metrics: dict[str, float]
    predictions: Predictions | RegressionPredictions


def evaluate_run(
    predictor: Predictor, data: str | None = None, data_dir: str | None = None, progress: Progress = None
) -> Evaluation:
    """Measure a run.

    Args:
        predictor: the run's network.
        data: a table with the target column, a folder of pictures, or the name of a data set, of which the test part is
            taken; None: the test part of the run's own data.
        data_dir: where downloaded data sets are.
        progress: called with (done, total) while reading.

    Raises:
        EtudeError: the data cannot be read or does not fit the run, or there is none.
    """
    examples, name, findings = examples_to_measure(predictor, data, data_dir, progress)
    if not len(examples):
        raise EtudeError(
            en=f"{name} has no test part; name the data to measure {predictor.run.name} on: "
            f"etude evaluate {predictor.run.spelt} DATA",
            zh=f"{name} 没有测试集；请指明要评估的数据：etude evaluate {predictor.run.spelt} 数据",
        )
    outputs, targets = predictor.predict(examples)
    return Evaluation(
        name,
        findings,
        predictor.measure(examples),
        as_predictions(predictor.run.record["task"], outputs, targets, examples),
    )


def examples_to_measure(
    predictor: Predictor,
    data: str | None,
    data_dir: str | None = None,
    progress: Progress = None,
) -> tuple[Examples | TableExamples, str, tuple[Text, ...]]:
    """What to measure a run on; see `evaluate_run`.

    Returns:
        the examples, the name of the data, and what was noticed about it.

    Raises:
        EtudeError: the data cannot be read or does not fit the run.
    """
    from etude.data.catalog import list_datasets

    run = predictor.run
    own = data is None or (
        predictor.takes_rows and data == run.record["data"]["name"] and not Path(data).exists()
    )
    if own:
        return _own(predictor, progress)
    assert data is not None
    if predictor.takes_rows:
        return _rows(predictor, data)
    if data not in list_datasets() and Path(data).is_dir():
        from etude.data.folder import load_for

        examples, findings = load_for(
            Path(data), predictor.classes, run.record["data"]["preparation"], progress
        )
        return examples, Path(data).absolute().name, findings
    return _pictures(predictor, data, data_dir, progress)


def _own(predictor: Predictor, progress: Progress) -> tuple[Examples | TableExamples, str, tuple[Text, ...]]:
    from etude.train.record import reload_data

    run = predictor.run
    own = reload_data(run, progress)
    if own.fingerprint != run.record["data"]["fingerprint"]:
        what = Text(en="TABLE.csv", zh="表格.csv") if predictor.takes_rows else Text(en="FOLDER", zh="文件夹")
        raise EtudeError(
            en=f"The data of '{own.name}' is no longer what {run.name} was trained on; name the data to "
            f"measure it on: etude evaluate {run.spelt} {what.en}",
            zh=f"“{own.name}”的数据与训练时不同；请指明要评估的数据：etude evaluate {run.spelt} {what.zh}",
        )
    return own.test, own.name, ()


def _rows(predictor: Predictor, data: str) -> tuple[TableExamples, str, tuple[Text, ...]]:
    path = Path(data)
    if not path.is_file():
        target = predictor.run.record["task"]["target"]
        raise EtudeError(
            en=f"{predictor.run.name} learnt from a table; measure it on a file of rows with the same columns and '{target}', "
            f"such as new.csv, not on '{data}'.",
            zh=f"{predictor.run.name} 是用表格训练的；请给出列相同且含有“{target}”列的文件（例如 new.csv），而不是“{data}”。",
        )
    rows: Any = _rows_of_arrays(path) if path.suffix.lower() == ".npz" else path
    prepared = predictor.prepare_rows(rows, need_target=True)
    assert prepared.targets is not None
    return TableExamples(prepared.features, prepared.targets, prepared.rows), path.name, prepared.findings


def _rows_of_arrays(path: Path) -> list[dict[str, Any]]:
    """The rows of NumPy's arrays, as dictionaries."""
    from etude.data.load_table import RawTable
    from etude.data.npz import read_npz

    found = read_npz(path)
    if not isinstance(found, RawTable):
        raise EtudeError(
            en=f"{path} holds pictures, but the run learnt from a table; give rows of numbers.",
            zh=f"{path} 中是图片，而该训练使用的是表格；请给出数值的行。",
        )
    columns = {}
    for each in found.columns:
        values = each.values.tolist()
        columns[each.name] = (
            [each.categories[v] if v >= 0 else None for v in values] if each.categories else values
        )
    return [dict(zip(columns, row)) for row in zip(*columns.values())]


def _pictures(
    predictor: Predictor, data: str, data_dir: str | None, progress: Progress
) -> tuple[Examples, str, tuple[Text, ...]]:
    from etude.data.catalog import load_data

    run, wanted = predictor.run, tuple(predictor.run.record["data"]["input_shape"])
    # of a set without a test part of its own, the seed decides what is held out: another would give what was trained on
    seed = (run.record["data"].get("load") or {}).get("seed", 0)
    other = load_data(data, data_dir=data_dir, seed=seed, progress=progress)
    if isinstance(other, TableData):
        raise EtudeError(
            en=f"{run.name} learnt from pictures, but {other.name} is a table; give a folder of pictures or a data set of them.",
            zh=f"{run.name} 是用图片训练的，而 {other.name} 是表格；请给出图片文件夹或图片数据集。",
        )
    if other.input_shape != wanted or len(other.classes) != len(predictor.classes):
        raise EtudeError(
            en=f"{other.name} has pictures {_size(other.input_shape)} in {other.num_classes} classes; {run.name} "
            f"takes {_size(wanted)} in {len(predictor.classes)}. Choose data of the same kind.",
            zh=f"{other.name} 的图片为 {_size(other.input_shape)}，共 {other.num_classes} 类；{run.name} "
            f"需要 {_size(wanted)}，{len(predictor.classes)} 类。请选择同类数据。",
        )
    return other.test, other.name, _renamed(predictor, other)


def _renamed(predictor: Predictor, other: ImageData) -> tuple[Text, ...]:
    if other.classes == predictor.classes:
        return ()
    return (
        Text(
            en=f"The classes of {other.name} have other names than the run's; they are compared by their numbers.",
            zh=f"{other.name} 的类别名称与该训练不同；按编号比较。",
        ),
    )


def _size(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))
