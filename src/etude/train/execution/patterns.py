"""What a node of a graph computes, however it was written: as a layer, a function or a method."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import fx, nn

_RELUS = {F.relu, torch.relu, torch.relu_, F.relu_}


def is_relu(graph: fx.GraphModule, node: Any) -> bool:
    """Whether the node is a ReLU."""
    if not isinstance(node, fx.Node):
        return False
    if node.op == "call_function":
        return node.target in _RELUS and bool(node.args)
    if node.op == "call_method":
        return node.target in ("relu", "relu_") and len(node.args) == 1
    return type(layer(graph, node)) is nn.ReLU


def is_in_place(graph: fx.GraphModule, node: fx.Node) -> bool:
    """Whether a ReLU writes into its input."""
    if node.op == "call_module":
        return bool(getattr(layer(graph, node), "inplace", True))
    return str(getattr(node.target, "__name__", node.target)).endswith("_") or any(
        [*node.args[1:], *node.kwargs.values()]
    )


def is_fresh(graph: fx.GraphModule, node: Any) -> bool:
    """Whether the node's output is a tensor of its own, not another one or a part of it."""
    return isinstance(node, fx.Node) and isinstance(layer(graph, node), nn.Conv2d | nn.BatchNorm2d)


def is_pool(graph: fx.GraphModule, node: Any) -> bool:
    """Whether the node is max-pooling of 2×2 squares that neither overlap nor have gaps."""
    return pool_sizes(graph, node) == (2, 2)


def pool_sizes(graph: fx.GraphModule, node: Any) -> tuple[int, int] | None:
    """Kernel size and stride where the node is max-pooling of squares without padding, else None."""
    if not isinstance(node, fx.Node):
        return None
    given = _pool_arguments(graph, node)
    if given is None or given.get("return_indices") or given.get("ceil_mode"):
        return None
    size = _square(given.get("kernel_size"))
    stride = _square(given.get("stride") or given.get("kernel_size"))
    if (
        not size
        or not stride
        or _square(given.get("padding", 0)) != 0
        or _square(given.get("dilation", 1)) != 1
    ):
        return None
    return size, stride


def _pool_arguments(graph: fx.GraphModule, node: fx.Node) -> dict[str, Any] | None:
    names = ("kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")
    found = layer(graph, node)
    if type(found) is nn.MaxPool2d:
        return {name: getattr(found, name) for name in names}
    if node.op == "call_function" and node.target in (F.max_pool2d, torch.max_pool2d) and node.args:
        return dict(zip(names, node.args[1:])) | dict(node.kwargs)
    return None


def layer(graph: fx.GraphModule, node: fx.Node) -> nn.Module | None:
    """The layer that the node calls, if it calls one with one input."""
    if node.op != "call_module" or len(node.args) != 1 or node.kwargs:
        return None
    return graph.get_submodule(str(node.target))


def only_user(node: Any) -> fx.Node | None:
    """The one node that reads this one's output; None if there are several or none."""
    users = list(node.users)
    return users[0] if len(users) == 1 else None


def _square(value: Any) -> int | None:
    if isinstance(value, int):
        return value
    if isinstance(value, (tuple, list)) and len(set(value)) == 1 and isinstance(value[0], int):
        return value[0]
    return None
