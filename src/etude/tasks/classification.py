"""Classification: one model, cross-entropy, accuracy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from etude.core.devices import sum_dtype
from etude.core.errors import EtudeError
from etude.tasks.task import Part

_AUXILIARY = 0.3
_IGNORED = -100  # the label that torch.nn.functional.cross_entropy leaves out


class Classification:
    """Train a model that gives one logit a class.

    A batch is ``(inputs, labels)``: inputs as the model takes them, labels int64 ``[batch]``, or of mixed examples
    (mixup) the share of each class, float32 ``[batch, num_classes]``. In training a model may give further logits
    after its own, from auxiliary classifiers; each adds 0.3 of its loss (Szegedy et al. 2014, section 5).

    Args:
        model: maps inputs to logits ``[batch, num_classes]``.
        label_smoothing: share of the target spread over all classes (Szegedy et al. 2016, section 7), in training only.

    Attributes:
        label_range: the lowest and the highest label there are, where the data tells; else, on a GPU, those of the first
            batch. A label beyond the classes must be told before the GPU sees it: there it would end all computing.
    """

    kind = "classification"

    def __init__(self, model: nn.Module, label_smoothing: float = 0.0) -> None:
        self.model = model
        self.modules = {"model": model}
        self.label_smoothing = label_smoothing
        self.label_range: tuple[int, int] | None = None
        self._written: Classification | None = None

    def parts(self, batch: tuple[Tensor, Tensor]) -> Iterator[Part]:
        """One part: the model, with the mean cross-entropy of the batch in nats."""
        inputs, labels = batch
        yield Part("model", lambda: self._loss(self.model(inputs), labels))

    def computed_by(self, modules: Mapping[str, Callable[..., Any]]) -> Classification:
        """The same task, whose forward passes go through ``modules["model"]``; what is trained stays what it is."""
        other = object.__new__(type(self))  # once a step: copy.copy takes ten times as long
        other.__dict__.update(self.__dict__)
        other._written = self
        other.model = modules["model"]  # type: ignore[assignment]
        return other

    def evaluate(self, batches: Iterable[tuple[Tensor, Tensor]]) -> dict[str, float]:
        """``loss`` (mean cross-entropy, nats) and ``accuracy`` (share of the right class on top)."""
        return self._metrics((self.model(inputs), labels) for inputs, labels in batches)

    def evaluate_and_predict(
        self, batches: Iterable[tuple[Tensor, Tensor]]
    ) -> tuple[dict[str, float], tuple[Tensor, Tensor]]:
        """What `evaluate` and `predict` return, from one pass over ``batches``."""
        found = [(self.model(inputs), labels) for inputs, labels in batches]
        return self._metrics(found), _probabilities(found)

    def score(self, metrics: dict[str, float]) -> tuple[float, ...]:
        """More accurate is better; of two equally accurate, the one with the lower loss."""
        return metrics["accuracy"], -metrics["loss"]

    def predict(self, batches: Iterable[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
        """Probabilities float32 ``[n, num_classes]`` and labels int64 ``[n]`` of all ``batches``, on the CPU."""
        return _probabilities((self.model(inputs), labels) for inputs, labels in batches)

    def _metrics(self, found: Iterable[tuple[Tensor, Tensor]]) -> dict[str, float]:
        total, correct, count = 0.0, 0, 0
        sums = None
        for logits, labels in found:
            loss = self._cross_entropy(logits, labels, 0.0, "sum")
            loss = loss.to(sum_dtype(loss.device))
            right = (logits.argmax(1) == labels).sum()
            sums = (loss, right) if sums is None else (sums[0] + loss, sums[1] + right)
            count += len(labels)
        if sums is not None:  # read once, so that a GPU is not waited for after every batch
            total, correct = float(sums[0]), int(sums[1])
        return {"loss": total / max(count, 1), "accuracy": correct / max(count, 1)}

    def _loss(self, outputs: Tensor | tuple[Tensor | None, ...], labels: Tensor) -> Tensor:
        main, *auxiliary = (outputs,) if isinstance(outputs, Tensor) else outputs
        loss = self._cross_entropy(main, labels, self.label_smoothing)  # type: ignore[arg-type]
        for logits in auxiliary:
            if logits is not None:
                loss = loss + _AUXILIARY * self._cross_entropy(logits, labels, self.label_smoothing)
        return loss

    def _cross_entropy(
        self, logits: Tensor, labels: Tensor, smoothing: float, reduction: str = "mean"
    ) -> Tensor:
        shares = labels.is_floating_point() and labels.shape == logits.shape
        indices = not labels.is_floating_point() and labels.ndim == 1 and len(logits) == len(labels)
        if logits.ndim != 2 or not (shares or indices):
            raise EtudeError(
                en=f"Classification takes logits [batch, num_classes] and integer labels [batch]; the model gave "
                f"{list(logits.shape)}, the labels are {str(labels.dtype).removeprefix('torch.')} {list(labels.shape)}. "
                "Make the model's last layer give one number a class, and the labels class indices.",
                zh=f"分类任务需要形状为 [batch, num_classes] 的 logits 和形状为 [batch] 的整数标签；模型给出 {list(logits.shape)}，"
                f"标签为 {str(labels.dtype).removeprefix('torch.')} {list(labels.shape)}。"
                "请让最后一层为每个类别输出一个数，标签用类别编号。",
            )
        if indices:
            self._check_range(labels, logits.shape[1])
        try:
            return F.cross_entropy(logits, labels, label_smoothing=smoothing, reduction=reduction)
        except IndexError:
            raise _beyond((int(labels.min()), int(labels.max())), logits.shape[1]) from None

    def _check_range(self, labels: Tensor, classes: int) -> None:
        """Compare two numbers; only the first batch of unknown labels on a GPU is waited for."""
        if self.label_range is None and labels.device.type != "cpu":
            # for the task it is computed for too: this one may last for one step only
            (self._written or self).label_range = self.label_range = label_range(labels)
        if self.label_range is not None and not (self.label_range[0] >= 0 and self.label_range[1] < classes):
            raise _beyond(self.label_range, classes)


def label_range(labels: Tensor) -> tuple[int, int]:
    """The lowest and the highest of ``labels``, int64 of any shape; (0, 0) of none. Those that torch ignores do not count."""
    counted = labels[labels != _IGNORED]
    return (int(counted.min()), int(counted.max())) if len(counted) else (0, 0)


def _beyond(labels: tuple[int, int], classes: int) -> EtudeError:
    low, high = labels
    return EtudeError(
        en=f"The labels run from {low} to {high}, but the model tells {classes} classes apart (0 to {classes - 1}); build it "
        f"with num_classes={high + 1}, or number the labels from 0.",
        zh=f"标签范围是 {low} 到 {high}，但模型只区分 {classes} 个类别（0 到 {classes - 1}）；"
        f"请用 num_classes={high + 1} 构建模型，或让标签从 0 开始编号。",
    )


def _probabilities(found: Iterable[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    probabilities, labels = [], []
    for logits, batch_labels in found:
        probabilities.append(logits.float().softmax(1).cpu())
        labels.append(batch_labels.cpu())
    return torch.cat(probabilities), torch.cat(labels)
