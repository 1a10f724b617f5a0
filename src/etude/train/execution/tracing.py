"""A network as a graph of operations, where it can be had without changing what the network does."""

from __future__ import annotations

import operator
import random
from typing import Any

import torch
from torch import fx, nn
from torch.fx.proxy import Attribute

from etude.train.execution.purity import is_pure


def trace(module: nn.Module) -> fx.GraphModule | None:
    """The operations of ``module`` in its present modes, over its own parameters and layers; or None.

    A graph holds what Python decided while it was made. So there is none where that could come out differently at
    another step: where the code is not pure, or the forward pass drew from a generator, changed an attribute, or uses a
    tensor that is no parameter or buffer. What else it depends on is watched by `etude.train.execution.watch.Watch`.
    """
    if not is_pure(module):
        return None
    before = _surroundings(module)
    tracer = _Tracer()
    generator = torch.get_rng_state()
    try:
        operations = tracer.trace(module)
        graph = fx.GraphModule(tracer.root, operations, type(module).__name__)
        unchanged = before == _surroundings(module)
    except Exception:  # Python control flow over tensors, and whatever a person's own code does with a stand-in
        return None
    finally:  # what was drawn on trial is drawn again: the run goes on, and is resumed, as if there had been no trial
        torch.set_rng_state(generator)
    known = {name for name, _ in module.named_parameters(remove_duplicate=False)}
    known |= {name for name, _ in module.named_buffers(remove_duplicate=False)}
    constants = [
        node.target for node in graph.graph.nodes if node.op == "get_attr" and node.target not in known
    ]
    inputs = [node for node in graph.graph.nodes if node.op == "placeholder"]
    if constants or len(inputs) != 1 or not unchanged:
        return None
    return graph


def in_place(name: str, left: Any, right: Any) -> Any:
    """``left += right``, or what else the operator called ``name`` (``"iadd"``) does; the new ``left``."""
    return getattr(operator, name)(left, right)


class _InPlace:
    """`torch.fx` takes ``x += y`` for ``x = x + y``, which leaves the tensor as it was that other names may stand for."""

    tracer: Any

    def __getattr__(self, name: str) -> _Attribute:
        return _Attribute(self, name)  # type: ignore[arg-type]


def _operator(name: str) -> Any:
    def method(self: _InPlace, other: Any) -> Any:
        return self.tracer.create_proxy("call_function", in_place, (name, self, other), {})

    return method


for _name in (
    "add",
    "sub",
    "mul",
    "truediv",
    "floordiv",
    "mod",
    "pow",
    "matmul",
    "and",
    "or",
    "xor",
    "lshift",
    "rshift",
):
    setattr(_InPlace, f"__i{_name}__", _operator(f"i{_name}"))


class _Value(_InPlace, fx.Proxy):
    pass


class _Attribute(_InPlace, Attribute):
    pass


class _Tracer(fx.Tracer):
    proxy_buffer_attributes = True  # else what is done to a buffer alone would be done now, once

    def proxy(self, node: fx.Node) -> fx.Proxy:
        return _Value(node, self)


def _surroundings(module: nn.Module) -> tuple[Any, ...]:
    """What a forward pass must leave alone: generators, attributes and layers."""
    attributes = [
        (
            {name: id(value) for name, value in vars(each).items()},
            [id(value) for value in each._modules.values()],
        )
        for each in module.modules()
    ]
    return attributes, random.getstate(), torch.get_rng_state().numpy().tobytes()
