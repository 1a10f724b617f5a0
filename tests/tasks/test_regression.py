"""Regression: its loss against torch, its metrics against scikit-learn, its refusals."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error
from torch import nn

from etude.core.errors import EtudeError
from etude.tasks.regression import Regression


def batches(count=257, size=100, mean=150.0, std=77.0, seed=0):
    chance = torch.Generator().manual_seed(seed)
    inputs = torch.randn(count, 5, generator=chance)
    targets = mean + std * (inputs[:, 0] + 0.5 * torch.randn(count, generator=chance))
    return list(zip(inputs.split(size), targets.split(size)))


def net(seed=0, outputs=1):
    torch.manual_seed(seed)
    return nn.Linear(5, outputs)


@pytest.mark.parametrize(("mean", "std"), [(150.0, 77.0), (2000.0, 0.5), (0.0, 1e-3)])
def test_the_metrics_are_scikit_learn_s_over_all_batches_at_once(mean, std):
    data = batches(mean=mean, std=std)
    task = Regression(net(), mean, std)
    with torch.inference_mode():
        metrics = task.evaluate(data)
        said = torch.cat([task.model(x)[:, 0] * std + mean for x, _ in data]).double().numpy()
    targets = torch.cat([y for _, y in data]).double().numpy()
    assert metrics["rmse"] == pytest.approx(root_mean_squared_error(targets, said), rel=1e-5)
    assert metrics["mae"] == pytest.approx(mean_absolute_error(targets, said), rel=1e-5)
    assert metrics["r2"] == pytest.approx(r2_score(targets, said), rel=1e-5)
    assert metrics["loss"] == pytest.approx(metrics["rmse"] ** 2 / std**2)


def test_predictions_are_in_the_target_s_own_unit_and_in_order():
    data = batches()
    task = Regression(net(), 150.0, 77.0)
    with torch.inference_mode():
        predictions, targets = task.predict(data)
        wanted = task.model(torch.cat([x for x, _ in data]))[:, 0] * 77 + 150
    assert torch.allclose(predictions, wanted)
    assert torch.equal(targets, torch.cat([y for _, y in data]))
    assert predictions.dtype == torch.float32


@pytest.mark.parametrize("flat", [False, True])
def test_the_loss_is_the_squared_error_of_standardised_targets(flat):
    inputs, targets = batches(32)[0]
    model = nn.Sequential(net(), nn.Flatten(0)) if flat else net()
    (part,) = Regression(model, 150.0, 77.0).parts((inputs, targets))
    loss = part.loss()
    loss.backward()
    gradient = next(model.parameters()).grad.clone()
    model.zero_grad()
    F.mse_loss(model(inputs).reshape(-1), (targets - 150) / 77).backward()
    assert torch.allclose(gradient, next(model.parameters()).grad)
    assert loss.ndim == 0


def test_training_reaches_the_least_squares_solution():
    data = batches(200, 200)
    task = Regression(net(), 150.0, 77.0)
    optimizer = torch.optim.LBFGS(task.model.parameters(), line_search_fn="strong_wolfe", max_iter=100)
    (part,) = task.parts(data[0])

    def closure():
        optimizer.zero_grad()
        loss = part.loss()
        loss.backward()
        return loss

    optimizer.step(closure)
    x, y = (each.double().numpy() for each in data[0])
    design = np.column_stack([x, np.ones(len(x))])
    best = design @ np.linalg.lstsq(design, y, rcond=None)[0]
    with torch.inference_mode():
        metrics = task.evaluate(data)
    assert metrics["r2"] == pytest.approx(r2_score(y, best), abs=1e-6)


@pytest.mark.parametrize("value", [0.1, 5.0])
def test_where_all_targets_are_equal_there_is_no_r2(value):
    data = [(torch.randn(3, 5), torch.full((3,), value)), (torch.randn(4, 5), torch.full((4,), value))]
    with torch.inference_mode():
        metrics = Regression(net()).evaluate(data)
    assert set(metrics) == {"loss", "rmse", "mae"}


@pytest.mark.parametrize(
    ("model", "targets"),
    [
        (net(outputs=3), torch.zeros(8)),
        (net(), torch.zeros(7)),
        (net(), torch.zeros(8, 3)),
        (net(), torch.zeros(())),
    ],
)
def test_what_would_be_broadcast_is_refused(model, targets):
    task = Regression(model)
    (part,) = task.parts((torch.zeros(8, 5), targets))
    with pytest.raises(EtudeError, match="one output an example"):
        part.loss()
    with pytest.raises(EtudeError, match="one output an example"):
        task.evaluate([(torch.zeros(8, 5), targets)])


def test_a_column_of_targets_and_other_number_types_mean_the_same():
    data = batches(64)
    task = Regression(net(), 150.0, 77.0)
    with torch.inference_mode():
        plain = task.evaluate(data)
        column = task.evaluate([(x, y.double().unsqueeze(1)) for x, y in data])
    assert column == plain


def test_the_lower_loss_is_better():
    task = Regression(net())
    assert task.score({"loss": 0.1}) > task.score({"loss": 0.2})


@pytest.mark.parametrize(("mean", "std"), [(0.0, 0.0), (0.0, -1.0), (float("nan"), 1.0), (0.0, float("inf"))])
def test_a_scale_that_is_none_is_refused(mean, std):
    with pytest.raises(EtudeError, match="standard deviation"):
        Regression(net(), mean, std)


def test_no_example_is_one_sentence():
    with pytest.raises(EtudeError, match="no example"):
        Regression(net()).evaluate([])
