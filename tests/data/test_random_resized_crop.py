"""Random resized crops against torchvision's, picture by picture."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.stats import ks_2samp
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as tv

from etude.data.random_resized_crop import random_boxes, random_resized_crop, usual_scale
from etude.data.stretch import crop_and_stretch, stretch_each
from etude.data.threads import Workers


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(*shape: int) -> torch.Tensor:
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator())


@pytest.mark.parametrize(("height", "width"), [(32, 32), (17, 40), (128, 96)])
@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_are_torchvisions(height, width, channels):
    pixels = noise(24, channels, height, width)
    boxes = random_boxes(24, height, width, generator(), (0.05, 1.0), (0.5, 2.0))
    cropped = crop_and_stretch(pixels, *boxes)
    assert cropped.dtype == torch.uint8
    for picture, found, *box in zip(pixels, cropped, *(each.tolist() for each in boxes)):
        expected = tv.resized_crop(picture, *box, [height, width], antialias=True)
        assert (found.int() - expected.int()).abs().max() <= 1


def test_the_whole_picture_stays_as_it_is():
    pixels = noise(3, 3, 20, 31)
    zero, tall, wide = torch.zeros(3, dtype=torch.int64), torch.full((3,), 20), torch.full((3,), 31)
    assert torch.equal(crop_and_stretch(pixels, zero, zero, tall, wide), pixels)


def test_nothing_outside_the_box_shines_through():
    pixels = torch.full((1, 1, 32, 32), 255, dtype=torch.uint8)
    pixels[:, :, 8:16, 10:14] = 0
    box = (torch.tensor([value]) for value in (8, 10, 8, 4))
    assert crop_and_stretch(pixels, *box).max() == 0


@pytest.mark.parametrize(("height", "width"), [(64, 64), (300, 200)])
def test_boxes_are_distributed_as_torchvisions(height, width):
    scale, ratio = (0.08, 1.0), (3 / 4, 4 / 3)
    top, left, tall, wide = random_boxes(4000, height, width, generator(), scale, ratio)
    assert (top >= 0).all()
    assert (left >= 0).all()
    assert (top + tall <= height).all()
    assert (left + wide <= width).all()
    torch.manual_seed(1)
    other = v2.RandomResizedCrop(8, scale=scale, ratio=ratio)
    picture = torch.zeros(1, height, width)
    drawn = [other.make_params([picture]) for _ in range(4000)]
    for name, ours in (("top", top), ("left", left), ("height", tall), ("width", wide)):
        # with 4,000 a side, equal distributions differ this much once in ten thousand times
        assert ks_2samp(ours.tolist(), [each[name] for each in drawn]).pvalue > 1e-4


@pytest.mark.parametrize(("height", "width"), [(10, 400), (400, 10)])
def test_where_no_shape_fits_the_largest_in_the_middle_is_taken(height, width):
    top, left, tall, wide = random_boxes(50, height, width, generator(), (0.9, 1.0), (3 / 4, 4 / 3))
    torch.manual_seed(0)
    expected = v2.RandomResizedCrop(8, scale=(0.9, 1.0)).make_params([torch.zeros(1, height, width)])
    for name, ours in (("top", top), ("left", left), ("height", tall), ("width", wide)):
        assert set(ours.tolist()) == {expected[name]}


def test_small_pictures_are_cropped_gently():
    assert usual_scale(224, 224) == (0.08, 1.0)
    assert usual_scale(32, 300)[0] == 0.35
    pixels = torch.arange(32).float().mul(8).to(torch.uint8).view(1, 1, 1, 32).repeat(500, 1, 32, 1)
    span = random_resized_crop(pixels, generator()).int()[:, 0, 0]
    share = (span[:, -1] - span[:, 0] + 8) / 256  # of the width that each crop kept
    assert share.min() >= math.sqrt(0.35 * 3 / 4) - 0.03
    assert share.min() < 0.6


def test_same_state_same_result_and_each_picture_its_own():
    pixels = noise(1, 3, 16, 16).expand(40, -1, -1, -1)
    first, second = (random_resized_crop(pixels, generator(4)) for _ in range(2))
    assert torch.equal(first, second)
    assert len(first.flatten(1).unique(dim=0)) > 30


def test_boxes_of_pictures_of_many_sizes_are_those_of_each_alone():
    sizes = [(200, 300), (64, 64), (10, 400)]
    heights, widths = torch.tensor(sizes * 2000).unbind(1)
    boxes = random_boxes(6000, heights, widths, generator(), (0.08, 1.0))
    for place, (height, width) in enumerate(sizes):
        torch.manual_seed(place)
        other = v2.RandomResizedCrop(8, scale=(0.08, 1.0))
        drawn = [other.make_params([torch.zeros(1, height, width)]) for _ in range(2000)]
        for name, ours in zip(("top", "left", "height", "width"), boxes):
            assert ks_2samp(ours[place::3].tolist(), [each[name] for each in drawn]).pvalue > 1e-4


@pytest.mark.parametrize("size", [(20, 20), (48, 30)])
@pytest.mark.parametrize("innermost", [False, True])
def test_boxes_of_pictures_of_many_sizes_are_stretched_as_torchvision_does(size, innermost):
    pictures = [noise(3, 40 + number, 56 - number) for number in range(16)]
    heights, widths = torch.tensor([picture.shape[1:] for picture in pictures]).unbind(1)
    boxes = random_boxes(16, heights, widths, generator(), (0.05, 1.0), (0.5, 2.0))
    mirrored = torch.arange(16) % 3 == 0
    given = [picture.permute(1, 2, 0) for picture in pictures]
    arrays = [(picture.contiguous() if innermost else picture).numpy() for picture in given]
    found = stretch_each(arrays, boxes, size, mirrored)
    assert torch.equal(found, stretch_each(arrays, boxes, size, mirrored, Workers(2).map))
    for picture, turn, ours, *box in zip(pictures, mirrored, found, *(each.tolist() for each in boxes)):
        expected = tv.resized_crop(picture, *box, list(size), antialias=True)
        assert (ours.int() - (expected.flip(-1) if turn else expected).int()).abs().max() <= 1
