"""LeNet-5 against the numbers of the paper."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from etude.models.catalog import build_model
from etude.models.lenet import C3_INPUTS, SparseConv2d, Subsampling, squash


def parameters(module):
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize("size", [28, 32])
def test_modern_has_the_textbook_size(size):
    net = build_model("lenet5", (1, size, size), 10)
    assert parameters(net) == 61_706  # 156 + 2,416 + 48,120 + 10,164 + 850
    assert net.fc1.in_features == 16 * 5 * 5


@pytest.mark.parametrize("size", [28, 32])
def test_1998_has_the_paper_s_parameters_layer_by_layer(size):
    net = build_model("lenet5-1998", (1, size, size), 10)
    published = {"C1": 156, "S2": 12, "C3": 1516, "S4": 32, "C5": 48120, "F6": 10164}
    assert {name: parameters(getattr(net, name)) for name in published} == published


def test_connection_table_is_the_paper_s():
    # the paper, section II.B: six maps see 3 contiguous maps, six 4 contiguous, three 4 discontinuous, one all
    assert [len(inputs) for inputs in C3_INPUTS] == [3] * 6 + [4] * 9 + [6]
    assert len({frozenset(inputs) for inputs in C3_INPUTS}) == 16
    contiguous = [
        frozenset((first + step) % 6 for step in range(size)) for size in (3, 4) for first in range(6)
    ]
    assert {frozenset(inputs) for inputs in C3_INPUTS[:12]} == set(contiguous)
    assert not {frozenset(inputs) for inputs in C3_INPUTS[12:15]} & set(contiguous)
    # table I: each map of S2 is seen by ten maps of C3
    assert [sum(column in inputs for inputs in C3_INPUTS) for column in range(6)] == [10] * 6


def test_sparse_convolution_is_a_sum_over_its_own_maps():
    torch.manual_seed(0)
    layer = SparseConv2d(C3_INPUTS, in_channels=6, kernel_size=5)
    torch.nn.init.normal_(layer.weight)
    torch.nn.init.normal_(layer.bias)
    x = torch.randn(2, 6, 14, 14)
    weights = iter(layer.weight)
    expected = torch.stack(
        [
            sum(F.conv2d(x[:, [i]], next(weights)[None, None])[:, 0] for i in inputs) + layer.bias[map_]
            for map_, inputs in enumerate(C3_INPUTS)
        ],
        dim=1,
    )
    torch.testing.assert_close(layer(x), expected, rtol=1e-4, atol=1e-4)


def test_subsampling_adds_four_scales_and_shifts():
    layer = Subsampling(2)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([0.5, -1.0]))
        layer.bias.copy_(torch.tensor([1.0, 2.0]))
    x = torch.arange(32.0).view(1, 2, 4, 4)
    # the first square of the first map holds 0, 1, 4 and 5; of the second 16, 17, 20 and 21
    y = layer(x)
    assert y.shape == (1, 2, 2, 2)
    assert y[0, 0, 0, 0] == 0.5 * 10 + 1
    assert y[0, 1, 0, 0] == -1.0 * 74 + 2


def test_squash_keeps_one_and_minus_one():
    x = torch.tensor([-1.0, 0.0, 1.0], dtype=torch.float64)
    torch.testing.assert_close(squash(x), x, rtol=0, atol=1e-4)  # appendix A: f(1) = 1, f(-1) = -1


def test_1998_weights_begin_within_the_paper_s_bounds():
    torch.manual_seed(0)
    net = build_model("lenet5-1998")
    for layer, fan_in in ((net.C1, 25), (net.C5, 400), (net.F6, 120)):
        bound = 2.4 / fan_in
        assert layer.weight.abs().max() <= bound
        assert layer.weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.15)
    assert net.C3.weight[0].abs().max() <= 2.4 / 75
    assert net.C3.weight[-1].abs().max() <= 2.4 / 150
