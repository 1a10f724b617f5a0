"""Stratified splits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etude.data.split import stratified_split


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    labels=st.lists(st.integers(0, 5), min_size=8, max_size=200).map(np.asarray),
    share=st.floats(0.05, 0.6),
    seed=st.integers(0, 9),
)
def test_the_parts_share_nothing_lose_nothing_and_hold_each_class_in_its_share(labels, share, seed):
    kept, held = stratified_split(labels, share, seed)
    assert sorted([*kept, *held]) == list(range(len(labels)))
    assert list(held) == sorted(held)
    for label, size in zip(*np.unique(labels, return_counts=True)):
        count = int((labels[held] == label).sum())
        assert count < size
        assert abs(count - size * share) <= 1.5


def test_a_number_is_a_number_and_the_seed_decides():
    labels = np.arange(1000) % 10
    _, held = stratified_split(labels, 100, 3)
    assert len(held) == 100
    assert np.bincount(labels[held]).tolist() == [10] * 10
    assert np.array_equal(held, stratified_split(labels, 100, 3)[1])
    assert not np.array_equal(held, stratified_split(labels, 100, 4)[1])


@pytest.mark.parametrize("count", [1, 2])
def test_a_class_of_one_example_stays_to_learn_from(count):
    labels = np.asarray([0] * 20 + [1] * count)
    _, held = stratified_split(labels, 0.5, 0)
    assert (labels[held] == 1).sum() <= count - 1
