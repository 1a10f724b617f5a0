"""A trained run put to use: pictures or rows in, classes with probabilities or numbers out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from etude.core.devices import choose_device
from etude.core.errors import EtudeError
from etude.data.batches import ImageBatches
from etude.data.dataset import Examples, ImageData
from etude.data.prepare_rows import PreparedRows, prepare_rows
from etude.data.table import TableData, TableExamples
from etude.data.table_batches import TableBatches
from etude.train.finish import load_weights
from etude.train.record import rebuild_model, rebuild_task
from etude.train.run import Run, open_run


class Predictor:
    """The network of a run, ready to answer.

    Args:
        run: a run, its directory or its name.
        device: where to compute.

    Attributes:
        final: whether the weights are those of the finished run, not the best so far.
        kind: ``"classification"`` or ``"regression"``.
        takes_rows: whether it takes rows of a table, not pictures.
        classes: their names; empty for regression.

    Raises:
        EtudeError: there is no such run, or it has no weights.
    """

    def __init__(self, run: Run | Path | str, device: str = "auto") -> None:
        self.run = run if isinstance(run, Run) else open_run(run)
        self.model = rebuild_model(self.run)
        self.final = load_weights(self.run, self.model)
        self.device = choose_device(device)
        self.model.to(self.device).eval()
        self.task = rebuild_task(self.run, self.model)
        self.kind: Literal["classification", "regression"] = (
            "regression" if self.task.kind == "regression" else "classification"
        )
        self.takes_rows = self.run.record["data"].get("kind") == "table"
        self.classes = tuple(self.run.record["task"]["classes"] or ())

    def prepare(self, image: Any) -> np.ndarray:
        """A picture (a path or a PIL image) as the network wants it: uint8 ``[channels, height, width]``.

        Raises:
            EtudeError: it cannot be read, or the network takes rows of a table.
        """
        from etude.data.prepare import prepare_image

        if self.takes_rows:
            raise self._wants_rows(image)
        prepared = prepare_image(image, self.run.record["data"]["preparation"])
        return np.asarray(getattr(prepared, "pixels", prepared))

    def prepare_rows(
        self, rows: Path | str | Sequence[Mapping[str, Any]], need_target: bool = False
    ) -> PreparedRows:
        """Rows (a file, or dictionaries from column names to values) as the network wants them.

        Raises:
            EtudeError: they cannot be read, lack a column, or the network takes pictures.
        """
        if not self.takes_rows:
            raise EtudeError(
                en=f"{self.run.name} learnt from pictures and takes no tables; give it a picture.",
                zh=f"{self.run.name} 是用图片训练的，不能用于表格；请给出图片。",
            )
        return prepare_rows(rows, self.run.record["data"]["preparation"], need_target)

    def outputs(self, inputs: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
        """Probabilities float32 ``[n, num_classes]``; of a regression, predictions float32 ``[n]`` in the target's unit.

        Args:
            inputs: prepared pictures, or the features of prepared rows, float32 ``[n, num_features]``.
        """
        stacked = np.stack(list(inputs))
        targets = np.zeros(len(stacked), dtype=np.float32 if self.kind == "regression" else np.int64)
        if self.takes_rows:
            return self.predict(TableExamples(stacked, targets, np.arange(len(stacked))))[0]
        return self.predict(Examples(stacked, targets))[0]

    def probabilities(self, images: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
        """float32 ``[n, num_classes]`` for prepared pictures, or the features of prepared rows."""
        return self.outputs(images)

    def top(self, images: Sequence[np.ndarray] | np.ndarray, k: int = 3) -> list[list[tuple[str, float]]]:
        """For each prepared picture, or row, its ``k`` likeliest classes with their probabilities, the likeliest first."""
        found = []
        for row in self.probabilities(images):
            best = np.argsort(-row, kind="stable")[:k]
            found.append([(self.classes[index], float(row[index])) for index in best])
        return found

    def measure(self, examples: Examples | TableExamples) -> dict[str, float]:
        """The metrics of the task over examples with known targets."""
        with torch.inference_mode(), self._autocast():
            return self.task.evaluate(self._batches(examples))

    def predict(self, examples: Examples | TableExamples) -> tuple[np.ndarray, np.ndarray]:
        """What `outputs` gives, ``[n, …]``, and the targets ``[n]``, of examples with known targets."""
        with torch.inference_mode(), self._autocast():
            outputs, targets = self.task.predict(self._batches(examples))
        return outputs.numpy(), targets.numpy()

    def _autocast(self) -> Any:
        """The precision of the training, so that evaluating again gives what the training gave."""
        choices = self.run.record["choices"]
        if choices["precision"] != "bf16" or torch.device(choices["device"]).type != self.device.type:
            return nullcontext()
        return torch.autocast(self.device.type, dtype=torch.bfloat16)

    def _batches(self, examples: Examples | TableExamples) -> Any:
        data = self.run.record["data"]
        if isinstance(examples, TableExamples):
            table = TableData(
                data["name"], self.kind, "", (), self.classes, examples, examples, examples, 0.0, 1.0, "", {}
            )
            return TableBatches(table, 1, 0, self.device).evaluation("test")
        shell = ImageData(
            data["name"],
            self.classes,
            examples,
            examples,
            examples,
            tuple(data["mean"]),
            tuple(data["std"]),
            "",
            {},
        )
        return ImageBatches(shell, 1, 0, self.device).evaluation("test")

    def _wants_rows(self, given: Any) -> EtudeError:
        what = given if isinstance(given, (str, Path)) else "?"
        return EtudeError(
            en=f"{self.run.name} learnt from a table and takes no pictures ({what}); give it rows with the same columns, "
            "as a .csv file.",
            zh=f"{self.run.name} 是用表格训练的，不能用于图片（{what}）；请给出列相同的 .csv 文件。",
        )
