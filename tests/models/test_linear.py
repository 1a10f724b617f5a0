"""The linear models: what they compute, and that training finds what the closed form and scikit-learn find."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from etude.models.catalog import build_model
from etude.tasks.regression import Regression


@pytest.mark.parametrize("shape", [(6,), (1, 2, 3)])
@pytest.mark.parametrize("name", ["linear", "logistic"])
def test_each_output_is_a_weighted_sum_and_a_bias(name, shape):
    torch.manual_seed(0)
    net = build_model(name, shape, 4)
    x = torch.randn(5, *shape)
    weight, bias = net.state_dict().values()
    assert (weight.shape, bias.shape) == ((4, 6), (4,))
    torch.testing.assert_close(net(x), torch.einsum("ni,oi->no", x.reshape(5, 6), weight) + bias)


def descend(net, loss, steps=200):
    optimizer = torch.optim.LBFGS(
        net.parameters(), max_iter=steps, line_search_fn="strong_wolfe", tolerance_grad=1e-9
    )

    def closure():
        optimizer.zero_grad()
        value = loss()
        value.backward()
        return value

    optimizer.step(closure)


def test_linear_learns_the_least_squares_solution():
    chance = np.random.default_rng(0)
    x = chance.normal(size=(60, 5))
    y = x @ chance.normal(size=5) + 3 + chance.normal(size=60)
    expected, *_ = np.linalg.lstsq(np.column_stack([x, np.ones(60)]), y, rcond=None)
    net = build_model("linear", (5,), 1).double()
    task = Regression(net)
    batch = torch.from_numpy(x), torch.from_numpy(y)
    (part,) = task.parts(batch)
    descend(net, part.loss)
    weight, bias = (value.detach().numpy().ravel() for value in net.parameters())
    np.testing.assert_allclose([*weight, *bias], expected, atol=1e-3)


def test_logistic_learns_scikit_learn_s_probabilities():
    linear_model = pytest.importorskip("sklearn.linear_model")
    chance = np.random.default_rng(1)
    x = chance.normal(size=(150, 4))
    labels = (x @ chance.normal(size=(4, 3)) + chance.gumbel(size=(150, 3))).argmax(1)
    reference = linear_model.LogisticRegression(C=1e6, tol=1e-8, max_iter=2000).fit(x, labels)
    net = build_model("logistic", (4,), 3).double()
    inputs, targets = torch.from_numpy(x), torch.from_numpy(labels)
    descend(net, lambda: F.cross_entropy(net(inputs), targets))
    with torch.no_grad():
        found = net(inputs).softmax(1).numpy()
    np.testing.assert_allclose(found, reference.predict_proba(x), atol=1e-3)


def test_linear_is_an_mlp_without_hidden_layers():
    net, mlp = build_model("linear", (7,), 2), build_model("mlp", (7,), 2, widths=())
    mlp.load_state_dict(net.state_dict(), strict=True)
    x = torch.randn(3, 7)
    assert torch.equal(net(x), mlp(x))
