"""Everything that may be done to training pictures, through the batches that do it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from etude.core.errors import EtudeError
from etude.core.seeds import derive_seed
from etude.data.augment import flip_and_crop
from etude.data.augmentation import Augmentation
from etude.data.batches import ImageBatches, epoch_order
from etude.data.dataset import Examples, ImageData

ALL = Augmentation(True, True, True, 0.4, 4, 0.2)
EACH = [
    Augmentation(random_resized_crop=True), Augmentation(color_jitter=0.4), Augmentation(cutout=4), Augmentation(mixup=0.2),
    ALL,
]  # fmt: skip


def make(channels: int = 3, allowed: tuple[str, ...] = ("flip", "crop")) -> ImageData:
    chance = np.random.default_rng(0)
    images = chance.integers(0, 256, (50, channels, 16, 16)).astype(np.uint8)
    labels = chance.integers(0, 4, 50)
    rows = np.arange(0, 50, 2), np.arange(1, 50, 4), np.arange(3, 50, 4)
    parts = [Examples(images, labels[r], r) for r in rows]
    mean, std = (0.4, 0.5, 0.6)[:channels], (0.2, 0.25, 0.3)[:channels]
    return ImageData("noise", tuple("abcd"), *parts, mean, std, "x", {}, augmentations=allowed)


@pytest.mark.parametrize("augmentation", EACH)
@pytest.mark.parametrize("channels", [1, 3])
def test_an_epoch_can_be_entered_anywhere(augmentation, channels):
    whole = list(ImageBatches(make(channels), 4, seed=5, augment=augmentation).batches(2))
    fresh = ImageBatches(make(channels), 4, seed=5, augment=augmentation)
    assert len(whole) == len(fresh)
    for after in range(len(whole) + 1):
        rest = list(fresh.batches(2, after))
        assert len(rest) == len(whole) - after
        for a, b in zip(rest, whole[after:]):
            assert torch.equal(a.inputs, b.inputs)
            assert torch.equal(a.labels, b.labels)


@pytest.mark.parametrize("augmentation", EACH)
def test_chance_differs_between_epochs_and_leaves_evaluation_alone(augmentation):
    data = make()
    batches, plain = ImageBatches(data, 25, 0, augment=augmentation), ImageBatches(data, 25, 0)
    (a,), (b,), (p,) = (list(each) for each in (batches.batches(0), batches.batches(1), plain.batches(0)))
    assert a.inputs.shape == p.inputs.shape
    assert a.inputs.dtype == torch.float32
    assert not torch.equal(a.inputs, p.inputs)
    assert not torch.equal(a.inputs.sum((1, 2, 3)).sort()[0], b.inputs.sum((1, 2, 3)).sort()[0])
    for part in ("validation", "test", "train"):
        for ours, theirs in zip(batches.evaluation(part), plain.evaluation(part)):
            assert torch.equal(ours.inputs, theirs.inputs)
            assert torch.equal(ours.labels, theirs.labels)


def test_true_is_to_mirror_and_to_crop_from_the_same_chance_as_ever():
    """Resumed runs rely on the order of these draws."""
    data = make()
    batches = ImageBatches(data, 5, seed=3, augment=True)
    named = ImageBatches(data, 5, seed=3, augment=Augmentation(flip=True, crop=True))
    for place, (ours, same) in enumerate(zip(batches.batches(1), named.batches(1))):
        rows = epoch_order(25, 3, 1)[place * 5 : place * 5 + 5]
        chance = torch.Generator().manual_seed(derive_seed(3, "augment", 1, place))
        pixels = flip_and_crop(torch.from_numpy(data.train.pixels()[rows]), chance, ("flip", "crop"))
        mean, std = (torch.tensor(each).view(1, 3, 1, 1) for each in (data.mean, data.std))
        assert torch.allclose(ours.inputs, (pixels / 255 - mean) / std, atol=1e-5)
        assert torch.equal(ours.inputs, same.inputs)
        assert torch.equal(ours.labels, same.labels)


def test_pictures_are_mirrored_and_cropped_only_where_the_data_allow_it():
    data = make(allowed=())
    plain = [b.inputs for b in ImageBatches(data, 5, 3).batches(0)]
    for augment in (True, Augmentation(flip=True, crop=True)):
        assert all(
            torch.equal(a.inputs, b)
            for a, b in zip(ImageBatches(data, 5, 3, augment=augment).batches(0), plain)
        )


def test_mixed_labels_are_shares_that_sum_to_one():
    data = make()
    batches, plain = ImageBatches(data, 5, 3, augment=Augmentation(mixup=1.0)), ImageBatches(data, 5, 3)
    for mixed, whole in zip(batches.batches(0), plain.batches(0)):
        assert mixed.labels.shape == (5, 4)
        assert mixed.labels.dtype == torch.float32
        assert torch.allclose(mixed.labels.sum(1), torch.ones(5))
        # each input is the blend that its labels say, of itself and the one before it
        for index in range(5):
            pair = torch.stack([whole.inputs[index], whole.inputs[index - 1]]).flatten(1)
            share = torch.linalg.lstsq(pair.T, mixed.inputs[index].flatten()[:, None]).solution.flatten()
            expected = torch.zeros(4).index_add(0, whole.labels[[index, index - 1]], share)
            assert torch.allclose(mixed.labels[index], expected, atol=1e-4)


def test_cutout_blots_with_the_mean_colour():
    data = make()
    for cut, whole in zip(
        ImageBatches(data, 5, 3, augment=Augmentation(cutout=5)).batches(0), ImageBatches(data, 5, 3).batches(0)
    ):
        changed = cut.inputs != whole.inputs
        assert changed.any()
        assert (cut.inputs[changed] == 0).all()


@pytest.mark.parametrize("channels_last", [False, True])
def test_layout_is_kept(channels_last):
    batch = next(ImageBatches(make(), 5, 0, augment=ALL, channels_last=channels_last).batches(0))
    assert batch.inputs.is_contiguous(memory_format=torch.channels_last) == channels_last


def test_a_square_that_could_cover_a_picture_is_refused():
    ImageBatches(make(), 5, 0, augment=replace(ALL, cutout=15))
    with pytest.raises(EtudeError, match="cutout is 16 pixels, but the pictures have 16×16"):
        ImageBatches(make(), 5, 0, augment=replace(ALL, cutout=16))
