"""What a person changes while training goes on has its effect at the next step, as on the bare module."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from etude.train.execution.executed import Executed
from etude.train.execution.rules import RULES


class Net(nn.Module):
    slope = 1.0

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.temperature, self.shape = 1.0, (-1, 16)
        self.body = nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.BatchNorm2d(4), nn.Dropout(0.0)
        )
        self.register_buffer("shift", torch.zeros(()))
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x):
        return self.body(x).reshape(self.shape) * self.scale / self.temperature + self.shift * self.slope


def _heat(net):
    net.temperature *= 0.5


def _reshape(net):
    net.shape = (-1, 4, 4)


def _replace(net):
    net.body[1] = nn.Tanh()


def _append(net):
    net.body.append(nn.Hardtanh())


def _shift(net):
    net.shift = torch.tensor(3.0)


def _shift_in_place(net):
    net.shift.add_(2.0)


def _rescale(net):
    net.scale = nn.Parameter(torch.tensor(4.0))


def _load(net):
    net.load_state_dict({name: t + 1 for name, t in net.state_dict().items()})


def _dilate(net):
    net.body[0].padding = (1, 1)
    net.body[0].dilation = (2, 2)


def _pool_otherwise(net):
    net.body[2].kernel_size = net.body[2].stride = (4, 1)


def _bias_off(net):
    net.body[0].bias = None


def _patch(net):
    net.forward = lambda x: net.body(x) * 7


def _patch_layer(net):
    net.body[1].forward = lambda x: x - 1


def _slope_of_class(net):
    Net.slope = 2.0
    net.shift.fill_(1.0)


def _thaw(net):
    net.body[3].eval()


CHANGES = [
    _heat, _reshape, _replace, _append, _shift, _shift_in_place, _rescale, _load, _dilate, _pool_otherwise, _bias_off,
    _patch, _patch_layer, _slope_of_class, _thaw,
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__[1:])
def test_a_change_is_heeded(change, monkeypatch):
    monkeypatch.setattr(Net, "slope", 1.0)
    net = Net()
    executed = Executed(net, tuple(RULES))
    pictures = torch.randn(2, 1, 10, 10)
    assert executed.graph is not None
    before = executed(pictures)
    change(net)
    with torch.no_grad():
        after = net(pictures)
        assert after.shape != before.shape or not torch.allclose(after, before)  # the change matters
        torch.testing.assert_close(executed(pictures), after)


def test_dropout_changes_its_rate():
    net = nn.Sequential(nn.Identity(), nn.Dropout(0.1))
    executed = Executed(net, tuple(RULES))
    ones = torch.ones(100_000)
    torch.manual_seed(0)
    assert abs((executed(ones) == 0).double().mean() - 0.1) < 0.01
    net[1].p = 0.6
    assert abs((executed(ones) == 0).double().mean() - 0.6) < 0.01
    net.eval()
    assert torch.equal(executed(ones), ones)
    net[1].train()  # as somebody does who wants its uncertainty
    assert abs((executed(ones) == 0).double().mean() - 0.6) < 0.01


def test_hooks_are_called_while_they_are_there():
    net = Net()
    executed = Executed(net, tuple(RULES))
    pictures = torch.randn(2, 1, 10, 10)
    executed(pictures)
    forward, backward = [], []
    handles = [
        net.body[0].register_forward_hook(lambda *_: forward.append(1)),
        net.body[1].register_full_backward_hook(lambda *_: backward.append(1)),
    ]
    for _ in range(2):
        executed(pictures).sum().backward()
    assert (len(forward), len(backward)) == (2, 2)
    for handle in handles:
        handle.remove()
    executed(pictures)
    assert len(forward) == 2
    assert executed.graph is not None


def test_graphs_of_a_setting_that_changes_at_every_step_do_not_pile_up():
    net = Net()
    executed = Executed(net, tuple(RULES))
    pictures = torch.randn(2, 1, 10, 10)
    for step in range(1, 40):
        net.temperature = float(step)
        torch.testing.assert_close(executed(pictures), net(pictures))
    assert len(executed._graphs) < 20


def test_the_same_graph_serves_as_long_as_nothing_changes():
    net = Net()
    executed = Executed(net, tuple(RULES))
    first = executed.graph
    net.eval()
    second = executed.graph
    net.train()
    assert executed.graph is first is not second


def test_a_layer_that_is_the_whole_network(same):
    torch.manual_seed(0)
    same(nn.Linear(5, 2).double(), torch.randn(3, 5, dtype=torch.float64))
    same(nn.BatchNorm1d(5).double(), torch.randn(3, 5, dtype=torch.float64))
    same(nn.Sequential(nn.ReLU()), torch.randn(3, 5))


def test_a_layer_with_several_outputs(same):
    class Recurrent(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.lstm, self.fc = nn.LSTM(5, 4, batch_first=True), nn.Linear(4, 2)

        def forward(self, x):
            outputs, _ = self.lstm(x)
            return self.fc(outputs[:, -1])

    executed = same(Recurrent().double(), torch.randn(3, 6, 5, dtype=torch.float64))
    assert executed.graph is not None


def test_several_inputs_go_to_the_module():
    class Two(nn.Module):
        def forward(self, x, y):
            return x + y

    assert Executed(Two(), tuple(RULES))(torch.ones(1), torch.ones(1)).item() == 2
