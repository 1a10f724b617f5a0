"""Batches of the rows of a table, which live on the device as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from etude.data.batches import EVALUATION_BATCH_SIZE, epoch_order
from etude.data.table import TableData, TableExamples


class TableBatch(NamedTuple):
    """``inputs`` float32 ``[batch, num_features]``; ``targets`` int64, or float32 in their own unit, ``[batch]``."""

    inputs: Tensor
    targets: Tensor


class TableBatches:
    """A `TableData` as batches on a device.

    The order of an epoch is derived from (seed, epoch): the only thing to remember of a place in it is its number.

    Args:
        data: the table.
        batch_size: rows a batch. An epoch's last batch is smaller, and left out if it has one row (batch
            normalisation cannot work on one).
        seed: all chance follows from it.
        device: where the batches are made.
    """

    resumes_mid_epoch = True

    def __init__(self, data: TableData, batch_size: int, seed: int, device: torch.device | str = "cpu") -> None:
        self.data, self.batch_size, self.seed = data, batch_size, seed
        self.device = torch.device(device)
        self._tensors: dict[int, TableBatch] = {}

    def __len__(self) -> int:
        """Batches an epoch."""
        full, rest = divmod(len(self.data.train), self.batch_size)
        return full + (1 if rest > 1 or (rest == 1 and full == 0) else 0)

    def batches(self, epoch: int, after: int = 0) -> Iterator[TableBatch]:
        """The batches of ``epoch`` (from 0), without the first ``after`` of them."""
        inputs, targets = self._part(self.data.train)
        order = torch.from_numpy(epoch_order(len(targets), self.seed, epoch)).to(self.device)
        for place in range(after, len(self)):
            chosen = order[place * self.batch_size : (place + 1) * self.batch_size]
            yield TableBatch(inputs.index_select(0, chosen), targets.index_select(0, chosen))

    def evaluation(self, part: Literal["train", "validation", "test"]) -> TableEvaluation:
        """One part in its own order, in large batches."""
        return TableEvaluation(self, getattr(self.data, part))

    @property
    def validation(self) -> TableEvaluation | None:
        return self.evaluation("validation") if len(self.data.validation) else None

    @property
    def test(self) -> TableEvaluation | None:
        return self.evaluation("test") if len(self.data.test) else None

    def _part(self, examples: TableExamples) -> TableBatch:
        key = id(examples)
        if key not in self._tensors:
            self._tensors[key] = TableBatch(
                torch.tensor(examples.features, device=self.device),
                torch.tensor(examples.targets, device=self.device),
            )
        return self._tensors[key]


class TableEvaluation:
    """One part of a table in its own order: iterate as often as needed."""

    def __init__(self, source: TableBatches, examples: TableExamples) -> None:
        self._source, self._examples = source, examples

    def __len__(self) -> int:
        """Rows, not batches."""
        return len(self._examples)

    def __iter__(self) -> Iterator[TableBatch]:
        inputs, targets = self._source._part(self._examples)
        for start in range(0, len(targets), EVALUATION_BATCH_SIZE):
            chosen = slice(start, start + EVALUATION_BATCH_SIZE)
            yield TableBatch(inputs[chosen].clone(), targets[chosen].clone())
