"""Shifts and flips in one gather, against torch's own padding, slicing and flipping."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from etude.data.shift_and_mirror import mirrored_in, shift_and_mirror, shifts_in
from etude.data.transfer import send


@pytest.mark.parametrize("shape", [(20, 3, 8, 8), (20, 1, 5, 9)])
def test_one_gather_is_flip_pad_and_crop(shape):
    chance = torch.Generator().manual_seed(0)
    pool = torch.randint(256, shape, generator=chance).to(torch.uint8)
    rows = torch.randint(len(pool), (40,), generator=chance)
    shifts = torch.randint(-2, 3, (2, 40), generator=chance)
    mirrored = torch.rand(40, generator=chance) < 0.5
    got = shift_and_mirror(pool, rows, shifts, mirrored)
    assert got.dtype == torch.uint8
    assert got.is_contiguous(memory_format=torch.channels_last)
    height, width = shape[2:]
    for index in range(40):
        picture = pool[rows[index]].float()
        if mirrored[index]:
            picture = picture.flip(-1)
        around = F.pad(picture[None], (2, 2, 2, 2), "reflect")[0]
        top, left = 2 - int(shifts[0, index]), 2 - int(shifts[1, index])
        assert torch.equal(got[index].float(), around[:, top : top + height, left : left + width])


def test_without_shift_and_mirror_it_is_the_picture():
    pool = torch.arange(2 * 3 * 4 * 4).view(2, 3, 4, 4)
    rows = torch.tensor([1, 0, 1])
    nothing = torch.zeros(2, 3, dtype=torch.int64), torch.zeros(3, dtype=torch.bool)
    assert torch.equal(shift_and_mirror(pool, rows, *nothing), pool[rows])


def test_flips_alternate_from_epoch_to_epoch_and_begin_by_chance():
    first, second = mirrored_in(0, 1000, seed=3), mirrored_in(1, 1000, seed=3)
    assert 400 < int(first.sum()) < 600
    assert torch.equal(second, ~first)
    assert torch.equal(mirrored_in(4, 1000, seed=3), first)
    assert not torch.equal(mirrored_in(0, 1000, seed=4), first)


def test_shifts_are_those_asked_for_and_differ_between_epochs():
    shifts = shifts_in(0, 5000, seed=1, most=2)
    assert shifts.shape == (2, 5000)
    counts = torch.stack([(shifts == by).sum(1) for by in range(-2, 3)])
    assert (counts > 850).all()  # a fifth of 5000 each
    assert counts.sum() == 10000
    assert not torch.equal(shifts, shifts_in(1, 5000, seed=1, most=2))
    assert (shifts_in(0, 5, seed=1, most=0) == 0).all()


def test_sending_to_where_it_is_changes_nothing():
    tensor = torch.arange(3)
    assert torch.equal(send(tensor, "cpu"), tensor)
    assert send(tensor, "meta").device.type == "meta"
