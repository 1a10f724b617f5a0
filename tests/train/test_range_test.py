"""The range test finds a rate that trains, and leaves no trace."""

from __future__ import annotations

import copy
import random

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from etude.core.errors import EtudeError
from etude.core.seeds import seed_everything
from etude.tasks.classification import Classification
from etude.tasks.regression import Regression
from etude.train.choices import choose
from etude.train.feed import as_feed
from etude.train.fit import Epoch, Step, fit
from etude.train.range_test import find_bounds, find_learning_rate, smoothed
from etude.train.recipe import Recipe


def losses_of(records) -> list[float]:
    return [r.losses["model"].item() for r in records if isinstance(r, Step)]


@pytest.mark.parametrize("engine", ["plain", "auto"])
@pytest.mark.parametrize("optimizer", ["sgd", "adamw", "muon"])
def test_training_afterwards_is_as_if_there_had_been_no_test(optimizer, engine, data, make):
    recipe = Recipe(
        epochs=2, batch_size=16, optimizer=optimizer, learning_rate=0.01, engine=engine, augment=True
    )

    def train(tested: bool) -> tuple[list[float], dict[str, torch.Tensor], list[float]]:
        seed_everything(4)
        task = Classification(make.net(dropout=0.4))
        choices = choose(recipe, task.modules)
        feed = as_feed(data, recipe, choices, task)
        if tested:
            find_learning_rate(task, feed, recipe, choices)
            assert all(p.grad is None for p in task.model.parameters())
        losses = losses_of(fit(task, feed, recipe))
        return losses, task.model.state_dict(), [torch.rand(1).item(), np.random.rand(), random.random()]

    (losses, weights, drawn), (others, same_weights, same_drawn) = train(True), train(False)
    assert losses == others
    assert drawn == same_drawn
    assert all(torch.equal(tensor, same_weights[key]) for key, tensor in weights.items())


@pytest.mark.parametrize("own", [True, False])
def test_the_order_of_a_person_s_own_loader_is_left_as_it_is(own, data, make):
    dataset = TensorDataset(
        torch.from_numpy(data.train.images).float() / 255, torch.from_numpy(data.train.labels)
    )
    recipe = Recipe(epochs=2, optimizer="sgd", learning_rate=0.05, engine="plain")

    def train(tested: bool) -> list[float]:
        seed_everything(4)
        generator = torch.Generator().manual_seed(3) if own else None
        task = Classification(make.net())
        feed = as_feed(DataLoader(dataset, 25, shuffle=True, generator=generator), recipe, None, task)
        if tested:
            find_learning_rate(task, feed, recipe, choose(recipe, task.modules))
        return losses_of(fit(task, feed, recipe))

    assert train(True) == train(False)


@pytest.mark.parametrize("optimizer", ["sgd", "asgd", "adagrad", "adam", "adamw", "adamax", "rmsprop", "muon"])
def test_the_suggestion_trains(optimizer, data, make):
    recipe = Recipe(epochs=8, batch_size=16, optimizer=optimizer, weight_decay=0.0)
    seed_everything(0)
    task = Classification(make.net())
    choices = choose(recipe, task.modules)
    found = find_learning_rate(task, as_feed(data, recipe, choices, task), recipe, choices)
    assert found.steepest <= found.suggestion <= found.limit
    better = recipe.model_copy(update={"learning_rate": found.suggestion})
    last = [r for r in fit(task, data, better) if isinstance(r, Epoch)][-1]
    assert last.validation["accuracy"] > 0.9


@pytest.mark.parametrize("size", [0.1, 1.0, 10.0])
def test_on_a_parabola_the_suggestion_is_below_the_rate_at_which_descent_diverges(size):
    # the loss is the mean square of Xw - y, with Hessian 2 XᵀX / n: descent diverges above 2 / (its largest eigenvalue)
    chance = torch.Generator().manual_seed(0)
    inputs = size * torch.randn(200, 5, generator=chance)
    targets = inputs.sum(1) / size
    diverges = 2 / torch.linalg.eigvalsh(2 * inputs.T @ inputs / 200).max().item()
    torch.manual_seed(0)
    task = Regression(nn.Linear(5, 1, bias=False))
    recipe = Recipe(optimizer="sgd", momentum=0.0, batch_size=200, weight_decay=0.0, precision="float32")
    choices = choose(recipe, task.modules)
    found = find_learning_rate(
        task, as_feed(TensorDataset(inputs, targets), recipe, choices, task), recipe, choices
    )
    assert 0.02 * diverges < found.suggestion < diverges


def test_rates_rise_by_one_factor_and_the_test_ends_where_the_loss_explodes(data, make):
    recipe = Recipe(optimizer="sgd", batch_size=16)
    task = Classification(make.net())
    choices = choose(recipe, task.modules)
    found = find_learning_rate(task, as_feed(data, recipe, choices, task), recipe, choices)
    factors = np.diff(np.log(found.learning_rates))
    assert factors == pytest.approx(np.full(len(factors), np.log(1e7) / 99))
    assert len(found.learning_rates) == len(found.losses) == len(found.smoothed)
    assert np.isfinite(found.losses).all()


def test_the_bounds_of_a_curve_drawn_by_hand():
    rates = np.geomspace(1e-5, 1, 51)  # ten a decade
    place = np.log10(rates)
    fall = 2 - 1 / (1 + np.exp(-8 * (place + 3)))  # steepest at 1e-3, from 2 to 1
    curve = np.where(
        place > -1, 1 + 5 * (place + 1), fall
    )  # from 0.1 on it rises by 5 a decade: 1.5 at 10 ** -0.9
    steepest, limit = find_bounds(rates, curve)
    assert steepest == pytest.approx(1e-3, rel=0.3)
    assert limit == pytest.approx(10**-0.9, rel=0.3)


def test_smoothing_keeps_a_level_and_takes_out_a_spike():
    level = np.full(30, 2.0)
    assert smoothed(level) == pytest.approx(level)
    level[12] = 100.0
    assert smoothed(level) == pytest.approx(np.full(30, 2.0))


@pytest.mark.parametrize("optimizer", ["lbfgs", "rprop", "adadelta"])
def test_what_finds_its_own_step_has_no_rate_to_look_for(optimizer, data, make):
    recipe = Recipe(optimizer=optimizer, batch_size=150)
    task = Classification(make.net())
    choices = choose(recipe, task.modules)
    with pytest.raises(EtudeError, match="finds its own step") as error:
        find_learning_rate(task, as_feed(data, recipe, choices, task), recipe, choices)
    assert "\n" not in str(error.value)


def test_a_loss_that_never_falls_is_told(data, make):
    class Stubborn(Classification):
        def _loss(self, outputs, labels):
            return 1.0 + 0.0 * outputs.sum()

    recipe = Recipe(batch_size=16)
    task = Stubborn(make.net())
    choices = choose(recipe, task.modules)
    before = copy.deepcopy(task.model.state_dict())
    with pytest.raises(EtudeError, match="no learning rate at which the loss falls"):
        find_learning_rate(task, as_feed(data, recipe, choices, task), recipe, choices)
    assert all(torch.equal(tensor, before[key]) for key, tensor in task.model.state_dict().items())
