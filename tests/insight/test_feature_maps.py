"""Feature maps against the layers computed one by one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from etude.core.errors import EtudeError
from etude.insight.feature_maps import FeatureMaps, feature_maps
from etude.models.catalog import build_model


def test_maps_are_taken_after_the_activation_even_where_it_is_a_function():
    torch.manual_seed(0)
    model, picture = build_model("lenet5").eval(), torch.rand(1, 1, 28, 28)
    found = feature_maps(model, picture)
    with torch.no_grad():
        first = F.relu(model.conv1(picture))
        second = F.max_pool2d(first, 2)
        third = F.relu(model.conv2(second))
        expected = [first, second, third, F.max_pool2d(third, 2)]
    assert [each.layer for each in found] == ["conv1", "pool", "conv2", "pool@2"]
    for each, maps in zip(found, expected):
        np.testing.assert_allclose(each.maps, maps[0].numpy(), rtol=1e-5, atol=1e-6)


def test_norm_and_activation_modules_belong_to_the_convolution_before_them():
    torch.manual_seed(0)
    model, picture = build_model("resnet20").eval(), torch.rand(1, 3, 32, 32)
    for buffer in model.buffers():
        if buffer.is_floating_point():
            buffer.uniform_(0.5, 1.5)
    first = feature_maps(model, picture)[0]
    with torch.no_grad():
        expected = F.relu(model.bn1(model.conv1(picture)))
    assert first.layer == "conv1"
    np.testing.assert_allclose(first.maps, expected[0].numpy(), rtol=1e-5, atol=1e-6)


def test_a_layer_asked_for_by_name_is_shown_as_it_is():
    torch.manual_seed(0)
    model, picture = build_model("lenet5").train(), torch.rand(1, 1, 28, 28)
    (found,) = feature_maps(model, picture, ["conv1"])
    with torch.no_grad():
        np.testing.assert_allclose(found.maps, model.conv1(picture)[0].numpy(), rtol=1e-5, atol=1e-6)
    assert found.signed
    assert model.training


def test_a_deep_network_is_shown_by_the_last_layer_of_each_size():
    shapes = [
        (each.layer, each.maps.shape)
        for each in feature_maps(build_model("resnet20"), torch.rand(1, 3, 32, 32))
    ]
    assert shapes == [
        ("conv1", (16, 32, 32)), ("stage1.2", (16, 32, 32)), ("stage2.2", (32, 16, 16)), ("stage3.2", (64, 8, 8))
    ]  # fmt: skip
    deep = nn.Sequential(*(nn.Conv2d(1, 1, 1) for _ in range(20)))
    assert len(feature_maps(deep, torch.rand(1, 1, 4, 4), limit=5)) == 5


def test_order_and_places_of_maps_by_hand():
    maps = np.zeros((3, 2, 3), dtype=np.float32)
    maps[2, 1, 0] = 5
    maps[0] = 1
    found = FeatureMaps("x", maps)
    assert list(found.order) == [2, 0, 1]
    assert found.strongest_unit(2) == (1, 0)
    assert found.silent == 1
    assert not found.signed


def test_a_network_without_maps_has_none_and_a_layer_without_maps_is_refused():
    assert feature_maps(build_model("mlp"), torch.rand(1, 1, 28, 28)) == []
    with pytest.raises(EtudeError, match="no layer named 'fc1'"):
        feature_maps(build_model("lenet5"), torch.rand(1, 1, 28, 28), ["fc1"])
