"""A whole training step recorded once as a CUDA graph, and then played back: one launch in place of hundreds."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from etude.core.errors import EtudeError
from etude.core.seeds import generator_states, restore_generators
from etude.core.text import Text
from etude.train.combined import Combined, members_of
from etude.train.device_rates import DeviceRates, set_rates

AnyOptimizer = torch.optim.Optimizer | Combined
Losses = dict[str, Tensor]

_WARM_UP = 3  # steps: libraries choose their algorithms and workspaces in the first ones
_CAPTURABLE = (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW)


class GraphedStep:
    """A training step that is captured once and replayed for every further batch of the same shapes.

    What the steps before the capture changed (weights, norms' statistics, the optimisers' memories, the generators) is
    put back, so that training goes as it would without. A batch of other shapes, such as the last one of an epoch, is
    computed in the ordinary way, on the same tensors. Where nothing can be captured every batch is, and ``reason`` says
    why.

    All that ``step`` touches must stay where it is in memory for as long as this is used: weights are to be copied into
    place, and an optimiser's memory restored before this is made. ``step`` must do the same operations for every batch:
    zero the gradients, compute the losses, go back, update, and nothing that asks the GPU for a number. It finds the
    learning rates in the optimisers' groups, and must leave them there. Python's own variables are not seen:
    what ``step`` counts is to be counted outside. After a replay the gradients are those of the graph: do not use them.

    PyTorch's notes on CUDA semantics, "CUDA Graphs", whole-network capture. On another device, with ``pretend``, the
    replay is a call of ``step`` on the same static tensors: slower than without, and only good for tests.

    Args:
        step: computes and updates; takes the batch as a sequence of tensors, and gives the losses, detached.
        example: a batch on the device; the steps before the capture are made with it.
        modules: everything whose parameters and buffers ``step`` changes.
        optimizers: those that ``step`` uses.
        others: further tensors that ``step`` changes, such as sums of losses.
        pretend: go through the motions where there is no CUDA.

    Attributes:
        reason: why nothing was captured, for people; None where something was.
    """

    def __init__(
        self,
        step: Callable[[Sequence[Tensor]], Losses],
        example: Sequence[Tensor],
        *,
        modules: Mapping[str, nn.Module],
        optimizers: Mapping[str, AnyOptimizer],
        others: Sequence[Tensor] = (),
        pretend: bool = False,
    ) -> None:
        self._step = step
        self._optimizers = [member for each in optimizers.values() for member in members_of(each)]
        self._rates: DeviceRates | None = None
        self._inputs = [
            each.clone() for each in example
        ]  # a graph reads from where it read when it was captured
        self._losses: Losses = {}
        self._replay: Callable[[], None] | None = None
        self.reason = what_prevents_a_graph(modules, optimizers)
        cuda = all(each.is_cuda for each in example)
        if self.reason is not None or not (cuda or pretend):
            self.reason = self.reason or _no_cuda()
            return
        tensors = [*_tensors_of(modules), *others]
        self._rates = DeviceRates(self._optimizers)
        with _put_back(tensors, self._optimizers):
            try:
                self._replay = self._capture() if cuda else self._pretend()
            except EtudeError:  # for people, such as labels that do not fit the model
                self.close()
                raise
            except Exception as error:  # whatever CUDA or torch object to, the step can still be made without
                self.reason = _failed(error)
                self.close()

    def __call__(self, batch: Sequence[Tensor], learning_rate: float) -> Losses:
        """One step on ``batch``, with ``learning_rate`` times each group's scale; the losses, which stay as they are."""
        if self._rates is not None:
            self._rates.set(learning_rate)
        else:
            set_rates(self._optimizers, learning_rate)
        if self._replay is None or not self.fits(batch):
            return self._step(batch)
        torch._foreach_copy_(self._inputs, list(batch), non_blocking=True)
        self._replay()
        return {name: loss.clone() for name, loss in self._losses.items()}  # the next replay writes over them

    @property
    def captured(self) -> bool:
        """Whether batches of the example's shapes are replayed."""
        return self._replay is not None

    def fits(self, batch: Sequence[Tensor]) -> bool:
        """Whether ``batch`` has the shapes and types of the example."""
        return len(batch) == len(self._inputs) and all(
            mine.shape == other.shape and mine.dtype == other.dtype and mine.device == other.device
            for mine, other in zip(self._inputs, batch)
        )

    def close(self) -> None:
        """Give the optimisers plain numbers as learning rates again; steps are no longer replayed."""
        self._replay = None
        if self._rates is not None:
            self._rates.close()
            self._rates = None

    def _capture(self) -> Callable[[], None]:
        device = self._inputs[0].device
        before = torch.cuda.current_stream(device)
        # one stream for both: libraries keep a handle for each, and must not make one during the capture
        side = torch.cuda.Stream(device)
        side.wait_stream(before)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.device(device):
            try:
                with torch.cuda.stream(side):
                    for _ in range(_WARM_UP - 1):
                        self._step(self._inputs)
                    with _waiting_is_an_error():
                        self._step(self._inputs)
                _drop_gradients(self._optimizers)  # so that the capture makes them in the graph's own memory
                with (
                    _marked_capturable(self._optimizers),
                    torch.cuda.graph(
                        graph,
                        stream=side,
                        capture_error_mode="thread_local",  # a thread that makes batches ahead pins memory meanwhile
                    ),
                ):
                    self._losses = self._step(self._inputs)
            except Exception:
                _free_generator(device)
                raise
            finally:
                torch.cuda.set_stream(before)  # a capture that fails leaves its own stream behind
                before.wait_stream(side)
        return graph.replay

    def _pretend(self) -> Callable[[], None]:
        for _ in range(_WARM_UP):
            self._losses = {name: loss.clone() for name, loss in self._step(self._inputs).items()}

        def replay() -> None:
            for name, loss in self._step(self._inputs).items():
                self._losses[name].copy_(loss)

        return replay


