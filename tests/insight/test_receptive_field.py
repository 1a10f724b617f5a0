"""Receptive fields by formula against published numbers, against nudging pixels, and against gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from etude.core.errors import EtudeError
from etude.insight.effective_field import reachable_pixels
from etude.insight.receptive_field import receptive_fields
from etude.models.catalog import build_model

torchvision_models = pytest.importorskip("torchvision.models")


def box_of(seen: np.ndarray) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
    return rows[0], columns[0], rows[-1] + 1, columns[-1] + 1


def test_the_sizes_that_araujo_norris_and_sim_published():
    """Their table for AlexNet (v2) and VGG-16: field, stride and padding of the last pooling."""
    for build, size, jump, padding in (
        (torchvision_models.alexnet, 195, 32, 64),
        (torchvision_models.vgg16, 212, 32, 90),
    ):
        (layer,) = [f for f in receptive_fields(build(), (3, 224, 224)) if f.layer.startswith("features")][-1:]
        assert (layer.rows.size, layer.rows.jump) == (size, jump)
        if build is torchvision_models.vgg16:
            assert layer.rows.start == -padding
        assert layer.rows == layer.columns


def test_a_dilated_uneven_strided_stack_by_hand():
    net = nn.Sequential(
        nn.Conv2d(1, 1, (3, 5), stride=(1, 2), padding=(0, 2)),  # rows 3, 1, 0; columns 5, 2, -2
        nn.Conv2d(1, 1, 3, dilation=2, padding=1),  # rows 3+4, 1, -1; columns 5+8, 2, -4
        nn.MaxPool2d(2),  # rows 8, 2, -1; columns 15, 4, -4
    )
    last = receptive_fields(net, (1, 40, 40))[-1]
    assert (last.rows.size, last.rows.jump, last.rows.start) == (8, 2, -1)
    assert (last.columns.size, last.columns.jump, last.columns.start) == (15, 4, -4)
    assert last.box((0, 0)) == (0, 0, 7, 11)  # what is padding is cut off
    assert last.box((3, 2)) == (5, 4, 13, 19)


@pytest.mark.parametrize("seed", range(8))
def test_nudging_a_pixel_changes_the_units_that_see_it_and_no_others(seed):
    """Random stacks with positive weights; no part of étude says here what a unit depends on."""
    chance = np.random.default_rng(seed)
    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    for _ in range(chance.integers(1, 4)):
        kernel, stride, dilation = chance.integers(1, 4), chance.integers(1, 3), chance.integers(1, 3)
        padding = int(chance.integers(0, kernel))
        if chance.random() < 0.3:
            layers.append(nn.AvgPool2d(2, stride=1, padding=int(chance.integers(0, 2))))
        layers.append(nn.Conv2d(1, 1, int(kernel), int(stride), padding, int(dilation), bias=False))
    if seed % 2:
        layers.append(nn.AdaptiveAvgPool2d((4, 3)))  # of windows that differ in width
    net = nn.Sequential(*layers).double()
    for parameter in net.parameters():
        nn.init.uniform_(parameter, 0.5, 1.0)
    picture = torch.rand(1, 1, 24, 23, dtype=torch.float64)
    field = receptive_fields(net, (1, 24, 23))[-1]
    with torch.no_grad():
        before = net(picture)[0, 0]
        changed = np.zeros((*before.shape, 24, 23), dtype=bool)
        for row in range(24):
            for column in range(23):
                nudged = picture.clone()
                nudged[0, 0, row, column] += 1
                changed[:, :, row, column] = (net(nudged)[0, 0] != before).numpy()
    assert before.numel() > 0
    for unit in np.ndindex(*before.shape):
        assert field.box(unit) == box_of(changed[unit]), unit


class Branches(nn.Module):
    """A long and a short way that are added, a slice, a pad, and two widths side by side."""

    def __init__(self):
        super().__init__()
        self.long = nn.Sequential(nn.Conv2d(1, 2, 5, stride=2, padding=2), nn.Conv2d(2, 2, 3, padding=1))
        self.short = nn.Conv2d(1, 2, 1, stride=2)
        self.wide = nn.Conv2d(2, 2, 7, padding=3)
        self.last = nn.Conv2d(4, 1, 3)

    def forward(self, x):
        y = self.long(x)
        y += self.short(x)
        y = torch.cat([y, self.wide(y)], 1)
        y = F.pad(y[:, :, 1::2, :-1], (2, 0, 0, 1))
        return self.last(F.relu(y, inplace=True))


CASES = {
    "lenet5": lambda: (build_model("lenet5"), (1, 28, 28)),
    "lenet5-1998": lambda: (build_model("lenet5-1998"), (1, 32, 32)),
    "resnet20": lambda: (build_model("resnet20"), (3, 32, 32)),
    "resnet20-large": lambda: (build_model("resnet20", (3, 64, 50), 5), (3, 64, 50)),
    "branches": lambda: (Branches(), (1, 40, 36)),
    "vgg-like": lambda: (
        nn.Sequential(*(layer for i in (1, 2, 4) for layer in (
            nn.Conv2d(i if i > 1 else 3, 2 * i, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)
        ))), (3, 48, 48),
    ),
    "squeezenet": lambda: (torchvision_models.squeezenet1_1(num_classes=4), (3, 96, 96)),
    "googlenet": lambda: (torchvision_models.googlenet(init_weights=False, num_classes=4), (3, 96, 96)),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_formula_and_gradient_see_the_same_pixels(case):
    model, shape = CASES[case]()
    fields = receptive_fields(model, shape)
    assert len(fields) >= 3
    for field in {fields[0], fields[len(fields) // 2], fields[-1]}:
        for unit in (field.centre, (0, 0), (field.shape[1] - 1, field.shape[2] - 1)):
            seen = reachable_pixels(model, field.layer, shape, unit)
            assert field.box(unit) == box_of(seen), (field, unit)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet18", "vgg11", "densenet121", "mobilenet_v2"])
def test_formula_and_gradient_agree_on_torchvision(name):
    model = getattr(torchvision_models, name)(num_classes=4)
    fields = receptive_fields(model, (3, 96, 96))
    for field in fields[:: max(len(fields) // 3, 1)]:
        assert field.box(field.centre) == box_of(reachable_pixels(model, field.layer, (3, 96, 96)))


def test_squeeze_and_excitation_sees_everything():
    model = torchvision_models.mobilenet_v3_small(num_classes=4)
    last = receptive_fields(model, (3, 64, 64))[-1]
    assert last.box((0, 0)) == (0, 0, 64, 64)
    assert box_of(reachable_pixels(model, last.layer, (3, 64, 64), (0, 0))) == (0, 0, 64, 64)


def test_a_network_without_maps_has_no_fields_and_a_misspelt_layer_is_named():
    assert receptive_fields(build_model("mlp"), (1, 28, 28)) == []
    with pytest.raises(EtudeError, match="did you mean conv"):
        receptive_fields(build_model("lenet5"), (1, 28, 28), ["conv7"])


def test_the_model_is_left_as_it_was():
    model = build_model("resnet20").train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    receptive_fields(model, (3, 32, 32))
    reachable_pixels(model, "stage2.0", (3, 32, 32))
    assert model.training
    assert all(module.training for module in model.modules())
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(tensor, before[name], rtol=0, atol=0)
