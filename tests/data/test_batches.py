"""Batches on the device against the same made one picture at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchvision.transforms import v2

from etude.data.augment import flip_and_crop
from etude.data.batches import EVALUATION_BATCH_SIZE, ImageBatches, epoch_order
from etude.data.dataset import Examples, ImageData


def make(count: int = 50, channels: int = 3, side: int = 16) -> ImageData:
    chance = np.random.default_rng(0)
    images = chance.integers(0, 256, (count, channels, side, side)).astype(np.uint8)
    labels = chance.integers(0, 4, count)
    rows = np.arange(0, count, 2), np.arange(1, count, 4), np.arange(3, count, 4)
    parts = [Examples(images, labels[r], r) for r in rows]
    mean, std = (0.4, 0.5, 0.6)[:channels], (0.2, 0.25, 0.3)[:channels]
    return ImageData("noise", tuple("abcd"), *parts, mean, std, "x", {}, augmentations=("flip", "crop"))


@pytest.mark.parametrize("channels_last", [False, True])
def test_a_batch_is_what_torchvision_makes_of_its_pictures(channels_last):
    data = make()
    transform = v2.Compose([v2.ToDtype(torch.float32, scale=True), v2.Normalize(data.mean, data.std)])
    batches = ImageBatches(data, 8, seed=3, channels_last=channels_last)
    order = epoch_order(len(data.train), 3, epoch=1)
    for place, batch in enumerate(batches.batches(1)):
        rows = order[place * 8 : (place + 1) * 8]
        expected = torch.stack([transform(torch.from_numpy(data.train.pixels()[row])) for row in rows])
        assert torch.allclose(batch.inputs, expected, atol=1e-5)
        assert batch.labels.tolist() == data.train.labels[rows].tolist()
        assert batch.inputs.is_contiguous(memory_format=torch.channels_last) == channels_last


def test_an_epoch_can_be_entered_anywhere():
    batches = ImageBatches(make(), 4, seed=0, augment=True)
    whole = [b.inputs for b in batches.batches(2)]
    assert len(whole) == len(batches)
    for after in range(len(whole) + 1):
        rest = [b.inputs for b in batches.batches(2, after)]
        assert len(rest) == len(whole) - after
        assert all(torch.equal(a, b) for a, b in zip(rest, whole[after:]))


def test_chance_differs_between_pictures_and_epochs():
    data = make()
    batches = ImageBatches(data, 25, seed=0, augment=True)
    plain = ImageBatches(data, 25, seed=0)
    (a,), (b,), (p,) = (list(each) for each in (batches.batches(0), batches.batches(1), plain.batches(0)))
    assert not torch.equal(a.inputs, p.inputs)
    assert not torch.equal(a.inputs.sum((1, 2, 3)).sort()[0], b.inputs.sum((1, 2, 3)).sort()[0])


@pytest.mark.parametrize(
    ("count", "batch_size", "expected"), [(50, 12, [12, 12]), (50, 10, [10, 10, 5]), (50, 99, [25])]
)
def test_a_last_batch_of_one_is_left_out(count, batch_size, expected):
    assert [len(b.labels) for b in ImageBatches(make(count), batch_size, 0).batches(0)] == expected


def test_evaluation_keeps_the_order_and_everything():
    data = make()
    part = ImageBatches(data, 4, 0, augment=True).validation
    assert torch.cat([b.labels for b in part]).tolist() == data.validation.labels.tolist()
    assert len(part) == len(data.validation) <= EVALUATION_BATCH_SIZE
    assert torch.equal(next(iter(part)).inputs, next(iter(part)).inputs)


def test_a_set_too_large_for_memory_gives_the_same_batches(monkeypatch, tmp_path):
    data = make()
    expected = [b.inputs for b in ImageBatches(data, 5, 1).batches(0)]
    np.save(tmp_path / "images.npy", data.train.images)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    monkeypatch.setattr("etude.data.source.available_memory", lambda: 0)
    parts = [Examples(mapped, p.labels, p.rows) for p in (data.train, data.validation, data.test)]
    large = ImageData("noise", data.classes, *parts, data.mean, data.std, "x", {})
    assert all(torch.equal(a.inputs, b) for a, b in zip(ImageBatches(large, 5, 1).batches(0), expected))


@pytest.mark.parametrize("side", [8, 28])
def test_every_picture_is_a_window_of_itself_padded_perhaps_mirrored(side):
    pixels = torch.randint(
        1, 256, (64, 2, side, side), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    varied = flip_and_crop(pixels, torch.Generator().manual_seed(1), ("flip", "crop"))
    pad, mirrored, places = max(side // 8, 1), 0, set()
    for before, after in zip(pixels, varied):
        found = None
        for flip in (False, True):
            padded = torch.nn.functional.pad(before.flip(-1) if flip else before, (pad,) * 4)
            for down in range(2 * pad + 1):
                for right in range(2 * pad + 1):
                    if torch.equal(padded[:, down : down + side, right : right + side], after):
                        found = flip, down, right
        assert found is not None
        mirrored += found[0]
        places.add(found[1:])
    assert 15 <= mirrored <= 49  # 64 fair coins stay within this with probability 0.99996
    assert len(places) > 5
