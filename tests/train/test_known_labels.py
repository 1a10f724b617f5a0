"""What a feed knows of its labels reaches the task before the first step."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils.data import TensorDataset

from etude.core.errors import EtudeError
from etude.data.catalog import load_data
from etude.tasks.classification import Classification
from etude.train.feed import as_feed
from etude.train.fit import fit
from etude.train.recipe import Recipe


def test_a_rare_label_is_told_at_the_first_step(data, make):
    labels = data.test.labels.copy()
    labels[-1] = 9  # in the test part alone, which is read at the end
    wrong = replace(data, test=replace(data.test, labels=labels))
    with pytest.raises(EtudeError, match="from 0 to 9, but the model tells 3"):
        next(fit(Classification(make.net()), wrong, Recipe(epochs=1, batch_size=16)))


def test_of_which_data_the_labels_are_known(data, make):
    task, recipe = Classification(make.net()), Recipe()
    as_feed(data, recipe, None, task)
    assert task.label_range == (0, 2)
    as_feed(TensorDataset(torch.zeros(4, 1, 12, 12), torch.tensor([0, 1, 2, 0])), recipe, None, task)
    assert task.label_range is None
    table = load_data("iris")
    as_feed(table, recipe, None, task)
    assert task.label_range == (0, len(np.unique(table.train.targets)) - 1)
