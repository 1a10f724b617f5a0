"""All that a run is at one moment: what is trained, what trains it, and the place it has reached."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from etude.core.devices import sum_dtype
from etude.tasks.task import Task
from etude.train.averages import Average, load_named, named_tensors
from etude.train.choices import Choices, choose
from etude.train.combined import Combined
from etude.train.cuda_graph import GraphedStep
from etude.train.execution.executed import Execution
from etude.train.fused_update import FusedUpdate
from etude.train.heads import TrainingMode
from etude.train.optimizers import build_optimizer, check_batches
from etude.train.polyak import choose_average
from etude.train.recipe import Recipe
from etude.train.schedule import learning_rate_at
from etude.train.target import cycle_ends, reaches


def _update_of(
    optimizer: torch.optim.Optimizer | Combined, choices: Choices
) -> torch.optim.Optimizer | Combined | FusedUpdate:
    """What makes the steps of an optimiser fastest; inside a CUDA graph its Python costs nothing."""
    if not choices.fused or choices.graphs or isinstance(optimizer, Combined):
        return optimizer
    return FusedUpdate(optimizer) if FusedUpdate.suits(optimizer) else optimizer


@dataclass
class Best:
    """The best evaluation so far, and the weights it was of."""

    score: tuple[float, ...]
    step: int
    epoch: int
    metrics: dict[str, float]
    weights: dict[str, Tensor]


class State:
    """The state of a run. It is valid whenever `etude.train.fit.fit` has yielded.

    Raises:
        EtudeError: the optimiser does not suit the model, or the size of the batches.

    Attributes:
        task: owns the bare modules.
        modes: put the modules in training mode.
        optimizers: one for each part of the task.
        updates: make the updates of the optimisers: they themselves, or the same without their overhead.
        recorded: the step as a CUDA graph, once there is one.
        average: the moving average of the weights (of ASGD: their mean over the second half), or None.
        step: updates made.
        epoch, position: the epoch under way (from 0) and how many of its batches are done.
        ended: nothing is left to train.
        best: the best evaluation so far, or None before the first.
        stale: evaluations since the best one.
        judged: the step and the metrics of the last evaluation.
        checks_late: losses are checked by a flag on the device, which fused optimisers heed, so that no step
            waits for the GPU.
        loss_sums, examples: of the epoch so far, in float64 (on MPS float32), on the device.
        finite: whether every loss so far was finite; on the device, read later on CUDA.
    """

    def __init__(self, task: Task, recipe: Recipe, choices: Choices, steps_per_epoch: int) -> None:
        self.task, self.recipe, self.choices = task, recipe, choices
        self.steps_per_epoch = steps_per_epoch
        self.total_steps = recipe.total_steps(steps_per_epoch)
        check_batches(recipe, steps_per_epoch)
        for module in task.modules.values():
            module.to(choices.device)
            if choices.channels_last:
                module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._execution = Execution(task, choices.rules, recipe.batch_size if choices.compile else None)
        self.modes = [TrainingMode(module) for module in task.modules.values()]
        self.optimizers = {name: build_optimizer(m, recipe, choices.fused) for name, m in task.modules.items()}
        self.updates = {name: _update_of(optimizer, choices) for name, optimizer in self.optimizers.items()}
        self.recorded: GraphedStep | None = None
        self.average: Average | None = choose_average(task.modules, recipe, self.total_steps)
        self.step = self.epoch = self.position = self.examples = self.stale = 0
        self.ended = False
        self.best: Best | None = None
        self.judged: tuple[int, dict[str, float]] | None = None
        self.checks_late = choices.fused and torch.device(choices.device).type == "cuda"
        zero = torch.zeros((), dtype=sum_dtype(choices.device), device=choices.device)
        self.loss_sums = {name: zero.clone() for name in task.modules}
        self.finite = torch.ones((), dtype=torch.bool, device=choices.device)

    @classmethod
    def begin(cls, task: Task, recipe: Recipe, steps_per_epoch: int, choices: Choices | None = None) -> State:
        """The state before the first step."""
        return cls(task, recipe, choices or choose(recipe, dict(task.modules)), steps_per_epoch)

    @property
    def execution(self) -> Task:
        """The task as it is computed: over the same parameters, by operations that may be others."""
        return self._execution.task

    @property
    def compiler_failed(self) -> bool:
        """Whether ``compile`` was asked for and could not be done: training goes on without it."""
        return self._execution.compiler_failed

    @property
    def out_of_steps(self) -> bool:
        """Whether no further update is to be made: all are done, or early stopping or the accuracy reached says so."""
        patience = self.recipe.early_stopping
        return (
            self.step >= self.total_steps or self.reached or (patience is not None and self.stale >= patience)
        )

    @property
    def reached(self) -> bool:
        """Whether the last evaluation is reason to stop: the accuracy that ``to_accuracy`` asks for is there."""
        if self.recipe.to_accuracy is None or self.judged is None:
            return False
        step, metrics = self.judged
        ends = cycle_ends(self.total_steps, self.recipe, self.steps_per_epoch)
        return reaches(metrics, self.recipe, step in ends)

    @property
    def learning_rate(self) -> float:
        """That of the next update."""
        return learning_rate_at(self.step, self.total_steps, self.recipe, self.steps_per_epoch)

    def autocast(self) -> Any:
        """The block in which forward passes run, in the precision that was chosen."""
        if self.choices.precision != "bf16":
            return nullcontext()
        return torch.autocast(torch.device(self.choices.device).type, dtype=torch.bfloat16)

    @contextmanager
    def weights_to_judge(self) -> Iterator[None]:
        """Inside this block the modules hold the weights that are evaluated: the average, if there is one."""
        with self.average.in_place() if self.average else nullcontext():
            yield

    def judge(self, metrics: dict[str, float]) -> None:
        """Take in an evaluation of the present weights. Call it inside `weights_to_judge`."""
        self.judged = (self.step, metrics)
        score = self.task.score(metrics)
        if self.best is not None and not score > self.best.score:
            self.stale += 1
            return
        weights = {name: t.detach().clone() for name, t in named_tensors(self.task.modules).items()}
        self.best = Best(score, self.step, self.epoch, dict(metrics), weights)
        self.stale = 0

    def add_loss(self, name: str, loss: Tensor, count: int) -> None:
        """Take in the mean loss of ``count`` examples. Where nothing has to be waited for, in Python, which is quicker."""
        total = self.loss_sums[name]
        if total.is_cpu:
            total.numpy()[()] += loss.item() * count
        else:
            total.add_(loss, alpha=count)

    def end_epoch(self) -> dict[str, float]:
        """Go on to the next epoch; the mean loss of each part over the one that ended."""
        losses = {name: float(total) / max(self.examples, 1) for name, total in self.loss_sums.items()}
        for total in self.loss_sums.values():
            total.zero_()
        self.ended = self.out_of_steps
        self.epoch, self.position, self.examples = self.epoch + 1, 0, 0
        return losses

    def keep_final_weights(self) -> None:
        """Put the weights that the recipe keeps into the modules: the best, the average, or the last.

        The state cannot go on training afterwards.
        """
        if self.recipe.keep == "best" and self.best is not None:
            load_named(self.task.modules, self.best.weights)
        elif self.average is not None:
            load_named(self.task.modules, self.average.tensors)
