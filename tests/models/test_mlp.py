"""Fully connected networks."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from etude.models.catalog import build_model


def test_any_widths_on_any_image():
    net = build_model("mlp", (3, 5, 7), 4, widths=(11, 13, 17))
    assert [layer.out_features for layer in net.modules() if isinstance(layer, nn.Linear)] == [11, 13, 17, 4]
    assert net(torch.zeros(2, 3, 5, 7)).shape == (2, 4)


def test_no_widths_is_softmax_regression():
    net = build_model("mlp", (1, 28, 28), 10, widths=())
    assert sum(p.numel() for p in net.parameters()) == 784 * 10 + 10


@pytest.mark.parametrize(
    ("activation", "function"),
    [
        ("relu", torch.relu),
        ("tanh", torch.tanh),
        ("sigmoid", torch.sigmoid),
        ("gelu", nn.functional.gelu),
        ("silu", nn.functional.silu),
        ("leaky_relu", nn.functional.leaky_relu),
        ("none", lambda x: x),
    ],
)
def test_activation_is_the_one_asked_for(activation, function):
    torch.manual_seed(0)
    net = build_model("mlp", (1, 4, 4), 3, widths=(8,), activation=activation)
    first, last = (layer for layer in net.modules() if isinstance(layer, nn.Linear))
    x = torch.randn(5, 1, 4, 4)
    torch.testing.assert_close(net(x), last(function(first(x.flatten(1)))))


def test_plain_is_one_linear_map_and_the_others_are_not():
    torch.manual_seed(0)
    x, y = torch.randn(2, 3, 1, 28, 28)
    for name, linear in (("mlp-plain", True), ("mlp", False)):
        net = build_model(name).eval()
        with torch.no_grad():
            together = net(x + y) - net(x) - net(y) + net(torch.zeros_like(x))
        assert bool(together.abs().max() < 1e-5) is linear


def test_batch_norm_stands_before_the_activation():
    net = build_model("mlp-bn", (1, 4, 4), 3, widths=(8, 6)).train()
    kinds = [type(module).__name__ for module in net.hidden if not isinstance(module, nn.Dropout)]
    assert kinds == ["Linear", "BatchNorm1d", "ReLU"] * 2
    torch.manual_seed(0)
    normalised = net.hidden[1](net.hidden[0](torch.randn(64, 16)))
    torch.testing.assert_close(normalised.mean(0), torch.zeros(8), rtol=0, atol=1e-5)
    torch.testing.assert_close(normalised.var(0, unbiased=False), torch.ones(8), rtol=0, atol=1e-3)


def test_weights_load_with_another_dropout():
    torch.manual_seed(0)
    with_none, with_some = build_model("mlp"), build_model("mlp", dropout=0.3)
    with_some.load_state_dict(with_none.state_dict(), strict=True)
    x = torch.randn(2, 1, 28, 28)
    torch.testing.assert_close(with_some.eval()(x), with_none.eval()(x))
