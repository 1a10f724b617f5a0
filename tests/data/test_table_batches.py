"""Batches of rows: every row once an epoch, in an order of the seed's, and from any place in it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from etude.data.batches import EVALUATION_BATCH_SIZE
from etude.data.table import TableData, TableExamples
from etude.data.table_batches import TableBatches


def table(count, targets=np.int64):
    rows = np.arange(count)
    part = TableExamples(np.stack([rows, -rows], 1).astype(np.float32), rows.astype(targets), rows)
    none = TableExamples(part.features[:0], part.targets[:0], rows[:0])
    return TableData("t", "regression", "y", ("a", "b"), (), part, none, part, 0.0, 1.0, "", {})


@pytest.mark.parametrize(("count", "size"), [(20, 6), (20, 20), (21, 5), (1, 4), (9, 100)])
def test_an_epoch_is_every_row_once_but_for_one_left_alone(count, size):
    feed = TableBatches(table(count), size, seed=3)
    batches = list(feed.batches(0))
    assert len(batches) == len(feed)
    seen = torch.cat([targets for _, targets in batches]).tolist()
    alone = count % size == 1 and count > 1
    assert len(set(seen)) == len(seen) == count - alone
    for inputs, targets in batches:
        assert inputs.dtype == torch.float32
        assert torch.equal(inputs, torch.stack([targets, -targets], 1).float())


@pytest.mark.parametrize("kind", [np.int64, np.float32])
def test_targets_keep_their_kind(kind):
    inputs, targets = next(TableBatches(table(8, kind), 4, 0).batches(0))
    assert targets.dtype == {np.int64: torch.int64, np.float32: torch.float32}[kind]
    assert targets.shape == (4,)
    assert inputs.shape == (4, 2)


def test_an_epoch_goes_on_from_any_batch():
    feed = TableBatches(table(50), 8, seed=1)
    whole = list(feed.batches(4))
    for after in range(len(feed) + 1):
        rest = list(TableBatches(table(50), 8, seed=1).batches(4, after))
        assert len(rest) == len(whole) - after
        for one, other in zip(rest, whole[after:]):
            assert torch.equal(one.targets, other.targets)
    assert feed.resumes_mid_epoch


def test_epochs_and_seeds_differ():
    orders = [
        torch.cat([b.targets for b in TableBatches(table(40), 8, seed).batches(epoch)]).tolist()
        for seed, epoch in ((0, 0), (0, 1), (1, 0))
    ]
    assert len({tuple(order) for order in orders}) == 3


def test_evaluation_keeps_the_order_and_may_be_repeated():
    count = EVALUATION_BATCH_SIZE + 10
    test = TableBatches(table(count), 7, 0).test
    assert len(test) == count
    for _ in range(2):
        batches = list(test)
        assert [len(b.targets) for b in batches] == [EVALUATION_BATCH_SIZE, 10]
        assert torch.cat([b.targets for b in batches]).tolist() == list(range(count))
    assert TableBatches(table(count), 7, 0).validation is None


def test_training_cannot_change_the_table():
    data = table(8)
    inputs, _ = next(iter(TableBatches(data, 8, 0).test))
    inputs.zero_()
    assert data.test.features.any()
