"""The gradient's fading against the closed form of a chain of sigmoids."""

from __future__ import annotations

import pytest
import torch

from etude.insight.gradients import gradient_norms
from etude.study.catalog import load_study

STUDY = load_study("vanishing_gradient")


def test_a_chain_of_single_sigmoids_fades_by_the_product_of_their_slopes():
    """With one unit a layer and weights of 1, the gradient falls by σ'(z) ≤ 1/4 for every layer passed."""
    layers = []
    for _ in range(6):
        linear = torch.nn.Linear(1, 1, bias=False)
        torch.nn.init.ones_(linear.weight)
        layers += [linear, torch.nn.Sigmoid()]
    net = torch.nn.Sequential(*layers)
    a = [torch.ones(1, 1)]
    for _ in range(6):
        a.append(torch.sigmoid(a[-1]))
    norms = list(gradient_norms(net, net(torch.ones(1, 1)).sum()).values())
    slopes = [(value * (1 - value)).item() for value in a[1:]]
    for layer in range(6):
        expected = a[layer].item() * torch.tensor(slopes[layer:]).prod().item()
        assert norms[layer] == pytest.approx(expected, rel=1e-5)
    assert norms[0] < 0.25**5


def test_the_network_is_as_deep_as_asked_and_he_initialised():
    net = STUDY._module._network(STUDY.knobs(depth=4, width=100), "relu", 0)
    weights = [p for p in net.parameters() if p.ndim == 2]
    assert [tuple(w.shape) for w in weights] == [(100, 64), (100, 100), (100, 100), (100, 100), (10, 100)]
    assert weights[1].std().item() == pytest.approx((2 / 100) ** 0.5, rel=0.05)  # He et al. 2015, equation 10
    sigmoid = [
        p for p in STUDY._module._network(STUDY.knobs(width=100), "sigmoid", 0).parameters() if p.ndim == 2
    ]
    assert sigmoid[1].std().item() == pytest.approx(
        (2 / 200) ** 0.5, rel=0.05
    )  # Glorot & Bengio 2010, equation 12


@pytest.mark.parametrize(
    "knobs",
    [
        {"depth": 30, "steps": 1, "width": 4},
        {"depth": 2, "steps": 1},
        {"steps": 100, "learning_rate": 1.0, "width": 16},
        {"steps": 3, "initialisation": "pytorch", "width": 4},
    ],
)
def test_extreme_knobs_do_not_break_it(knobs):
    some = STUDY.run(seeds=2, **knobs)
    assert STUDY.figure(some, "zh")._repr_png_()
    assert STUDY.verdict(some).outcome in ("holds", "fails", "unclear")
