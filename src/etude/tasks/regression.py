"""Regression: one model, one number for each example, mean squared error."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from etude.core.errors import EtudeError
from etude.tasks.task import Part


class Regression:
    """Train a model that gives one number for each example.

    A batch is ``(inputs, targets)``: inputs as the model takes them, targets ``[batch]`` in the target's own unit.
    The model gives the standardised target, so that neither its unit nor its size matters to the learning rate:
    ``prediction = output * target_std + target_mean``.

    Args:
        model: maps inputs to ``[batch, 1]`` or ``[batch]``.
        target_mean, target_std: of the targets of the training part, in the target's own unit.

    Raises:
        EtudeError: ``target_std`` is no positive number.
    """

    kind = "regression"

    def __init__(self, model: nn.Module, target_mean: float = 0.0, target_std: float = 1.0) -> None:
        if not (math.isfinite(target_mean) and math.isfinite(target_std) and target_std > 0):
            raise EtudeError(
                en=f"The targets have mean {target_mean} and standard deviation {target_std}; both must be finite and the "
                "latter above 0. Give targets that are numbers and differ from each other.",
                zh=f"目标值的均值为 {target_mean}，标准差为 {target_std}；两者必须有限，且标准差大于 0。请给出互不相同的数值目标。",
            )
        self.model = model
        self.modules = {"model": model}
        self.target_mean, self.target_std = float(target_mean), float(target_std)

    def parts(self, batch: tuple[Tensor, Tensor]) -> Iterator[Part]:
        """One part: the model, with the mean squared error of the standardised targets."""
        inputs, targets = batch

        def loss() -> Tensor:
            outputs, wanted = _paired(self.model(inputs), targets)
            return F.mse_loss(outputs, (wanted - self.target_mean) / self.target_std)

        yield Part("model", loss)

    def computed_by(self, modules: Mapping[str, Callable[..., Any]]) -> Regression:
        """The same task, whose forward passes go through ``modules["model"]``; what is trained stays what it is."""
        other = object.__new__(type(self))  # once a step: copy.copy takes ten times as long
        other.__dict__.update(self.__dict__)
        other.model = modules["model"]  # type: ignore[assignment]
        return other

    def evaluate(self, batches: Iterable[tuple[Tensor, Tensor]]) -> dict[str, float]:
        """How far the predictions are from the targets.

        Returns:
            ``loss`` (mean squared error of standardised targets), ``rmse`` and ``mae`` (root mean squared and mean
            absolute error, in the target's own unit), and ``r2`` (1 - SSE / SST, the share of the variance of these
            targets that is explained), which is left out where all targets are equal: there is nothing to explain.

        Raises:
            EtudeError: the shapes do not fit, or there is no example.
        """
        return self._metrics(*self.predict(batches))

    def evaluate_and_predict(
        self, batches: Iterable[tuple[Tensor, Tensor]]
    ) -> tuple[dict[str, float], tuple[Tensor, Tensor]]:
        """What `evaluate` and `predict` return, from one pass over ``batches``."""
        found = self.predict(batches)
        return self._metrics(*found), found

    def score(self, metrics: dict[str, float]) -> tuple[float, ...]:
        """The lower the loss the better."""
        return (-metrics["loss"],)

    def predict(self, batches: Iterable[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
        """Predictions and targets of all ``batches``: both float32 ``[n]`` in the target's own unit, on the CPU.

        Raises:
            EtudeError: the shapes do not fit, or there is no example.
        """
        found = [_paired(self.model(inputs), targets) for inputs, targets in batches]
        if not found:
            raise EtudeError(
                en="There is no example to predict; give at least one row.",
                zh="没有可预测的样本；请至少给出一行数据。",
            )
        outputs, targets = (torch.cat(each).cpu() for each in zip(*found))
        return outputs * self.target_std + self.target_mean, targets

    def _metrics(self, predictions: Tensor, targets: Tensor) -> dict[str, float]:
        predictions, targets = predictions.double(), targets.double()
        error = predictions - targets
        mean_square = float(error.square().mean())
        metrics = {
            "loss": mean_square / self.target_std**2,
            "rmse": math.sqrt(mean_square),
            "mae": float(error.abs().mean()),
        }
        if bool((targets != targets[0]).any()):
            spread = float((targets - targets.mean()).square().sum())
            metrics["r2"] = 1 - float(error.square().sum()) / spread
        return metrics


def _paired(outputs: Any, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Both as float32 ``[batch]``. Anything else would be broadcast: each prediction against every target."""
    given = list(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
    count = targets.shape[0] if targets.ndim else 0
    column = (count,), (count, 1)
    if (
        not isinstance(outputs, Tensor)
        or tuple(outputs.shape) not in column
        or tuple(targets.shape) not in column
    ):
        raise EtudeError(
            en=f"Regression takes one output an example, [batch, 1] or [batch], and targets [batch]; the model gave {given}, "
            f"the targets are {list(targets.shape)}. Make the model's last layer give one number.",
            zh=f"回归任务需要每个样本一个输出（[batch, 1] 或 [batch]），目标形状为 [batch]；模型给出 {given}，"
            f"目标为 {list(targets.shape)}。请让模型的最后一层只输出一个数。",
        )
    return outputs.float().flatten(), targets.float().flatten()
