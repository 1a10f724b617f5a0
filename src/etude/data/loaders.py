"""Any Dataset or DataLoader that a person already has, as the training loop takes it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset

from etude.core.errors import EtudeError
from etude.core.seeds import derive_seed
from etude.data.batches import EVALUATION_BATCH_SIZE, epoch_order


class LoaderBatches:
    """Batches of a person's own `torch.utils.data.Dataset` or `DataLoader`.

    A `DataLoader` is used as it is, and a run on it resumes at the ends of epochs only: what its workers
    have drawn is not ours to save. A `Dataset` with a length is read in an order derived from (seed, epoch),
    so a run on it resumes at any step.

    Args:
        train: yields batches (or, a Dataset, single examples).
        validation, test: the same, read in their own order; or None.
        batch_size: of the batches made from a Dataset; a DataLoader has its own.
        seed: the order of a Dataset follows from it.
        device: where batches are moved to.
    """

    def __init__(
        self,
        train: Dataset | DataLoader,
        validation: Dataset | DataLoader | None = None,
        test: Dataset | DataLoader | None = None,
        batch_size: int = 64,
        seed: int = 0,
        device: torch.device | str = "cpu",
    ) -> None:
        self._batch_size, self._seed = batch_size, seed
        self._train = DataLoader(train, batch_size) if isinstance(train, IterableDataset) else train
        self.device = torch.device(device)
        self.validation = LoaderEvaluation(validation, self.device) if validation is not None else None
        self.test = LoaderEvaluation(test, self.device) if test is not None else None
        self.resumes_mid_epoch = not _is_loader(self._train)

    def __len__(self) -> int:
        """Batches an epoch.

        Raises:
            EtudeError: the data does not say how much there is of it.
        """
        try:
            if _is_loader(self._train):
                return len(self._train)  # type: ignore[arg-type]
            full, rest = divmod(len(self._train), self._batch_size)  # type: ignore[arg-type]
            return full + (1 if rest > 1 or (rest == 1 and full == 0) else 0)
        except TypeError:
            raise EtudeError(
                en="The training data has no length, so an epoch has no end that a schedule could reckon with; "
                "give a Dataset with __len__, or a DataLoader over one.",
                zh="训练数据没有长度（__len__），无法确定一轮的步数；请给出带 __len__ 的 Dataset 或其 DataLoader。",
            ) from None

    def batches(self, epoch: int, after: int = 0) -> Iterator[Any]:
        """The batches of ``epoch`` (from 0), without the first ``after`` of them."""
        if _is_loader(self._train):
            yield from _moved(_skipping(self._train, after), self.device)
            return
        order = torch.from_numpy(epoch_order(len(self._train), self._seed, epoch))  # type: ignore[arg-type]
        rest = order[after * self._batch_size : len(self) * self._batch_size].tolist()
        # a generator of its own: a DataLoader draws a number from the default one when it starts
        own = torch.Generator().manual_seed(derive_seed(self._seed, "loader", epoch))
        yield from _moved(DataLoader(Subset(self._train, rest), self._batch_size, generator=own), self.device)


class LoaderEvaluation:
    """One part of a person's own data, in its own order."""

    def __init__(self, source: Dataset | DataLoader, device: torch.device) -> None:
        self._source, self._device = source, device

    def __len__(self) -> int:
        """Examples.

        Raises:
            TypeError: the source does not say how many it has.
        """
        source: Any = self._source
        if _is_loader(source):  # its own length is in batches
            source = getattr(source, "dataset", None)
        return len(source)

    def __iter__(self) -> Iterator[Any]:
        loader = self._source
        if not _is_loader(loader):
            own = torch.Generator().manual_seed(0)
            loader = DataLoader(loader, EVALUATION_BATCH_SIZE, generator=own)  # type: ignore[arg-type]
        return _moved(loader, self._device)  # type: ignore[arg-type]


def is_own_data(data: Any) -> bool:
    """Whether ``data`` is a Dataset, a DataLoader, or a tuple or list of (train, validation[, test]) of them."""
    if isinstance(data, (tuple, list)):
        first, *others = data or (None,)
        return first is not None and len(others) < 3 and all(part is None or is_own_data(part) for part in data)
    return _is_loader(data) or isinstance(data, Dataset)


def _is_loader(data: Any) -> bool:
    """A DataLoader, or anything else of known length that is iterated for batches."""
    return isinstance(data, DataLoader) or (
        hasattr(data, "__iter__") and hasattr(data, "__len__") and not hasattr(data, "__getitem__")
    )


def _skipping(loader: Iterable[Any], count: int) -> Iterator[Any]:
    for place, batch in enumerate(loader):
        if place >= count:
            yield batch


def _moved(batches: Iterable[Any], device: torch.device) -> Iterator[Any]:
    for batch in batches:
        yield _to(batch, device)


def _to(batch: Any, device: torch.device) -> Any:
    if isinstance(batch, torch.Tensor):
        return batch.to(device, non_blocking=True)
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*(_to(part, device) for part in batch))
    if isinstance(batch, (tuple, list)):
        return type(batch)(_to(part, device) for part in batch)
    if isinstance(batch, dict):
        return {key: _to(value, device) for key, value in batch.items()}
    return batch
