"""Regression: one model, mean squared error (first version; being written out)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from etude.tasks.task import Part


class Regression:
    kind = "regression"

    def __init__(self, model: nn.Module, target_mean: float = 0.0, target_std: float = 1.0) -> None:
        self.model, self.modules = model, {"model": model}
        self.target_mean, self.target_std = target_mean, target_std

    def parts(self, batch: tuple[Tensor, Tensor]) -> Iterator[Part]:
        inputs, targets = batch
        wanted = (targets - self.target_mean) / self.target_std
        yield Part("model", lambda: F.mse_loss(self.model(inputs).flatten(), wanted))

    def evaluate(self, batches: Iterable[Any]) -> dict[str, float]:
        predictions, targets = self.predict(batches)
        error = (predictions - targets).double().square().mean()
        return {
            "loss": float(error) / self.target_std**2,
            "rmse": float(error.sqrt()),
            "r2": 1 - float(error / targets.double().var(unbiased=False)),
        }

    def score(self, metrics: dict[str, float]) -> tuple[float, ...]:
        return (-metrics["loss"],)

    def predict(self, batches: Iterable[Any]) -> tuple[Tensor, Tensor]:
        pairs = [(self.model(x).float().flatten() * self.target_std + self.target_mean, y) for x, y in batches]
        return torch.cat([p for p, _ in pairs]).cpu(), torch.cat([y for _, y in pairs]).cpu()
