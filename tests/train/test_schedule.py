"""Learning rates against torch's own schedulers."""

from __future__ import annotations

import pytest
import torch

from etude.core.errors import EtudeError
from etude.core.settings import make
from etude.train.recipe import Recipe
from etude.train.schedule import learning_rate_at


def torch_rates(total: int, scheduler) -> list[float]:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
    made, rates = scheduler(optimizer), []
    for _ in range(total):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        made.step()
    return rates


@pytest.mark.parametrize("total", [2, 3, 10, 101])
def test_one_cycle_is_torch_s(total):
    expected = torch_rates(
        total, lambda o: torch.optim.lr_scheduler.OneCycleLR(o, 0.3, total_steps=total, cycle_momentum=False)
    )
    recipe = Recipe(learning_rate=0.3, schedule="one-cycle")
    assert [learning_rate_at(s, total, recipe, 1) for s in range(total)] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("total", [1, 10, 101])
def test_cosine_is_torch_s(total):
    expected = torch_rates(total, lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, total))
    recipe = Recipe(learning_rate=0.3, schedule="cosine")
    assert [learning_rate_at(s, total, recipe, 1) for s in range(total)] == pytest.approx(expected, abs=1e-12)


def test_warm_up_rises_in_a_line_and_then_the_schedule_begins():
    recipe = Recipe(learning_rate=0.3, schedule="cosine", warmup_epochs=0.5)
    rates = [learning_rate_at(s, 20, recipe, 10) for s in range(20)]
    assert rates[:5] == pytest.approx([0.06, 0.12, 0.18, 0.24, 0.3])
    assert rates[5] == 0.3
    assert rates[5:] == sorted(rates[5:], reverse=True)
    assert all(rate > 0 for rate in rates)


@pytest.mark.parametrize(("step_size", "gamma"), [(1, 0.1), (3, 0.5), (7, 0.9), (50, 0.1)])
def test_step_is_torch_s_with_epochs_as_its_steps(step_size, gamma):
    expected = torch_rates(20, lambda o: torch.optim.lr_scheduler.StepLR(o, step_size, gamma))
    recipe = Recipe(learning_rate=0.3, schedule="step", step_size=step_size, gamma=gamma, epochs=20)
    rates = [learning_rate_at(s, 20 * 11, recipe, 11) for s in range(20 * 11)]
    assert rates[::11] == pytest.approx(expected, rel=1e-12)
    assert all(rates[s] == rates[s - s % 11] for s in range(len(rates)))


def test_step_drops_twice_by_default_and_within_an_epoch_if_told():
    recipe = Recipe(learning_rate=1.0, schedule="step")
    rates = [learning_rate_at(s, 30, recipe, 10) for s in range(30)]
    assert rates == pytest.approx([1.0] * 10 + [0.1] * 10 + [0.01] * 10)
    half = recipe.model_copy(update={"step_size": 0.5, "gamma": 0.5})
    assert [learning_rate_at(s, 20, half, 10) for s in (4, 5, 9, 10, 15)] == [1.0, 0.5, 0.5, 0.25, 0.125]


def test_step_counts_its_drops_from_the_start_of_the_warm_up():
    recipe = Recipe(learning_rate=1.0, schedule="step", step_size=2, warmup_epochs=1)
    rates = [learning_rate_at(s, 40, recipe, 10) for s in range(40)]
    assert rates[:10] == pytest.approx([0.1 * s for s in range(1, 11)])
    assert rates[10:] == pytest.approx([1.0] * 10 + [0.1] * 20)


def test_constant_is_constant():
    recipe = Recipe(learning_rate=0.3, schedule="constant")
    assert {learning_rate_at(s, 7, recipe, 7) for s in range(7)} == {0.3}


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"batch_size": 0}, "batch_size"),
        ({"epochs": 0}, "epochs"),
        ({"epochs": "many"}, "whole number"),
        ({"learning_rate": -1}, "greater than 0"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"schedule": "cosin"}, "cosine"),
        ({"learning_rat": 1}, "learning_rate"),
        ({"warmup_epochs": 1.0}, "one-cycle"),
        ({"engine": "plain", "precision": "bf16"}, "plain"),
        ({"ema": 1.0}, "less than 1"),
    ],
)
def test_a_wrong_setting_is_one_sentence(settings, word):
    with pytest.raises(EtudeError, match=word) as error:
        make(Recipe, settings)
    assert "\n" not in error.value.text.en
    assert error.value.text.zh != error.value.text.en
