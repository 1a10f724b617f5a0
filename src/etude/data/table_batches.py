"""Rows of a table as batches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from etude.data.batches import epoch_order
from etude.data.table import TableData, TableExamples


class TableBatch(NamedTuple):
    """``inputs`` float32 ``[batch, num_features]``; ``targets`` int64, or float32 in the target's own unit, ``[batch]``."""

    inputs: Tensor
    targets: Tensor


class TableBatches:
    """A `TableData` as batches on a device."""

    resumes_mid_epoch = True

    def __init__(self, data: TableData, batch_size: int, seed: int, device: torch.device | str = "cpu") -> None:
        self.data, self.batch_size, self.seed = data, batch_size, seed
        self.device = torch.device(device)

    def __len__(self) -> int:
        full, rest = divmod(len(self.data.train), self.batch_size)
        return full + (1 if rest > 1 or (rest == 1 and full == 0) else 0)

    def batches(self, epoch: int, after: int = 0) -> Iterator[TableBatch]:
        inputs, targets = self._tensors(self.data.train)
        order = torch.from_numpy(epoch_order(len(targets), self.seed, epoch)).to(self.device)
        for place in range(after, len(self)):
            chosen = order[place * self.batch_size : (place + 1) * self.batch_size]
            yield TableBatch(inputs[chosen], targets[chosen])

    def evaluation(self, part: Literal["train", "validation", "test"]) -> TableEvaluation:
        return TableEvaluation(*self._tensors(getattr(self.data, part)))

    @property
    def validation(self) -> TableEvaluation | None:
        return self.evaluation("validation") if len(self.data.validation) else None

    @property
    def test(self) -> TableEvaluation | None:
        return self.evaluation("test") if len(self.data.test) else None

    def _tensors(self, part: TableExamples) -> tuple[Tensor, Tensor]:
        return (
            torch.as_tensor(part.features, device=self.device),
            torch.as_tensor(part.targets, device=self.device),
        )


class TableEvaluation:
    """One part in its own order."""

    def __init__(self, inputs: Tensor, targets: Tensor) -> None:
        self._inputs, self._targets = inputs, targets

    def __len__(self) -> int:
        return len(self._targets)

    def __iter__(self) -> Iterator[TableBatch]:
        for start in range(0, len(self), 10_000):
            yield TableBatch(self._inputs[start : start + 10_000], self._targets[start : start + 10_000])
