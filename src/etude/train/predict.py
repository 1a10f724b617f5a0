"""A trained run put to use: pictures in, classes with probabilities out; or other data measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch

from etude.core.devices import choose_device
from etude.core.errors import EtudeError
from etude.core.text import Text
from etude.data.batches import Evaluation, ImageBatches
from etude.data.dataset import Examples, ImageData
from etude.tasks.classification import Classification
from etude.train.finish import load_weights
from etude.train.run import Run, open_run
from etude.train.record import rebuild_model


class Predictor:
    """The network of a run, ready to answer.

    Args:
        run: a run, its directory or its name.
        device: where to compute.

    Attributes:
        final: whether the weights are those of the finished run, not the best so far.

    Raises:
        EtudeError: there is no such run, or it has no weights.
    """

    def __init__(self, run: Run | Path | str, device: str = "auto") -> None:
        self.run = run if isinstance(run, Run) else open_run(run)
        self.model = rebuild_model(self.run)
        self.final = load_weights(self.run, self.model)
        self.device = choose_device(device)
        self.model.to(self.device).eval()
        self.classes = tuple(self.run.record["task"]["classes"])

    def prepare(self, image: Any) -> np.ndarray:
        """A picture (a path or a PIL image) as the network wants it: uint8 ``[channels, height, width]``."""
        from etude.data.prepare import prepare_image

        prepared = prepare_image(image, self.run.record["data"]["preparation"])
        return np.asarray(getattr(prepared, "pixels", prepared))

    def probabilities(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """float32 ``[n, num_classes]`` for prepared pictures."""
        stacked = np.stack(list(images))
        part = self._part(Examples(stacked, np.zeros(len(stacked), dtype=np.int64)))
        with torch.inference_mode(), self._autocast():
            return Classification(self.model).predict(part)[0].numpy()

    def top(self, images: Sequence[np.ndarray], k: int = 3) -> list[list[tuple[str, float]]]:
        """For each prepared picture its ``k`` likeliest classes with their probabilities, the likeliest first."""
        found = []
        for row in self.probabilities(images):
            best = np.argsort(-row, kind="stable")[:k]
            found.append([(self.classes[index], float(row[index])) for index in best])
        return found

    def measure(self, examples: Examples) -> dict[str, float]:
        """``loss`` and ``accuracy`` over labelled pictures."""
        with torch.inference_mode(), self._autocast():
            return Classification(self.model).evaluate(self._part(examples))

    def predict(self, examples: Examples) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities float32 ``[n, num_classes]`` and labels int64 ``[n]`` of labelled pictures."""
        with torch.inference_mode(), self._autocast():
            probabilities, labels = Classification(self.model).predict(self._part(examples))
        return probabilities.numpy(), labels.numpy()

    def _autocast(self) -> Any:
        """The precision of the training, so that evaluating again gives what the training gave."""
        choices = self.run.record["choices"]
        if choices["precision"] != "bf16" or torch.device(choices["device"]).type != self.device.type:
            return nullcontext()
        return torch.autocast(self.device.type, dtype=torch.bfloat16)

    def _part(self, examples: Examples) -> Evaluation:
        data = self.run.record["data"]
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


def examples_to_measure(
    predictor: Predictor,
    data: str | None,
    data_dir: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Examples, str, tuple[Text, ...]]:
    """What to measure a run on: the test part of its own data, of another data set, or a folder of pictures.

    Returns:
        the examples, the name of the data, and what was noticed about it.

    Raises:
        EtudeError: the data does not fit the run.
    """
    from etude.data.catalog import list_datasets, load_data
    from etude.train.record import reload_data

    if data is None:
        own = reload_data(predictor.run, progress)
        if own.fingerprint != predictor.run.record["data"]["fingerprint"]:
            raise EtudeError(
                en=f"The data of '{own.name}' is no longer what {predictor.run.name} was trained on; name the data to "
                f"measure it on: etude evaluate {predictor.run.path} FOLDER",
                zh=f"“{own.name}”的数据与训练时不同；请指明要评估的数据：etude evaluate {predictor.run.path} 文件夹",
            )
        return own.test, own.name, ()
    if data not in list_datasets() and Path(data).is_dir():
        from etude.data.folder import load_for

        examples, findings = load_for(
            Path(data), predictor.classes, predictor.run.record["data"]["preparation"], progress
        )
        return examples, Path(data).absolute().name, findings
    other = load_data(data, data_dir=data_dir, progress=progress)
    wanted = tuple(predictor.run.record["data"]["input_shape"])
    if other.input_shape != wanted or len(other.classes) != len(predictor.classes):
        raise EtudeError(
            en=f"{other.name} has pictures {_size(other.input_shape)} in {other.num_classes} classes; {predictor.run.name} "
            f"takes {_size(wanted)} in {len(predictor.classes)}. Choose data of the same kind.",
            zh=f"{other.name} 的图片为 {_size(other.input_shape)}，共 {other.num_classes} 类；{predictor.run.name} "
            f"需要 {_size(wanted)},{len(predictor.classes)} 类。请选择同类数据。",
        )
    findings = ()
    if other.classes != predictor.classes:
        findings = (
            Text(
                en=f"The classes of {other.name} have other names than the run's; they are compared by their numbers.",
                zh=f"{other.name} 的类别名称与该训练不同；按编号比较。",
            ),
        )
    return other.test, other.name, findings


def _size(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))
