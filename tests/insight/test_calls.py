"""Which layers are building blocks, in which order they ran, and what was noted of them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from etude.core.errors import EtudeError
from etude.insight.calls import find_call, map_units, record_calls
from etude.models.catalog import build_model


def calls_of(model: nn.Module, *shape: int):
    picture = torch.rand(1, *shape)
    with torch.no_grad():
        return record_calls(model.eval(), lambda: model(picture))


def test_a_layer_called_twice_has_a_number():
    calls = calls_of(build_model("lenet5"), 1, 28, 28)
    assert [call.name for call in map_units(calls)] == ["conv1", "pool", "conv2", "pool@2"]
    assert [call.shape for call in map_units(calls)] == [
        (1, 6, 28, 28), (1, 6, 14, 14), (1, 16, 10, 10), (1, 16, 5, 5)
    ]  # fmt: skip


def test_a_residual_block_is_one_unit_and_its_parts_can_still_be_found():
    calls = calls_of(build_model("resnet20"), 3, 32, 32)
    names = [call.name for call in map_units(calls)]
    assert names == ["conv1", *(f"stage{stage}.{block}" for stage in (1, 2, 3) for block in (0, 1, 2))]
    assert find_call(calls, "stage2.0.conv2").shape == (1, 32, 16, 16)


def test_what_a_layer_gave_survives_a_layer_that_overwrites_it():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(inplace=True))
    picture = torch.rand(1, 1, 5, 5)
    with torch.no_grad():
        expected = net[0](picture)
        gave = record_calls(net, lambda: net(picture))[0].gave
    assert (expected < 0).any()
    torch.testing.assert_close(gave, expected)


def test_no_hook_is_left_behind_even_after_an_error():
    net = nn.Sequential(nn.Conv2d(1, 2, 3))
    with pytest.raises(RuntimeError):
        record_calls(net, lambda: net(torch.rand(1, 7, 5, 5)))
    assert not net[0]._forward_hooks
    assert not net[0]._forward_pre_hooks


def test_a_misspelt_layer_brings_the_nearest_names():
    calls = calls_of(build_model("lenet5-1998"), 1, 32, 32)
    assert find_call(calls, "c3").name == "C3"
    with pytest.raises(EtudeError, match="did you mean output"):
        find_call(calls, "outputt")
    with pytest.raises(EtudeError, match="C1, C3, C5"):
        find_call(calls, "nothing-like-it")
