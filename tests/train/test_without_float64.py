"""Training on a device that has no float64, as Apple's MPS: played by a mode that refuses it as such a device does."""

from __future__ import annotations

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from etude.tasks.classification import Classification
from etude.train import fit_many as many
from etude.train import state as states
from etude.train.fit import Epoch, evaluate, train_step
from etude.train.recipe import Recipe
from etude.train.stacked import StackedModel

RECIPE = Recipe(epochs=2, batch_size=8, optimizer="adamw", precision="float32", schedule="constant")


class NoFloat64(TorchDispatchMode):
    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        if any(isinstance(each, torch.Tensor) and each.dtype == torch.float64 for each in tree_leaves(result)):
            raise TypeError(f"{function} made a float64 tensor")
        return result


class Rows:
    """Some rows, as a feed whose batches are on the device already."""

    resumes_mid_epoch = True

    def __init__(self) -> None:
        chance = torch.Generator().manual_seed(0)
        self.batch = torch.randn(8, 4, generator=chance), torch.randint(3, (8,), generator=chance)
        self.validation = self.test = [self.batch]


def net() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.ReLU(), torch.nn.Linear(5, 3))


def lone() -> tuple[float, dict[str, float]]:
    feed, state = Rows(), states.State.begin(Classification(net()), RECIPE, 3)
    for _ in range(3):
        train_step(state, feed.batch, 0.01)
    metrics, _ = evaluate(state, feed)
    return state.end_epoch()["model"], metrics


def stacked() -> list[Epoch]:
    batch = Rows().batch
    recipes = [RECIPE.model_copy(update={"seed": seed}) for seed in (1, 2)]
    records = many.fit_many(StackedModel([net(), net()]), (batch, batch), recipes)
    return [record for record in records if isinstance(record, many.ManyEpoch)]


def without_float64(monkeypatch):
    for module in (states, many):
        monkeypatch.setattr(module, "sum_dtype", lambda _: torch.float32)
    monkeypatch.setattr("etude.tasks.classification.sum_dtype", lambda _: torch.float32)


@pytest.mark.parametrize("train", [lone, stacked])
def test_the_mode_would_notice(train):
    with NoFloat64(), pytest.raises(TypeError, match="float64"):
        train()


def test_a_run_trains_and_is_judged(monkeypatch):
    loss, metrics = lone()
    without_float64(monkeypatch)
    with NoFloat64():
        other_loss, other_metrics = lone()
    assert other_loss == pytest.approx(loss, rel=1e-6)
    assert other_metrics == pytest.approx(metrics, rel=1e-6)


def test_many_train_and_are_judged(monkeypatch):
    expected = stacked()
    without_float64(monkeypatch)
    with NoFloat64():
        found = stacked()
    assert len(found) == len(expected) == 2
    for one, other in zip(found, expected):
        assert one.losses.dtype == torch.float32
        assert torch.allclose(one.losses.double(), other.losses, rtol=1e-6)
        for name, values in other.validation.items():
            assert torch.allclose(one.validation[name].double(), values, rtol=1e-6)
