"""What a batch means: the contract between a task and the training loop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor, nn


@dataclass(frozen=True)
class Part:
    """One update within a step: a classifier has one, a GAN two.

    Args:
        name: a key of the task's ``modules``; the parameters updated are those of that module.
        loss: computes the scalar loss, forward pass included. It may be called more than once (LBFGS).
    """

    name: str
    loss: Callable[[], Tensor]


class Task(Protocol):
    """What `etude.train.fit.fit` needs of a task.

    Attributes:
        kind: its name in a run's record.
    """

    kind: str

    @property
    def modules(self) -> Mapping[str, nn.Module]:
        """What is trained, by the name of the part that trains it."""
        ...

    def parts(self, batch: Any) -> Iterator[Part]:
        """The updates that one batch asks for, in order."""
        ...

    def evaluate(self, batches: Iterable[Any]) -> dict[str, float]:
        """Metrics over ``batches``, in evaluation mode; the caller sees to precision and gradients."""
        ...

    def score(self, metrics: dict[str, float]) -> tuple[float, ...]:
        """What makes one evaluation better than another: the larger tuple wins."""
        ...
