"""A run while it is being trained: the loop, its metrics and its checkpoints, to iterate over."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import torch

from etude.core.errors import EtudeError
from etude.core.seeds import restore_generators
from etude.core.text import Text
from etude.tasks.task import Task
from etude.train.checkpoint import load_checkpoint, save_checkpoint
from etude.train.choices import differences
from etude.train.feed import Feed
from etude.train.fit import Epoch, Step, fit, raise_if_not_finite
from etude.train.run import Run
from etude.train.state import State

_SECONDS_BETWEEN_CHECKPOINTS = 60.0  # they decide nothing, so a clock may call for them
_STEPS_HELD = 100  # losses stay on the device this long, so that no step waits for them


class Session:
    """Iterate over it to train: it yields what `etude.train.fit.fit` yields, and keeps the run's directory.

    Leaving the loop early is allowed at any record: `save` keeps the place (a ``with`` block does so by itself).
    `finish` measures the test part, once, and writes the report.

    Attributes:
        run: the directory.
        state: the state of the training.
        resumed_from_step: where this process began; 0 for a new run.
        train_seconds: time spent in training, validation included, over all processes of the run.
        notes: what a person should know of how the run began, such as that the head was replaced.
    """

    def __init__(self, run: Run, task: Task, feed: Feed, state: State) -> None:
        self.run, self.task, self.feed, self.state = run, task, feed, state
        self.resumed_from_step = 0
        self.train_seconds = 0.0
        self.notes: list[Text] = []
        self._generators: dict[str, Any] | None = None
        self._held: list[Step | Epoch] = []
        self._saved: tuple[int, int, bool] | None = None
        self._saved_at = time.monotonic()
        self._lock = ExitStack()
        self._lock.enter_context(run.locked())

    def __enter__(self) -> Session:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.save()
        self.close()

    def __iter__(self) -> Iterator[Step | Epoch]:
        if self._generators is not None:
            restore_generators(self._generators)
            self._generators = None
        records = fit(self.task, self.feed, state=self.state)
        while True:
            began = time.perf_counter()
            record = next(records, None)
            if record is not None:
                self._note(record)
            self.train_seconds += time.perf_counter() - began
            if record is None:
                return
            yield record

    def restore(self, step: int | None = None) -> None:
        """Go back to a checkpoint of the run: the newest, or that of ``step``.

        Raises:
            EtudeError: see `etude.train.checkpoint.load_checkpoint`.
        """
        extra, self._generators = load_checkpoint(self.run.checkpoints, self.state, step)
        self.run.cut_metrics(extra["metrics_bytes"])
        self.train_seconds = extra["train_seconds"]
        self.resumed_from_step = self.state.step
        self._saved = self._place

    def save(self) -> None:
        """Write a checkpoint of this moment, unless there is one.

        Raises:
            OSError: the disk is full, or so; the checkpoint before is whole.
            NonFiniteLoss: a loss since the last checkpoint was not finite.
        """
        raise_if_not_finite(self.state)
        size = self._write_metrics()
        if self._saved != self._place:
            extra = {"metrics_bytes": size, "train_seconds": self.train_seconds}
            save_checkpoint(self.run.checkpoints, self.state, extra)
            self._saved, self._saved_at = self._place, time.monotonic()

    def finish(self, lang: str = "en") -> dict[str, Any]:
        """Keep the final weights, measure the test part and write the report; the results.

        Args:
            lang: the language of the report, ``"en"`` or ``"zh"``.

        Raises:
            EtudeError: the training has not come to its end.
        """
        from etude.train.finish import finish_run

        if not self.state.ended:
            raise EtudeError(
                en=f"The run is at step {self.state.step} of {self.state.total_steps}; iterate over the session to its end first.",
                zh=f"训练进行到第 {self.state.step} 步（共 {self.state.total_steps} 步）；请先把训练循环走完。",
            )
        self.save()
        results = finish_run(self, "zh" if lang == "zh" else "en")
        self.close()
        return results

    def close(self) -> None:
        """Let go of the directory; nothing is written."""
        self._lock.close()

    @property
    def changes(self) -> list[str]:
        """Settings of the process that differ from those the run was made with; a resume is exact without any."""
        return differences(self.state.choices)

    @property
    def _place(self) -> tuple[int, int, bool]:
        return self.state.step, self.state.epoch, self.state.ended

    def _note(self, record: Step | Epoch) -> None:
        self._held.append(record)
        if isinstance(record, Epoch):
            if (
                self._every is None
                or record.step % self._every == 0
                or self.state.ended
                or not self.feed.resumes_mid_epoch
            ):
                self.save()
        elif self.feed.resumes_mid_epoch and self._due(record.step):
            self.save()
        if len(self._held) >= _STEPS_HELD:
            raise_if_not_finite(self.state)
            self._write_metrics(
                durable=False
            )  # a checkpoint waits for the disk; what comes after it is made again

    @property
    def _every(self) -> int | None:
        return self.state.recipe.checkpoint_every

    def _due(self, step: int) -> bool:
        if self._every is not None:
            return step % self._every == 0
        return time.monotonic() - self._saved_at >= _SECONDS_BETWEEN_CHECKPOINTS

    def _write_metrics(self, durable: bool = True) -> int:
        size = self.run.append([_line(*both) for both in zip(self._held, _losses(self._held))], durable)
        self._held.clear()
        return size


def _losses(records: list[Step | Epoch]) -> Iterator[dict[str, float]]:
    """The losses of each record as numbers; the device is waited for once, not once a step."""
    tensors = [loss for record in records if isinstance(record, Step) for loss in record.losses.values()]
    together = len({tensor.device for tensor in tensors}) == 1
    numbers = iter(torch.stack(tensors).tolist() if together else [float(tensor) for tensor in tensors])
    for record in records:
        yield record.losses if isinstance(record, Epoch) else {name: next(numbers) for name in record.losses}


def _line(record: Step | Epoch, losses: dict[str, float]) -> dict[str, Any]:
    """A record as a line of ``metrics.jsonl``: nothing in it depends on the clock, so equal runs have equal files."""
    line: dict[str, Any] = {
        "kind": "epoch" if isinstance(record, Epoch) else "step",
        "step": record.step,
        "epoch": record.epoch,
    }
    if isinstance(record, Epoch):
        only = len(losses) == 1
        line["train"] = {"loss" if only else f"loss_{name}": _number(loss) for name, loss in losses.items()}
        line["validation"] = _numbers(record.validation)
    else:
        line["loss"] = _numbers(losses)
        line["learning_rate"] = record.learning_rate
        if record.validation is not None:
            line["validation"] = _numbers(record.validation)
    return line


def _numbers(metrics: dict[str, float] | None) -> dict[str, float | None] | None:
    return None if metrics is None else {name: _number(value) for name, value in metrics.items()}


def _number(value: float) -> float | None:
    number = float(value)  # a person's own task may give a tensor, or a number of NumPy's
    return number if math.isfinite(number) else None