def what_prevents_a_graph(
    modules: Mapping[str, nn.Module], optimizers: Mapping[str, AnyOptimizer]
) -> Text | None:
    """Why steps of these could not be captured, as far as it can be seen before trying; None: nothing known."""
    for optimizer in optimizers.values():
        for member in members_of(optimizer):
            if not isinstance(member, _CAPTURABLE) or not all(g.get("fused") for g in member.param_groups):
                name = type(member).__name__
                return Text(
                    en=f"steps of {name} are not captured: its update is not one kernel that the GPU can skip by itself",
                    zh=f"{name} 的更新不是单个融合核函数，GPU 无法自行跳过更新，因此不捕获",
                )
    devices = {each.device for each in _tensors_of(modules)}
    if len(devices) > 1:
        return Text(en="the model is spread over several devices", zh="模型分布在多个设备上")
    return None


def _no_cuda() -> Text:
    return Text(en="CUDA graphs are for CUDA only", zh="CUDA 图只用于 CUDA 设备")


def _failed(error: Exception) -> Text:
    said = (str(error).splitlines() or [""])[0] or type(error).__name__
    return Text(
        en=f"a step of this model could not be captured ({said})", zh=f"该模型的训练步无法捕获（{said}）"
    )


def _tensors_of(modules: Mapping[str, nn.Module]) -> list[Tensor]:
    """Every parameter and buffer, once each."""
    found = {id(t): t for module in modules.values() for t in (*module.parameters(), *module.buffers())}
    return list(found.values())


@contextlib.contextmanager
def _put_back(tensors: Sequence[Tensor], optimizers: Sequence[torch.optim.Optimizer]) -> Iterator[None]:
    """What the block changes is as before after it, in the same memory; there are no gradients then.

    An optimiser's memory that did not exist before stays, because the captured kernels use it, but all zero: that is
    what SGD's momentum, and Adam's two means and its count of steps, begin with.
    """
    saved = [each.detach().clone() for each in tensors]
    memories = {id(each): each.clone() for each in _memory(optimizers)}
    generators = generator_states()
    try:
        yield
    finally:
        with torch.no_grad():
            for tensor, old in zip(tensors, saved):
                tensor.copy_(old)
            for memory in _memory(optimizers):
                old_memory = memories.get(id(memory))
                memory.zero_() if old_memory is None else memory.copy_(old_memory)
        _drop_gradients(optimizers)
        restore_generators(generators)


def _memory(optimizers: Sequence[torch.optim.Optimizer]) -> Iterator[Tensor]:
    for optimizer in optimizers:
        for values in optimizer.state.values():
            yield from (value for value in values.values() if isinstance(value, Tensor))


def _drop_gradients(optimizers: Sequence[torch.optim.Optimizer]) -> None:
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                parameter.grad = None


def _free_generator(device: torch.device) -> None:
    """After a capture that failed the generator still believes in it, and would refuse to draw; its copy does not."""
    with contextlib.suppress(
        RuntimeError, AttributeError, IndexError
    ):  # not in every version: then it must do as it is
        generator = torch.cuda.default_generators[device.index or 0]
        generator.graphsafe_set_state(generator.clone_state())


@contextlib.contextmanager
def _waiting_is_an_error() -> Iterator[None]:
    """Inside this block an operation that waits for the GPU raises: better now than in the middle of a capture."""
    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode(before)


@contextlib.contextmanager
def _marked_capturable(optimizers: Sequence[torch.optim.Optimizer]) -> Iterator[None]:
    """Fused kernels can be captured as they are; torch's Adam wants to be told so, and warns at other times."""
    groups: list[dict[str, Any]] = [
        group for each in optimizers for group in each.param_groups if "capturable" in group
    ]
    before = [group["capturable"] for group in groups]
    try:
        for group in groups:
            group["capturable"] = True
        yield
    finally:
        for group, old in zip(groups, before):
            group["capturable"] = old
