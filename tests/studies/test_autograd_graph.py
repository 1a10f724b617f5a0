"""The gradients it draws against the chain rule written out in NumPy, and facts that fail where autograd would err."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from etude.study.catalog import load_study


def parameters_and_batch(inputs=3, hidden=4, batch_size=5):
    torch.manual_seed(0)
    first, second = torch.nn.Linear(inputs, hidden), torch.nn.Linear(hidden, 1)
    x, y = torch.randn(batch_size, inputs), torch.randn(batch_size, 1)
    tensors = (first.weight, first.bias, second.weight, second.bias, x, y)
    return [tensor.detach().double().numpy() for tensor in tensors]


ACTIVATIONS = {
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "sigmoid": (lambda z: 1 / (1 + np.exp(-z)), lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2),
    "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0).astype(float)),
}


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_gradients_are_those_of_the_chain_rule(activation):
    act, slope = ACTIVATIONS[activation]
    w1, b1, w2, b2, x, y = parameters_and_batch()
    z = x @ w1.T + b1
    g2 = 2 * (act(z) @ w2.T + b2 - y) / len(y)
    g1 = (g2 @ w2) * slope(z)
    expected = {"W1": g1.T @ x, "b1": g1.sum(0), "W2": g2.T @ act(z), "b2": g2.sum(0)}
    rows = load_study("autograd_graph").run(activation=activation).where(kind="gradient")
    for name, gradient in expected.items():
        mine = rows.where(parameter=name)
        np.testing.assert_allclose(mine.column("autograd"), gradient.ravel(), rtol=1e-10, atol=1e-14)
        np.testing.assert_allclose(mine.column("twice"), 2 * gradient.ravel(), rtol=1e-10, atol=1e-14)
        np.testing.assert_allclose(mine.column("difference"), gradient.ravel(), atol=1e-7)


def test_the_drawn_graph_leads_from_the_inputs_to_the_loss():
    rows = load_study("autograd_graph").run(inputs=2, hidden=3, batch_size=7)
    nodes = {row["node"]: row for row in rows.where(kind="node")}
    shapes = {row["label"]: row["shape"] for row in nodes.values() if row["sort"] != "operation"}
    assert shapes == {"W1": "3×2", "b1": "3", "W2": "1×3", "b2": "1", "x": "7×2", "y": "7×1"}
    followers = {}
    for edge in rows.where(kind="edge"):
        followers.setdefault(edge["start"], []).append(edge["end"])
    loss = next(number for number, row in nodes.items() if row["label"] == "MseLossBackward0")
    for number in nodes:
        while number != loss:
            (number,) = followers[number]


def test_a_backward_that_did_not_accumulate_would_be_noticed(monkeypatch):
    study = load_study("autograd_graph")
    backward = torch.Tensor.backward

    def forgetful(self):
        for leaf in leaves_of(self.grad_fn):
            leaf.grad = None
        backward(self)

    monkeypatch.setattr(torch.Tensor, "backward", forgetful)
    wrong = {row["fact"] for row in study.run().where(kind="fact") if not row["holds"]}
    assert wrong == {"accumulates"}
    assert study.verdict(study.run()).outcome == "fails"


def leaves_of(function):
    if hasattr(function, "variable"):
        return [function.variable]
    return [leaf for before, _ in function.next_functions if before is not None for leaf in leaves_of(before)]


def test_wrong_gradients_would_be_noticed(monkeypatch):
    class WrongTanh(torch.autograd.Function):
        @staticmethod
        def forward(context, x):
            return torch.tanh(x)

        @staticmethod
        def backward(context, gradient):
            return gradient  # as if tanh were the identity

    monkeypatch.setattr(torch.nn.Tanh, "forward", lambda self, x: WrongTanh.apply(x))
    rows = load_study("autograd_graph").run().where(kind="fact")
    assert {row["fact"] for row in rows if not row["holds"]} == {"finite differences"}
