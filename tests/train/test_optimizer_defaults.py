"""Settings that follow from the optimiser: each trains, and none is stranger to the recipe."""

from __future__ import annotations

from typing import get_args

import pytest

from etude.core.seeds import seed_everything
from etude.data.catalog import load_data
from etude.models.catalog import build_model
from etude.tasks.classification import Classification
from etude.train.feed import as_feed, steps_per_epoch
from etude.train.fit import fit, measure
from etude.train.optimizer_defaults import MOST_FULL_BATCH, suggested_settings
from etude.train.recipe import Optimizer, Recipe
from etude.train.recommended import recommend
from etude.train.state import State

OPTIMIZERS = get_args(Optimizer)


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", [name for name in OPTIMIZERS if name != "sparseadam"])
def test_every_optimiser_trains_the_mlp_on_digits_above_95_percent(optimizer):
    data = load_data("digits")
    base = recommend("mlp", len(data.train)).model_dump()
    recipe = Recipe(**base | suggested_settings(optimizer, base, len(data.train)))
    seed_everything(0)
    task = Classification(build_model("mlp", data.input_shape, data.num_classes))
    feed = as_feed(data, recipe, None, task)
    state = State.begin(task, recipe, steps_per_epoch(feed, recipe))
    for _ in fit(task, feed, state=state):
        pass
    state.keep_final_weights()
    assert measure(state, feed.test)["accuracy"] > 0.95


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("base", [{}, {"optimizer": "sgd", "learning_rate": 0.1, "weight_decay": 5e-4}])
def test_what_is_suggested_is_a_recipe(optimizer, base):
    recipe = Recipe(**base | suggested_settings(optimizer, base, 500))
    assert recipe.optimizer == optimizer
    assert recipe.learning_rate > 0


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_optimiser_a_recipe_was_tuned_for_changes_nothing(optimizer):
    assert suggested_settings(optimizer, {"optimizer": optimizer, "learning_rate": 0.3}) == {}


def test_there_and_back_is_the_rate_one_began_with():
    base = {"optimizer": "adamw", "learning_rate": 2e-3, "weight_decay": 0.01}
    for optimizer in ("sgd", "adam", "adamax", "rmsprop", "muon", "adagrad"):
        there = base | suggested_settings(optimizer, base)
        assert suggested_settings("adamw", there).get("learning_rate", 2e-3) == pytest.approx(2e-3, rel=0.06)


@pytest.mark.parametrize("optimizer", ["lbfgs", "rprop"])
def test_small_data_is_taken_in_one_batch_and_large_data_is_not(optimizer):
    base = recommend("mlp", 300).model_dump()
    assert suggested_settings(optimizer, base, 300)["batch_size"] == 300
    assert "batch_size" not in suggested_settings(optimizer, base, MOST_FULL_BATCH + 1)
    assert "batch_size" not in suggested_settings(optimizer, base)
