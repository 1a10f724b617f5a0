"""The traced graph against what the network is known to be."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from etude.core.errors import EtudeError
from etude.insight.autograd_graph import trace_graph


@pytest.fixture
def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))


def loss_of(net):
    return nn.functional.mse_loss(net(torch.ones(5, 3)), torch.zeros(5, 1))


def test_leaves_are_the_parameters_with_their_shapes(net):
    graph = trace_graph(loss_of(net), net)
    leaves = {node.label: node.shape for node in graph.nodes if node.kind == "leaf"}
    assert leaves == {name: tuple(p.shape) for name, p in net.named_parameters()}


def test_operations_have_the_shape_of_what_they_put_out(net):
    graph = trace_graph(loss_of(net), net)
    shapes = {}
    for node in graph.nodes:
        shapes.setdefault(node.label, set()).add(node.shape)
    assert shapes["AddmmBackward0"] == {(5, 4), (5, 1)}
    assert shapes["TanhBackward0"] == {(5, 4)}
    assert shapes["TBackward0"] == {(3, 4), (4, 1)}
    assert graph.nodes[-1].label == "MseLossBackward0"
    assert graph.nodes[-1].shape == ()


def test_edges_follow_next_functions_and_columns_follow_edges(net):
    loss = loss_of(net)
    graph = trace_graph(loss, net)
    assert len(graph.edges) == 9
    into_last = [graph.nodes[a].label for a, b in graph.edges if b == len(graph.nodes) - 1]
    assert into_last == [f.name() for f, _ in loss.grad_fn.next_functions if f is not None]
    assert all(graph.nodes[a].column < graph.nodes[b].column for a, b in graph.edges)
    places = {(node.column, node.row) for node in graph.nodes}
    assert len(places) == len(graph.nodes)  # no two on one another


def test_a_tensor_used_twice_is_one_node():
    x = torch.tensor(2.0, requires_grad=True)
    graph = trace_graph(x * x, {"x": x})
    assert [node.label for node in graph.nodes] == ["x", "MulBackward0"]
    assert graph.edges == [(0, 1), (0, 1)]


def test_tracing_leaves_gradients_alone_and_the_graph_usable(net):
    loss = loss_of(net)
    trace_graph(loss, net)
    assert all(p.grad is None for p in net.parameters())
    loss.backward()
    assert all(p.grad is not None for p in net.parameters())


def test_a_deep_network_is_traced_without_recursion():
    x = torch.tensor(1.0, requires_grad=True)
    y = x
    for _ in range(3000):
        y = y + 1
    assert len(trace_graph(y, {"x": x}).nodes) == 3001


@pytest.mark.parametrize(
    "output", [torch.ones(()), torch.ones(3, requires_grad=True) * 2], ids=["no graph", "no scalar"]
)
def test_what_cannot_be_traced_is_told(output):
    with pytest.raises(EtudeError, match="a graph is traced from one number"):
        trace_graph(output, {})


def test_inputs_are_shown_where_an_operation_saved_them(net):
    x, y, unused = torch.ones(5, 3), torch.zeros(5, 1), torch.ones(5, 3)
    loss = nn.functional.mse_loss(net(x), y)
    graph = trace_graph(loss, dict(net.named_parameters()) | {"x": x, "y": y, "unused": unused})
    into = {graph.nodes[a].label: graph.nodes[b] for a, b in graph.edges if graph.nodes[a].kind == "input"}
    assert set(into) == {"x", "y"}
    assert (into["x"].label, into["x"].shape) == ("AddmmBackward0", (5, 4))
    assert into["y"].label == "MseLossBackward0"
    way = [node.label for node in sorted(graph.nodes, key=lambda node: node.column) if node.row == 0]
    assert way == ["x", "AddmmBackward0", "TanhBackward0", "AddmmBackward0", "MseLossBackward0"]
    assert len({(node.column, node.row) for node in graph.nodes}) == len(graph.nodes)


def test_a_graph_that_is_freed_is_told(net):
    loss = loss_of(net)
    loss.backward()
    with pytest.raises(EtudeError, match="trace it before backward"):
        trace_graph(loss, net)
