"""Where batches come from: whatever a person has, as the loop takes it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import torch

from etude.core.errors import EtudeError
from etude.data.augmentation import Augmentation
from etude.data.batches import ImageBatches
from etude.data.dataset import ImageData
from etude.data.loaders import LoaderBatches, is_own_data
from etude.data.table import TableData
from etude.data.table_batches import TableBatches
from etude.tasks.classification import Classification, label_range
from etude.tasks.task import Task
from etude.train.choices import Choices, choose
from etude.train.recipe import Recipe


class Feed(Protocol):
    """What the loop needs of data.

    Attributes:
        resumes_mid_epoch: whether ``batches(epoch, after=n)`` gives just what an unbroken epoch would have given.
    """

    resumes_mid_epoch: bool

    @property
    def validation(self) -> Any:
        """An iterable of batches, or None."""
        ...

    @property
    def test(self) -> Any:
        """An iterable of batches, or None."""
        ...

    def __len__(self) -> int:
        """Batches an epoch."""
        ...

    def batches(self, epoch: int, after: int = 0) -> Iterator[Any]:
        """The batches of one epoch (from 0), without the first ``after`` of them."""
        ...


def as_feed(data: Any, recipe: Recipe, choices: Choices | None, task: Task) -> Feed:
    """``data`` as batches on the device that was chosen.

    Raises:
        EtudeError: it is nothing that batches can be made of, or there is none of it.
    """
    if hasattr(data, "batches") and hasattr(data, "validation"):
        return data
    choices = choices or choose(recipe, dict(task.modules), data)
    if isinstance(task, Classification):
        task.label_range = known_labels(data)
    feed: Feed
    if isinstance(data, ImageData):
        augmentation = Augmentation(
            flip=recipe.augment,
            crop=recipe.augment,
            random_resized_crop=recipe.random_resized_crop,
            color_jitter=recipe.color_jitter,
            cutout=recipe.cutout,
            mixup=recipe.mixup,
        )
        feed = ImageBatches(
            data,
            recipe.batch_size,
            recipe.seed,
            choices.device,
            augmentation,
            choices.channels_last,
            choices.prefetch,
        )
    elif isinstance(data, TableData):
        feed = TableBatches(data, recipe.batch_size, recipe.seed, choices.device)
    elif is_own_data(data):
        train, validation, test = (
            [*data, None, None][:3] if isinstance(data, (tuple, list)) else (data, None, None)
        )
        feed = LoaderBatches(train, validation, test, recipe.batch_size, recipe.seed, choices.device)
    else:
        raise EtudeError(
            en=f"Cannot train on a {type(data).__name__}; give what etude.load_data returns, a Dataset, a DataLoader, "
            "or a tuple of those (train, validation).",
            zh=f"无法用 {type(data).__name__} 训练；请给出 etude.load_data 的结果、Dataset、DataLoader，"
            "或由它们组成的元组（训练集，验证集）。",
        )
    return feed


def known_labels(data: Any) -> tuple[int, int] | None:
    """The lowest and the highest label in any part of a data set that étude has read; None of any other data."""
    if isinstance(data, ImageData):
        parts = [part.labels for part in (data.train, data.validation, data.test)]
    elif isinstance(data, TableData) and data.kind == "classification":
        parts = [part.targets for part in (data.train, data.validation, data.test)]
    else:
        return None
    return label_range(torch.from_numpy(np.concatenate(parts)))


def steps_per_epoch(feed: Feed, recipe: Recipe) -> int:
    """Batches an epoch; of data that has no length, the steps that the recipe asks for.

    Raises:
        EtudeError: there is no data, or no telling how much.
    """
    try:
        count = len(feed)
    except EtudeError:
        if recipe.steps is None:
            raise
        return recipe.steps
    if count == 0:
        raise EtudeError(en="The training part holds no example.", zh="训练集中没有样本。")
    return count
