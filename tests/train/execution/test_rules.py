"""Each rule on networks written in every way, and on those it must leave alone."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from etude.train.execution.executed import Executed
from etude.train.execution.rules import RULES, WORDS


class Net(nn.Module):
    """A convolution, and what the subclass makes of its output."""

    def __init__(self, channels=1, **conv):
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(channels, 6, 3, **conv)
        self.relu, self.written = nn.ReLU(), nn.ReLU(inplace=True)
        self.pool, self.norm = nn.MaxPool2d(2), nn.BatchNorm2d(6)
        self.drop, self.same = nn.Dropout(0.0), nn.Identity()
        self.double()


def net_of(forward, **conv):
    return type("Written", (Net,), {"forward": forward, "__module__": __name__})(**conv)


@pytest.fixture
def pictures():
    return torch.randn(3, 1, 11, 14, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


# the same function, written as people write it
FUSED = {
    "layers": lambda self, x: self.pool(self.relu(self.conv(x))),
    "layers, pooling first": lambda self, x: self.relu(self.pool(self.conv(x))),
    "in place": lambda self, x: self.pool(self.written(self.conv(x))),
    "F.relu": lambda self, x: F.max_pool2d(F.relu(self.conv(x)), 2),
    "F.relu in place": lambda self, x: F.max_pool2d(F.relu(self.conv(x), inplace=True), 2),
    "F.relu in place by position": lambda self, x: F.max_pool2d(F.relu(self.conv(x), True), 2),
    "torch.relu": lambda self, x: torch.max_pool2d(torch.relu(self.conv(x)), 2),
    "torch.relu_": lambda self, x: torch.max_pool2d(torch.relu_(self.conv(x)), 2),
    "method": lambda self, x: F.max_pool2d(self.conv(x).relu(), 2),
    "method in place": lambda self, x: F.max_pool2d(self.conv(x).relu_(), 2),
    "keywords": lambda self, x: F.max_pool2d(F.relu(self.conv(x)), kernel_size=2, stride=2),
    "tuples": lambda self, x: F.max_pool2d(F.relu(self.conv(x)), (2, 2), stride=(2, 2), padding=0, dilation=1),
    "shared ReLU": lambda self, x: self.relu(self.pool(self.relu(self.conv(x)))),
    "shared convolution": lambda self, x: self.pool(self.relu(self.conv(x))) + self.pool(self.relu(self.conv(-x))),
    "keyword inputs": lambda self, x: F.max_pool2d(input=F.relu(input=self.conv(x)), kernel_size=2),
}  # fmt: skip


@pytest.mark.parametrize("way", FUSED)
@pytest.mark.parametrize("conv", [{}, {"bias": False}, {"padding": 1}, {"padding": (2, 0)}], ids=str)
def test_convolution_pooling_and_relu_become_one(way, conv, pictures, same, functions):
    executed = same(net_of(FUSED[way], **conv), pictures)
    assert "conv_pool" in functions(executed)


def test_the_convolution_reads_its_input_before_it_is_written_to(pictures, same, functions):
    def forward(self, x):
        found = self.conv(x)
        x.mul_(0.0)
        return self.pool(self.relu(found)) + x.sum()

    net = net_of(forward)
    with torch.no_grad():  # torch refuses the gradient of what was overwritten
        executed = same(net, pictures, training=(False,))
    assert "conv_pool" in functions(executed)


ALONE = {
    "keyword input of torch.relu": lambda self, x: self.pool(torch.relu(input=self.conv(x))),
    "keyword input of torch.max_pool2d": lambda self, x: torch.max_pool2d(input=self.conv(x), kernel_size=2),
    "ReLU read twice": lambda self, x: (lambda y: self.pool(y).sum() + y.mean())(self.relu(self.conv(x))),
    "convolution read twice": lambda self, x: (lambda y: self.pool(self.relu(y)).sum() + y.mean())(self.conv(x)),
    "ReLU in place, its input read later": lambda self, x: (
        lambda y: self.pool(self.written(y)).sum() + y.mean()
    )(self.conv(x)),
    "ReLU in place on a part": lambda self, x: (
        lambda y: F.max_pool2d(F.relu(y[:, :3], inplace=True), 2).sum() + y.mean()
    )(self.norm(self.conv(x))),
    "ReLU in place on the same tensor": lambda self, x: (
        lambda y: (lambda z: self.pool(self.written(z)).sum() + y.mean())(self.same(y))
    )(self.norm(self.conv(x))),
    "ReLU in place behind dropout": lambda self, x: (
        lambda y: (lambda z: self.pool(self.written(z)).sum() + y.mean())(self.drop(y))
    )(self.norm(self.conv(x))),
    "overlapping": lambda self, x: F.max_pool2d(self.relu(self.conv(x)), 3, 2),
    "gaps": lambda self, x: F.max_pool2d(self.relu(self.conv(x)), 2, 3),
    "oblong": lambda self, x: F.max_pool2d(self.relu(self.conv(x)), (2, 1)),
    "padding": lambda self, x: F.max_pool2d(self.relu(self.conv(x)), 2, 2, 1),
    "ceil_mode": lambda self, x: F.max_pool2d(self.relu(self.conv(x)), 2, ceil_mode=True),
    "dilation": lambda self, x: F.max_pool2d(self.relu(self.conv(x)), 2, 2, 0, 2),
    "return_indices": lambda self, x: F.max_pool2d(self.relu(self.conv(x)), 2, return_indices=True)[0],
    "average pooling": lambda self, x: F.avg_pool2d(self.relu(self.conv(x)), 2),
    "leaky": lambda self, x: self.pool(F.leaky_relu(self.conv(x), 0.1)),
    "relu6": lambda self, x: self.pool(F.relu6(self.conv(x))),
}  # fmt: skip


@pytest.mark.parametrize("way", ALONE)
def test_other_networks_keep_their_function(way, pictures, same, functions):
    executed = same(net_of(ALONE[way]), pictures)
    if executed.graph is not None:
        assert "conv_pool" not in functions(executed)


KINDS = [
    {"stride": 2}, {"dilation": 2}, {"padding": "same"}, {"padding": "valid"}, {"padding": 1, "padding_mode": "reflect"},
    {"padding": 1, "padding_mode": "circular"}, {"channels": 2, "groups": 2},
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_other_convolutions_keep_their_function(kind, same, functions):
    pictures = torch.randn(3, kind.get("channels", 1), 12, 13, dtype=torch.float64)
    executed = same(net_of(lambda self, x: self.pool(self.relu(self.conv(x))), **kind), pictures)
    assert "conv_pool" not in functions(executed)


def test_a_subclass_of_a_layer_is_not_that_layer(pictures, same, functions):
    class Scaled(nn.Conv2d):
        def forward(self, x):
            return 2 * F.conv2d(x, self.weight, self.bias)

    class Mean(nn.MaxPool2d):
        def forward(self, x):
            return F.avg_pool2d(x, 2)

    conv = nn.Sequential(Scaled(1, 6, 3), nn.MaxPool2d(2), nn.ReLU()).double()
    assert "conv_pool" not in functions(same(conv, pictures))
    pool = nn.Sequential(nn.Conv2d(1, 6, 3), nn.ReLU(), Mean(2)).double()
    assert "conv_pool" not in functions(same(pool, pictures))


def test_weights_that_are_tied_or_parametrised_stay_so(pictures, same):
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.first, self.second = nn.Conv2d(1, 4, 3), nn.Conv2d(1, 4, 3)
            self.second.weight = self.first.weight

        def forward(self, x):
            return F.relu(F.max_pool2d(self.first(x), 2)) - F.relu(F.max_pool2d(self.second(x + 1), 2))

    same(Tied().double(), pictures)
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.MaxPool2d(2), nn.ReLU()).double()
    same(nn.utils.parametrizations.weight_norm(net[0]) and net, pictures)


def test_a_shared_block_is_executed_each_time(pictures, same, functions):
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.block = nn.Sequential(
                nn.Conv2d(1, 1, 3, padding=1), nn.BatchNorm2d(1), nn.ReLU(), nn.MaxPool2d(2)
            )

        def forward(self, x):
            return self.block(self.block(x))

    same(Twice().double(), pictures)


def test_in_place_operators_write_into_the_tensor_that_other_names_stand_for(pictures, same):
    def added(self, x):
        before = y = self.conv(x)
        y += self.conv(x * 2)
        y *= 2
        return y + before  # `before` is y

    def residual(self, x):
        before = self.conv(x)
        y = again = self.norm(before)
        y += before
        return self.pool(y) + again.mean()

    def numbers(self, x):
        height = width = x.shape[2]
        height += 1
        return x.mean(1) * height / width

    def attribute(self, x):
        y = self.conv(x)
        turned = y.mT
        turned *= 2
        return y

    for forward in (added, residual, numbers, attribute):
        executed = same(net_of(forward), pictures, training=(False,) if forward is attribute else (True, False))
        assert executed.graph is not None


@pytest.mark.parametrize("channels", [3, 8])
@pytest.mark.parametrize("out", [4, 12, 24])
def test_few_input_channels(channels, out, same, functions):
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(channels, channels, 1), nn.Conv2d(channels, out, 3, padding=1, stride=1), nn.MaxPool2d(3, 2),
        nn.Conv2d(out, 5, 3, bias=False), nn.Flatten(), nn.LazyLinear(4),
    )  # fmt: skip
    pictures = torch.randn(2, channels, 13, 12).contiguous(memory_format=torch.channels_last)
    net(pictures)
    executed = same(net.double(), pictures.double())
    assert "conv_contiguous" in functions(executed)
    assert ("max_pool_channels_last" in functions(executed)) == (out >= 8)


def test_one_picture_without_a_batch(same):
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 1, 1), nn.Conv2d(1, 12, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(12, 20, 3)
    )
    same(net.double(), torch.randn(1, 12, 12, dtype=torch.float64))


def test_dropout_draws_in_training_and_is_left_out_in_evaluation(functions):
    net = nn.Sequential(nn.Linear(500, 500), nn.Dropout(0.5))
    nn.init.constant_(net[0].bias, 10.0)
    executed = Executed(net, ("dropout_by_bytes",))
    dropped = (executed(torch.randn(8, 500)) == 0).double().mean()
    assert 0.4 < dropped < 0.6
    assert functions(executed) == ["dropout"]
    inputs = torch.randn(8, 500)
    net.eval()
    assert torch.equal(executed(inputs), net(inputs))
    assert not functions(executed)


def test_dropout_of_other_kinds_is_torch_s(same, functions):
    torch.manual_seed(0)
    for layer in (nn.Dropout2d(0.5), nn.AlphaDropout(0.5), nn.Dropout(1.0), nn.Dropout(0.5, inplace=True)):
        net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), layer).double()
        executed = same(net, torch.randn(2, 1, 8, 8, dtype=torch.float64))  # the same seed, so the same mask
        assert "dropout" not in functions(executed.__class__(net.train(), executed.rules))


def test_small_linear_layers_stay_in_float32_under_bf16(functions):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(20, 30), nn.ReLU(), nn.Linear(30, 5, bias=False))
    inputs = torch.randn(7, 20)
    executed = Executed(net, ("small_linear_in_float32",))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        ours, rounded = executed(inputs), net(inputs)
    assert functions(executed) == ["linear_float32"] * 2
    assert ours.dtype == torch.float32
    assert rounded.dtype == torch.bfloat16
    torch.testing.assert_close(ours, net(inputs))
    double = Executed(nn.Sequential(nn.Linear(3, 3)).double(), ("small_linear_in_float32",))
    assert double(torch.ones(1, 3, dtype=torch.float64)).dtype == torch.float64


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_alone_keeps_the_function_and_has_words(rule, same):
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.BatchNorm2d(16), nn.ReLU(True),
        nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.0), nn.Linear(16, 10),
    ).double()  # fmt: skip
    same(net, torch.randn(4, 1, 14, 14, dtype=torch.float64), rules=(rule,))
    assert WORDS[rule].en
    assert WORDS[rule].zh
