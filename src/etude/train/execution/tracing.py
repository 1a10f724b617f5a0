"""A network as a graph of operations, where it can be had without changing what the network does."""

from __future__ import annotations

import random
from typing import Any

import torch
from torch import fx, nn

from etude.train.execution.purity import is_pure

_PLAIN = (int, float, bool, str, type(None))


def trace(module: nn.Module) -> fx.GraphModule | None:
    """The operations of ``module`` in its present modes, over its own parameters and layers; or None.

    A graph holds what Python decided while it was made. So there is none where that could come out differently at
    another step: where the code is not pure, hooks are waiting, the forward pass drew from a generator or changed an
    attribute, or uses a tensor that is no parameter or buffer. Plain attributes it may depend on are in `modes`.
    """
    if not is_pure(module) or any(_has_hooks(each) for each in module.modules()):
        return None
    before = _surroundings(module)
    try:
        graph = fx.symbolic_trace(module)
    except Exception:  # Python control flow over tensors, and whatever a person's own code does with a stand-in
        return None
    known = {name for name, _ in [*module.named_parameters(), *module.named_buffers()]}
    constants = [
        node.target for node in graph.graph.nodes if node.op == "get_attr" and node.target not in known
    ]
    inputs = [node for node in graph.graph.nodes if node.op == "placeholder"]
    if constants or len(inputs) != 1 or before != _surroundings(module):
        return None
    return graph


def modes(modules: list[nn.Module]) -> tuple[Any, ...]:
    """All that a graph of these modules depends on: train or eval, and numbers, flags and words among the attributes."""
    return tuple(tuple(v for v in vars(module).values() if type(v) in _PLAIN) for module in modules)


def that_matter(module: nn.Module) -> list[nn.Module]:
    """The modules whose attributes a graph depends on: those traced through, and dropout."""
    return [
        each
        for each in module.modules()
        if isinstance(each, nn.Dropout) or not type(each).__module__.startswith("torch.nn")
    ]


def _has_hooks(module: nn.Module) -> bool:
    names = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return any(getattr(module, name, None) for name in names)


def _surroundings(module: nn.Module) -> tuple[Any, ...]:
    """What a forward pass must leave alone: generators and attributes."""
    attributes = [{name: id(value) for name, value in vars(each).items()} for each in module.modules()]
    return attributes, random.getstate(), torch.get_rng_state().numpy().tobytes()
