"""Settings for trained weights, and what they do to a backbone."""

from __future__ import annotations

import pytest
import torch

from etude.tasks.classification import Classification
from etude.train.fine_tuning import fine_tuning_settings
from etude.train.fit import fit
from etude.train.heads import find_head, freeze_below_head
from etude.train.recipe import Recipe
from etude.train.recommended import recommend


@pytest.mark.parametrize("train_size", [0, 200, 50_000])
@pytest.mark.parametrize("freeze", [False, True])
def test_they_are_a_recipe_that_is_shorter_and_slower_below_the_head(train_size, freeze):
    settings = fine_tuning_settings(train_size, freeze)
    recipe = recommend("resnet20", train_size, settings)
    assert recipe.backbone_rate == (1.0 if freeze else 0.1)
    assert recipe.epochs <= recommend("resnet20", train_size).epochs
    assert recommend("resnet20", train_size, settings | {"epochs": 3}).epochs == 3


def moved(make, data, freeze: bool = False, **settings) -> tuple[float, float]:
    """How far a short training moved the backbone and the head, relative to their size."""
    net = make.net()
    if freeze:
        freeze_below_head(net)
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    for _ in fit(Classification(net), data, Recipe(epochs=2, batch_size=25, **settings)):
        pass
    head = find_head(net)
    far = {True: 0.0, False: 0.0}
    for name, p in net.named_parameters():
        if p.ndim > 1:
            far[name.startswith(f"{head}.")] += float((p.detach() - before[name]).norm() / before[name].norm())
    return far[False], far[True]


def test_the_backbone_moves_less_than_the_head(make, data):
    slow = fine_tuning_settings(150)
    chosen = {name: slow[name] for name in ("optimizer", "learning_rate", "backbone_rate")}
    backbone, head = moved(make, data, **chosen)
    full, _ = moved(make, data, **chosen | {"backbone_rate": 1.0})
    assert 0 < backbone < full / 3
    assert head > 0


def test_a_frozen_backbone_does_not_move(make, data):
    backbone, head = moved(make, data, freeze=True)
    assert backbone == 0
    assert head > 0


def test_a_frozen_norm_keeps_its_statistics_in_the_loop(make, data):
    net = make.net()
    freeze_below_head(net)
    before = net[1].running_mean.clone()
    for _ in fit(Classification(net), data, Recipe(epochs=1)):
        pass
    assert torch.equal(net[1].running_mean, before)
