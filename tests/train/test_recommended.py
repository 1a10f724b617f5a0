"""Recipes that need nothing set."""

from __future__ import annotations

import pytest

from etude.core.errors import EtudeError
from etude.models.catalog import list_models
from etude.train.recommended import recommend, recommended_model


@pytest.mark.parametrize("model", list_models())
@pytest.mark.parametrize("train_size", [5, 200, 55_000])
def test_every_model_has_one_that_gives_enough_updates(model, train_size):
    recipe = recommend(model, train_size)
    steps = -(-train_size // recipe.batch_size)
    assert recipe.epochs * steps >= min(40 * steps, 500)


def test_what_a_person_sets_takes_precedence():
    recipe = recommend(
        "resnet20", 55_000, {"learning_rate": 0.5, "epochs": 1, "batch_size": 7, "clip_norm": None}
    )
    assert (recipe.learning_rate, recipe.epochs, recipe.batch_size) == (0.5, 1, 7)
    assert recommend("lenet5", 200, {"schedule": "cosine"}).warmup_epochs == 1.0


def test_a_wrong_setting_is_told():
    with pytest.raises(EtudeError, match="batch_size is 0"):
        recommend("lenet5", 200, {"batch_size": 0})


@pytest.mark.parametrize(
    "shape", [(1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 64, 64), (1, 200, 200), (3, 16, 16)]
)
def test_the_recommended_model_takes_the_pictures(shape):
    from etude.models.catalog import build_model

    build_model(recommended_model(shape), shape, 3)
