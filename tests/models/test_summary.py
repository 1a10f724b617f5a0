"""Parameters and FLOPs against closed forms."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from etude.models.catalog import build_model
from etude.models.summary import LayerRow, count, layer_table


def conv(inputs, outputs, kernel, size):
    """FLOPs of a convolution that leaves size×size pixels."""
    return 2 * inputs * outputs * kernel**2 * size**2


def test_lenet_layer_by_layer():
    rows = layer_table(build_model("lenet5"), (1, 28, 28))
    assert [row for row in rows if "pool" not in row.name] == [
        LayerRow("conv1", "Conv2d 5×5", (6, 28, 28), 156, conv(1, 6, 5, 28)),
        LayerRow("conv2", "Conv2d 5×5", (16, 10, 10), 2416, conv(6, 16, 5, 10)),
        LayerRow("fc1", "Linear", (120,), 48120, 2 * 400 * 120),
        LayerRow("fc2", "Linear", (84,), 10164, 2 * 120 * 84),
        LayerRow("fc3", "Linear", (10,), 850, 2 * 84 * 10),
    ]
    assert [row.output_shape for row in rows if row.name == "pool"] == [(6, 14, 14), (16, 5, 5)]


def test_mlp_flops_are_two_for_each_weight():
    net = build_model("mlp", (1, 28, 28), 10, widths=(300, 100))
    assert count(net, (1, 28, 28)) == (266_610, 2 * (784 * 300 + 300 * 100 + 100 * 10))


def test_resnet20_flops_follow_from_its_layers():
    stage1 = conv(3, 16, 3, 32) + 6 * conv(16, 16, 3, 32)
    stage2 = conv(16, 32, 3, 16) + 5 * conv(32, 32, 3, 16)
    stage3 = conv(32, 64, 3, 8) + 5 * conv(64, 64, 3, 8)
    assert count(build_model("resnet20"), (3, 32, 32))[1] == stage1 + stage2 + stage3 + 2 * 64 * 10


@pytest.mark.parametrize(
    (
        "name",
        "billions",
    ),  # multiply-adds as published: He et al. 2016, table 1; ResNet-50's is v1.5's, torchvision's
    [("resnet18", 1.8), ("resnet34", 3.6), ("resnet50", 4.1)],
)
def test_imagenet_flops_are_twice_the_published_multiply_adds(name, billions):
    with torch.device("meta"):
        net = build_model(name)
    assert count(net, (3, 224, 224))[1] / 2e9 == pytest.approx(billions, rel=0.03)


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "plain20", "lenet5-1998", "mlp-bn"])
def test_rows_add_up_to_the_whole(name):
    net = build_model(name, (3, 32, 32), 10)
    rows = layer_table(net, (3, 32, 32))
    assert (sum(row.parameters for row in rows), sum(row.flops for row in rows)) == count(net, (3, 32, 32))


def test_output_shapes_are_those_of_a_real_forward():
    net = build_model("resnet20", (3, 16, 16), 5)
    seen = {}

    def note(name, output):
        seen.setdefault(name, tuple(output.shape[1:]))

    rows = layer_table(net, (3, 16, 16))
    for name, module in net.named_modules():
        module.register_forward_hook(lambda m, i, output, name=name: note(name, output))
    net.eval()(torch.zeros(1, 3, 16, 16))
    assert {row.name: row.output_shape for row in rows} == {row.name: seen[row.name] for row in rows}


class Nested(nn.Module):
    """Parameters of its own beside a submodule's, a shared layer, a product written as a function."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(4, 4))
        self.inner = nn.Linear(4, 4, bias=False)
        self.again = self.inner

    def forward(self, x):
        return self.again(self.inner(x.flatten(1))) @ self.scale


def test_shared_layers_count_once_and_each_call_costs():
    net = Nested()
    rows = layer_table(net, (1, 2, 2))
    assert [(row.name, row.parameters, row.flops) for row in rows] == [
        ("inner", 16, 32),
        ("inner", 0, 32),
        ("", 16, 32),
    ]
    assert count(net, (1, 2, 2)) == (32, 96)


def test_looking_changes_nothing():
    torch.manual_seed(0)
    net = build_model("resnet20").train()
    net.stage2.eval()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    modes = [module.training for module in net.modules()]
    generator = torch.get_rng_state()
    layer_table(net, (3, 32, 32))
    count(net, (3, 32, 32))
    assert [module.training for module in net.modules()] == modes
    assert torch.equal(torch.get_rng_state(), generator)
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())


def test_counting_costs_no_memory_even_for_the_absurd():
    with torch.device("meta"):
        net = build_model("mlp", (3, 1000, 1000), 10, widths=(10**6,))
    parameters, flops = count(net, (3, 1000, 1000))
    assert parameters == 3 * 10**12 + 10**6 + 10**7 + 10
    assert flops == 2 * (3 * 10**12 + 10**7)
    assert all(parameter.is_meta for parameter in net.parameters())
