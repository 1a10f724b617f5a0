"""The graph that autograd records, as nodes and edges with shapes, laid out to be drawn.

PyTorch documentation, "Autograd mechanics": every result of an operation on tensors that require a gradient knows the
operation (``grad_fn``), which knows where its inputs came from (``next_functions``) and keeps the tensors it needs for its
gradient (``_saved_…``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from etude.core.errors import EtudeError


@dataclass
class Node:
    """One leaf, one operation, or one input.

    Attributes:
        label: the tensor's name, or the operation's as autograd has it, such as ``AddmmBackward0``.
        kind: ``leaf`` (where gradients end up), ``operation``, or ``input``: a tensor that needs no gradient. It is not in
            autograd's graph, but an operation saved it, as it is needed for the gradients of others.
        shape: of the tensor, or of what the operation puts out; None where no gradient passed.
        column, row: its place: columns from the leaves (0) to the output, rows from the longest way (0).
    """

    label: str
    kind: str
    shape: tuple[int, ...] | None
    column: int = 0
    row: float = 0.0


@dataclass
class Graph:
    """Nodes, and edges ``(from, to)`` in the direction of the forward pass, as indices into ``nodes``; the last is the output."""

    nodes: list[Node] = field(default_factory=list)
    edges: list[tuple[int, int]] = field(default_factory=list)


def trace_graph(output: Tensor, names: Mapping[str, Tensor] | nn.Module) -> Graph:
    """The graph behind ``output``, a scalar. No ``grad`` attribute changes, and the graph can be used afterwards.

    Args:
        output: the result, usually a loss.
        names: tensors by name, or a module whose parameters name them: leaves, and inputs that are to be shown where an
            operation saved them.

    Raises:
        EtudeError: ``output`` is no scalar, was made without a gradient being required, or its graph is freed already.
    """
    if output.grad_fn is None or output.numel() != 1:
        raise EtudeError(
            en=f"The output has shape {list(output.shape)} and {'a' if output.grad_fn else 'no'} grad_fn; a graph is traced from one "
            "number that was computed from tensors that require a gradient.",
            zh=f"输出的形状为 {list(output.shape)}，{'有' if output.grad_fn else '没有'} grad_fn；只能从由需要梯度的张量算出的一个数出发追踪计算图。",
        )
    tensors = dict(names.named_parameters()) if isinstance(names, nn.Module) else dict(names)
    known = {id(tensor): name for name, tensor in tensors.items()}
    inputs = {name: tensor for name, tensor in tensors.items() if not tensor.requires_grad}
    graph = Graph()
    functions = _in_order(output.grad_fn)
    place: dict[Any, int] = {}
    shapes = _shapes(output, functions)
    for function in functions:
        used = [place[before] for before, _ in function.next_functions if before in place]
        for name in _saved(function, inputs):
            if name not in place:
                place[name] = len(graph.nodes)
                graph.nodes.append(Node(name, "input", tuple(inputs[name].shape)))
            used.append(place[name])
        place[function] = len(graph.nodes)
        variable = getattr(function, "variable", None)
        if variable is None:
            graph.nodes.append(Node(function.name(), "operation", shapes.get(function)))
        else:
            graph.nodes.append(Node(known.get(id(variable), "?"), "leaf", tuple(variable.shape)))
        graph.edges += [(before, place[function]) for before in used]
    _lay_out(graph)
    return graph


def _in_order(output: Any) -> list[Any]:
    """Every function behind ``output``, each after those it depends on."""
    ordered: list[Any] = []
    seen: set[Any] = set()
    waiting = [(output, False)]
    while waiting:
        function, done = waiting.pop()
        if done:
            ordered.append(function)
        elif function not in seen:
            seen.add(function)
            waiting.append((function, True))
            waiting += [
                (before, False) for before, _ in reversed(function.next_functions) if before is not None
            ]
    return ordered


def _saved(function: Any, inputs: Mapping[str, Tensor]) -> list[str]:
    """The names of those ``inputs`` that an operation keeps for its gradient."""
    kept = [getattr(function, name) for name in dir(function) if name.startswith("_saved_")] if inputs else []
    return [
        name
        for name, tensor in inputs.items()
        if any(
            isinstance(one, Tensor) and one.data_ptr() == tensor.data_ptr() and one.shape == tensor.shape
            for one in kept
        )
    ]


def _shapes(output: Tensor, functions: list[Any]) -> dict[Any, tuple[int, ...]]:
    """The shape of each operation's output: that of the gradient which comes back to it."""
    found: dict[Any, tuple[int, ...]] = {}

    def remember(function: Any) -> Any:
        def hook(gradients: Any) -> None:
            if gradients[0] is not None:
                found[function] = tuple(gradients[0].shape)

        return hook

    operations = [function for function in functions if not hasattr(function, "variable")]
    handles = [function.register_prehook(remember(function)) for function in operations]
    leaves = [function.variable for function in functions if hasattr(function, "variable")]
    try:
        torch.autograd.grad(output, leaves, retain_graph=True, allow_unused=True)
    except RuntimeError as error:
        said = str(error).split(".")[0]
        raise EtudeError(
            en=f"The graph could not be walked ({said}); trace it before backward(), or call backward(retain_graph=True).",
            zh=f"无法走遍计算图（{said}）；请在 backward() 之前追踪，或调用 backward(retain_graph=True)。",
        ) from error
    finally:
        for handle in handles:
            handle.remove()
    return found


def _lay_out(graph: Graph) -> None:
    """Columns by the longest way from a leaf, leaves just before what uses them; the way of the data on row 0.

    Where no input is known, row 0 is the longest way of all.
    """
    before: dict[int, list[int]] = {}
    users: dict[int, list[int]] = {}
    after_input = [0 if node.kind == "input" else -1 for node in graph.nodes]
    for start, end in graph.edges:  # nodes are in order, so each start has its final column by now
        graph.nodes[end].column = max(graph.nodes[end].column, graph.nodes[start].column + 1)
        if after_input[start] >= 0:
            after_input[end] = max(after_input[end], after_input[start] + 1)
        before.setdefault(end, []).append(start)
        users.setdefault(start, []).append(end)
    spine = [len(graph.nodes) - 1]
    while spine[-1] in before:
        spine.append(
            max(before[spine[-1]], key=lambda number: (after_input[number], graph.nodes[number].column))
        )
    for number in reversed(range(len(graph.nodes))):
        if number in users:
            graph.nodes[number].column = min(graph.nodes[end].column for end in users[number]) - 1
    taken: dict[tuple[int, bool], int] = {}
    for number, node in enumerate(graph.nodes):
        if number in spine:
            continue
        above = node.kind == "operation" or len(node.shape or ()) >= 2  # matrices above, biases below
        taken[node.column, above] = taken.get((node.column, above), 0) + 1
        node.row = taken[node.column, above] * (1.0 if above else -1.0)
