"""Test-time augmentation against the six forms written out."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from etude.tasks.test_time_augmentation import TestTimeAugmentation


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 5)).eval()


@torch.no_grad()
def test_it_is_the_weighted_mean_of_six_forms():
    net, x = network(), torch.randn(3, 3, 8, 8)
    around = F.pad(x, (1, 1, 1, 1), "reflect")
    forms = {x: 2, around[:, :, 0:8, 0:8]: 1, around[:, :, 2:10, 2:10]: 1}
    expected = sum(weight * (net(form) + net(form.flip(3))) for form, weight in forms.items()) / 8
    torch.testing.assert_close(TestTimeAugmentation(net)(x), expected)


@torch.no_grad()
def test_without_moving_it_is_the_picture_and_its_mirror_image():
    net, x = network(), torch.randn(3, 3, 8, 8)
    torch.testing.assert_close(TestTimeAugmentation(net, 0)(x), (net(x) + net(x.flip(3))) / 2)
    torch.testing.assert_close(TestTimeAugmentation(net, 0)(x.flip(3)), TestTimeAugmentation(net, 0)(x))
