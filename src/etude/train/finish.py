"""The end of a run: final weights, the test part read once, the report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import save as pack
from torch import Tensor, nn

from etude.core.errors import EtudeError
from etude.core.files import write_bytes
from etude.core.text import Lang
from etude.data.batches import ImageBatches
from etude.data.table_batches import TableBatches
from etude.train.averages import load_named, named_tensors
from etude.train.fit import measure
from etude.train.run import Run
from etude.train.weight_files import weights_of_run

if TYPE_CHECKING:
    from etude.train.report.predictions import Predictions, RegressionPredictions
    from etude.train.session import Session


def finish_run(session: Session, lang: Lang) -> dict[str, Any]:
    """Write ``weights.safetensors``, the results in ``run.json`` and the report; the results."""
    from etude.train.report.page import write_report  # it brings matplotlib

    state, run = session.state, session.run
    state.keep_final_weights()
    named = {
        name.partition("/")[2]: t for name, t in named_tensors({"model": state.task.modules["model"]}).items()
    }
    write_bytes(run.weights, pack({name: t.detach().contiguous().cpu() for name, t in named.items()}))
    results: dict[str, Any] = {
        "epochs": state.epoch,
        "steps": state.step,
        "train_seconds": round(session.train_seconds, 3),
    }
    if state.best is not None:
        best = state.best if state.recipe.keep == "best" else None
        results["best_epoch"] = best.epoch + 1 if best else None
        metrics = best.metrics if best else state.judged[1] if state.judged else {}
        results |= {f"validation_{name}": value for name, value in metrics.items()}
    if state.recipe.to_accuracy is not None:
        results["reached"] = state.reached
    measured, predictions = measure_test(session)
    results |= {f"test_{name}": value for name, value in measured.items()}
    run.record |= {"results": results, "status": "finished"}
    write_report(run.path, run.record, run.records(), predictions, lang)
    run.update()  # last: until now a resume would have come back to this point
    return results


def measure_test(session: Session) -> tuple[dict[str, float], Predictions | RegressionPredictions | None]:
    """Read the test part once: its metrics, and what the present weights say of every example.

    The metrics are empty where there is no test part, and the predictions None where nothing is known of its classes.
    """
    from etude.train.outcomes import as_predictions

    feed, task, state = session.feed, session.task, session.state
    known = isinstance(feed, ImageBatches | TableBatches)
    if feed.test is None:
        return {}, None
    if not (known or task.kind == "regression"):
        return measure(state, feed.test), None
    task.modules["model"].eval()
    with torch.inference_mode(), state.autocast():
        metrics, (outputs, targets) = task.evaluate_and_predict(feed.test)  # type: ignore[attr-defined]
    examples = feed.data.test if known else None  # type: ignore[attr-defined]
    return metrics, as_predictions(session.run.record["task"], outputs.numpy(), targets.numpy(), examples)


def load_weights(run: Run, model: nn.Module) -> bool:
    """Put the weights of a run into ``model``: the final ones, or of an unfinished run the best so far.

    Returns:
        whether they are the final ones.

    Raises:
        EtudeError: there are none, they are damaged, or they are of another model.
    """
    load_all(model, weights_of_run(run).tensors, str(run.path))
    return run.finished


def load_all(model: nn.Module, saved: dict[str, Tensor], where: str) -> None:
    """Every tensor of ``model`` from ``saved``.

    Raises:
        EtudeError: one is missing, left over or of another shape.
    """
    saved = {f"model/{name}": tensor for name, tensor in saved.items()}
    wanted = {name: tuple(t.shape) for name, t in named_tensors({"model": model}).items()}
    there = {name: tuple(t.shape) for name, t in saved.items()}
    if wanted != there:
        odd = sorted(name for name in wanted.keys() | there.keys() if wanted.get(name) != there.get(name))[0]
        raise EtudeError(
            en=f"{where} holds weights of another model: they differ in '{odd.removeprefix('model/')}'.",
            zh=f"{where} 中是另一个模型的权重：差别在“{odd.removeprefix('model/')}”。",
        )
    load_named({"model": model}, saved)
