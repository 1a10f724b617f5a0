"""A network as the engine computes it: the same parameters and the same function, by other operations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import fx, nn

from etude.core.errors import EtudeError
from etude.tasks.task import Task
from etude.train.execution.rules import RULES
from etude.train.execution.tracing import modes, that_matter, trace


class Executed:
    """Call it as the module itself is called.

    It holds the module's own parameters, buffers and layers, so there is nothing to map back: optimisers, averages and
    checkpoints work on the module and do not know of it. A graph is made at the first call in each mode (training,
    evaluation, partly frozen); where there is none (see `etude.train.execution.tracing.trace`) the module itself is called.

    Args:
        module: any module with one input.
        rules: names of `etude.train.execution.rules.RULES`.
    """

    def __init__(self, module: nn.Module, rules: Sequence[str]) -> None:
        self.module, self.rules = module, tuple(rules)
        self._watched = that_matter(module)
        self._graphs: dict[tuple[Any, ...], Callable[..., Any]] = {}

    def __call__(self, *inputs: Any) -> Any:
        if len(inputs) != 1:
            return self.module(*inputs)
        key = modes(self._watched)
        if key not in self._graphs:
            self._graphs[key] = self._make() or self.module
        return self._graphs[key](*inputs)

    @property
    def graph(self) -> fx.GraphModule | None:
        """What is called in the module's present modes; None where it is the module itself."""
        key = modes(self._watched)
        if key not in self._graphs:
            self._graphs[key] = self._make() or self.module
        found = self._graphs[key]
        return found if isinstance(found, fx.GraphModule) else None

    def _make(self) -> fx.GraphModule | None:
        graph = trace(self.module)
        if graph is None:
            return None
        for name in self.rules:
            RULES[name](graph)
        graph.graph.lint()
        graph.recompile()
        return graph


class Compiled:
    """A module whose training passes are compiled by ``torch.compile``; call it as the module itself is called.

    Batches of another size, such as the last of an epoch, go through the module itself: they are not worth another
    half a minute. So does everything where the compiler fails, which may not be there.

    Args:
        module: any module.
        batch_size: that of the batches to compile for.
    """

    def __init__(self, module: nn.Module, batch_size: int) -> None:
        self.module, self.batch_size = module, batch_size
        self._program: Callable[..., Any] | None = torch.compile(module, dynamic=False)

    def __call__(self, *inputs: Any) -> Any:
        if self._program is None or not self.module.training or len(inputs[0]) != self.batch_size:
            return self.module(*inputs)
        try:
            return self._program(*inputs)
        except EtudeError:
            raise
        except Exception:  # no compiler, or a network it cannot take: the compiler's errors are of many kinds
            self._program = None
            return self.module(*inputs)


class Execution:
    """A task as it is computed, over the same parameters.

    Args:
        task: what to compute. Where it is of a kind that cannot be computed by other modules than its own (a person's
            own task, without ``computed_by``), it is computed as it is.
        rules: names of rules for its modules.
        compile_for: a batch size to compile the modules for, in place of the rules.
    """

    def __init__(self, task: Task, rules: Sequence[str], compile_for: int | None = None) -> None:
        self._task = task
        self.modules: dict[str, Callable[..., Any]] = {}
        if not hasattr(task, "computed_by"):
            return
        for name, module in task.modules.items():
            if compile_for is not None:
                self.modules[name] = Compiled(module, compile_for)
            elif rules:
                self.modules[name] = Executed(module, rules)

    @property
    def task(self) -> Any:
        """The task as it stands now, computed by other operations."""
        return self._task.computed_by(self.modules) if self.modules else self._task  # type: ignore[attr-defined]
