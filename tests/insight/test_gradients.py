"""Gradient norms against a network whose gradients are known in closed form."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from etude.core.errors import EtudeError
from etude.insight.gradients import gradient_norms, weight_changes, weight_matrices


def test_norms_of_a_chain_of_numbers_are_products():
    """y = c·b·a·x: the gradient of each weight is the product of the others."""
    net = nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1), nn.Linear(1, 1))
    for layer, value in zip(net, (2.0, 3.0, 5.0)):
        nn.init.constant_(layer.weight, value)
        nn.init.zeros_(layer.bias)
    norms = gradient_norms(net, net(torch.ones(1, 1)).sum())
    assert list(norms) == ["0.weight", "1.weight", "2.weight"]
    assert list(norms.values()) == pytest.approx([15.0, 10.0, 6.0])
    assert all(p.grad is None for p in net.parameters())


def test_norms_are_those_of_backward():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 3))
    loss = net(torch.randn(5, 1, 4, 4)).square().mean()
    norms = gradient_norms(net, loss)
    loss.backward()
    assert norms == pytest.approx(
        {"0.weight": net[0].weight.grad.norm().item(), "3.weight": net[3].weight.grad.norm().item()}
    )


def test_a_weight_that_the_loss_does_not_use_has_none():
    net = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])
    assert gradient_norms(net, net[0](torch.ones(1, 2)).sum())["1.weight"] == 0.0


def test_changes_are_relative():
    net = nn.Linear(3, 3)
    before = {name: p.detach().clone() for name, p in weight_matrices(net).items()}
    with torch.no_grad():
        net.weight.mul_(1.25)
    assert weight_changes(before, net) == pytest.approx({"weight": 0.25})


def test_no_scalar_is_refused():
    net = nn.Linear(2, 2)
    with pytest.raises(EtudeError, match="one number"):
        gradient_norms(net, net(torch.ones(1, 2)))
