"""A network as the engine computes it: the same parameters and the same function, by other operations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn

from etude.core.errors import EtudeError
from etude.tasks.task import Task
from etude.train.execution.purity import sets_attributes, takes_gradients
from etude.train.execution.rules import RULES
from etude.train.execution.tracing import trace
from etude.train.execution.watch import Watch

_MOST = 16  # graphs that are kept: a network has few modes, but a setting that changes at every step has many values


class Executed:
    """Call it as the module itself is called.

    It holds the module's own parameters, buffers and layers, so there is nothing to map back: optimisers, averages and
    checkpoints work on the module and do not know of it. A graph is made at the first call in each mode (training,
    evaluation, partly frozen), and whenever a setting or a layer was changed; where there is none (see
    `etude.train.execution.tracing.trace`), and while hooks wait, the module itself is called.

    Args:
        module: any module with one input.
        rules: names of `etude.train.execution.rules.RULES`.
    """

    def __init__(self, module: nn.Module, rules: Sequence[str]) -> None:
        self.module, self.rules = module, tuple(rules)
        self._watch: Watch | None = None
        self._graphs: dict[tuple[Any, ...], fx.GraphModule | None] = {}

    def __getattr__(self, name: str) -> Any:
        return _of_module(self, name)

    def __call__(self, *inputs: Any) -> Any:
        graph = self.graph if len(inputs) == 1 else None
        return self.module(*inputs) if graph is None else graph(*inputs)

    @property
    def graph(self) -> fx.GraphModule | None:
        """What is called in the module's present modes; None where it is the module itself."""
        if self._watch is None:
            self._watch = Watch(self.module)
        if self._watch.hooked:
            return None
        key = self._watch.key()
        if key not in self._graphs:
            if len(self._graphs) >= _MOST:
                self._graphs.clear()
            self._graphs[key] = self._make()
        return self._graphs[key]

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
        self._program: Callable[..., Any] | None = None
        self._failed = False

    def __getattr__(self, name: str) -> Any:
        return _of_module(self, name)

    def __call__(self, *inputs: Any) -> Any:
        if self._failed or not self.module.training or not self._suits(inputs):
            return self.module(*inputs)
        try:
            if self._program is None:
                self._program = torch.compile(self.module, dynamic=False)
            return self._program(*inputs)
        except EtudeError:
            raise
        except Exception:  # no compiler, or a network it cannot take: the compiler's errors are of many kinds
            self._failed = True
            return self.module(*inputs)

    def _suits(self, inputs: tuple[Any, ...]) -> bool:
        first = inputs[0] if inputs else None
        return isinstance(first, Tensor) and first.ndim > 0 and len(first) == self.batch_size


def _of_module(executed: Executed | Compiled, name: str) -> Any:
    """What a person's own loss may ask of its model beside calling it: parameters for a penalty, a layer."""
    if name == "module":  # asked for before there is one, by copy or pickle
        raise AttributeError(name)
    return getattr(executed.module, name)


class Execution:
    """A task as it is computed, over the same parameters.

    Args:
        task: what to compute. Where it is of a kind that cannot be computed by other modules than its own (a person's
            own task, without ``computed_by``, or one that keeps something in ``self`` as it goes or takes gradients itself), it is
            computed as it is.
        rules: names of rules for its modules.
        compile_for: a batch size to compile the modules for, in place of the rules.

    Raises:
        EtudeError: a rule is not known.
    """

    def __init__(self, task: Task, rules: Sequence[str], compile_for: int | None = None) -> None:
        self._task = task
        self.modules: dict[str, Callable[..., Any]] = {}
        strange = [name for name in rules if name not in RULES]
        if strange:
            raise EtudeError(
                en=f"The run was made with '{strange[0]}', a rewriting of networks that this version of étude does not know; "
                "resume it with the version named in its run.json, or train it anew.",
                zh=f"这次训练使用了网络改写规则“{strange[0]}”，当前版本的 étude 没有该规则；请用 run.json 中的版本继续，或重新训练。",
            )
        # what another task, over the same modules, kept in itself would be lost to this one; and some of the faster
        # operations can be differentiated once only
        if not hasattr(task, "computed_by") or sets_attributes(type(task)) or takes_gradients(type(task)):
            return
        for name, module in task.modules.items():
            if compile_for is not None:
                self.modules[name] = Compiled(module, compile_for)
            elif rules:
                self.modules[name] = Executed(module, rules)

    @property
    def compiler_failed(self) -> bool:
        """Whether modules were to be compiled and are computed as they are, because that was not possible."""
        return any(isinstance(each, Compiled) and each._failed for each in self.modules.values())

    @property
    def task(self) -> Any:
        """The task as it stands now, computed by other operations."""
        return self._task.computed_by(self.modules) if self.modules else self._task  # type: ignore[attr-defined]
