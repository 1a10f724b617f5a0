"""What may become a graph, and what must be computed as it is written: every side effect at every call."""

from __future__ import annotations

import collections
import copy
import functools
import math
import random
import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.functional import relu

from etude.train.execution import purity
from etude.train.execution.executed import Executed
from etude.train.execution.rules import RULES

SCALE = 2.0
scale = 2.0
seen: list[int] = []
weight = torch.ones(1)
GAIN = torch.ones(1)
meter = collections.Counter()


class Base(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv1, self.conv2 = nn.Conv2d(1, 4, 3), nn.Conv2d(4, 6, 3)
        self.drop, self.fc = nn.Dropout(0.25), nn.Linear(24, 3)
        self.blocks = nn.ModuleList(nn.Linear(3, 3) for _ in range(3))
        self.register_buffer("count", torch.zeros(()))


class Notebook(Base):
    """As in a learner's notebook."""

    def features(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        return F.max_pool2d(relu(self.conv2(x)), 2)

    def forward(self, x):
        x = self.features(x)
        x = x.view(-1, self.num_flat_features(x))
        x = self.drop(torch.tanh(self.fc(x)))
        for i, block in enumerate(self.blocks):
            x = x + block(x) * SCALE if i else block(x)
        x += math.sqrt(2.0)
        rest = [block(x) for block in self.blocks]
        first, *others = rest
        return torch.cat([first, *others], dim=1)[:, : 2 * 3]

    def num_flat_features(self, x):
        size = x.size()[1:]
        return size[0] * size[1] * size[2]


class Settings(Base):
    """Constants in tuples, functions as settings, static methods, a shape read off, a check of a setting."""

    kind = "tanh"

    def __init__(self):
        super().__init__()
        self.sizes, self.act, self.scale, self.skip = (24, 3), torch.relu, 0.5, None

    @staticmethod
    def squared(x):
        return x**2

    def forward(self, x):
        if self.kind not in ("tanh", "relu"):
            raise ValueError("kind")
        batch, _, _height, _width = x.shape
        x = self.act(F.max_pool2d(self.conv2(F.max_pool2d(self.conv1(x), 2)), 2))
        x = self.fc(x.reshape(batch, self.sizes[0])) * self.scale
        if self.skip is not None:
            x = self.skip(x)
        return self.squared(x) if self.kind == "tanh" else x


class Subclass(nn.Sequential):
    pass


class Counts(Base):
    """A buffer that counts is kept by the graph too."""

    def forward(self, x):
        self.count.add_(1)
        return self.fc(F.max_pool2d(self.conv2(F.max_pool2d(self.conv1(x), 2)), 2).flatten(1)) * self.count


PURE = [Notebook, Settings, Counts, lambda: Subclass(nn.Conv2d(1, 4, 3), nn.ReLU())]


@pytest.mark.parametrize("make", PURE)
def test_ordinary_networks_become_graphs(make, same):
    net = make().double()
    if hasattr(net, "drop"):
        net.drop.p = 0.0
    executed = same(net, torch.randn(2, 1, 14, 14, dtype=torch.float64))
    assert executed.graph is not None


# each remembers in `seen` or `self` how often it was called, or depends on what a graph cannot know
class Prints(Base):
    def forward(self, x):
        print("shape", x.shape)
        return self.conv1(x)


class CountsCalls(Base):
    calls = 0

    def forward(self, x):
        self.calls += 1
        return self.conv1(x) * self.calls


class Appends(Base):
    def __init__(self):
        super().__init__()
        self.history = []

    def forward(self, x):
        self.history.append(1)
        return self.conv1(x) * len(self.history)


class AppendsPrivately(Base):
    def __init__(self):
        super().__init__()
        self._history = collections.deque()

    def forward(self, x):
        self._history.append(1)
        return self.conv1(x) * len(self._history)


class AppendsToDefault(Base):
    def forward(self, x, *, history=[]):  # noqa: B006
        history.append(1)
        return self.conv1(x) * len(history)


class AppendsToClass(Base):
    shared = []

    def forward(self, x):
        self.shared.append(1)
        return self.conv1(x) * len(self.shared)


class AppendsToGlobal(Base):
    def forward(self, x):
        seen.append(1)
        return self.conv1(x)


class Meters(Base):
    def __init__(self):
        super().__init__()
        self.meter = collections.Counter()

    def forward(self, x):
        self.meter.update(["call"])
        return self.conv1(x) * self.meter["call"]


class Inner(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(1, 4, 3)

    def forward(self, x):
        return self.layer(x)

    def encode(self, x):
        seen.append(1)
        return self.layer(x)


class CallsAnothersMethod(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = Inner()

    def forward(self, x):
        return self.inner.encode(x)


class ReadsGlobal(Base):
    def forward(self, x):
        return self.conv1(x) * scale


class ReadsGlobalTensor(Base):
    def forward(self, x):
        return self.conv1(x) * weight.item()


class ReadsCapitalTensor(Base):
    def forward(self, x):
        return self.conv1(x) * GAIN.item()


class SetsGlobal(Base):
    def forward(self, x):
        global scale
        scale = 3.0
        return self.conv1(x)


class Imports(Base):
    def forward(self, x):
        import etude

        return self.conv1(x) * len(etude.__name__)


class Closes(Base):
    def forward(self, x):
        return super().__call__(x) if False else self.conv1(x)


class NoGrad(Base):
    def forward(self, x):
        with torch.no_grad():
            x = self.conv1(x)
        return self.conv2(x)


class NoGradOff(Base):
    def forward(self, x):
        torch.set_grad_enabled(True)
        return self.conv1(x)


class NoGradWrapped(Base):
    @torch.no_grad()
    def forward(self, x):
        return self.conv1(x)


class AsksForGradients(Base):
    def forward(self, x):
        return self.conv1(x) * (2 if torch.is_grad_enabled() else 1)


class Tries(Base):
    def forward(self, x):
        try:
            return self.conv1(x).view(2, -1)
        except RuntimeError:
            return self.conv1(x).reshape(1, -1)


class AsksForType(Base):
    def forward(self, x):
        return self.conv1(x) if isinstance(x, torch.Tensor) else x


class AsksForIdentity(Base):
    def forward(self, x):
        y = self.drop(x)
        return self.conv1(x) if y is x else self.conv1(2 * x)


class Formats(Base):
    def forward(self, x):
        return self.conv1(x) if f"{x.shape[0]}" == "2" else x


class ControlFlow(Base):
    def forward(self, x):
        return self.conv1(x) if x.mean() > 0 else self.conv1(-x)


class ControlFlowOnShape(Base):
    def forward(self, x):
        return self.conv1(x) if x.shape[0] > 1 else self.conv1(-x)


class ControlFlowOnBuffer(Base):
    def forward(self, x):
        self.count.add_(1)
        return self.conv1(x) if self.count > 1 else self.conv1(-x)


class ControlFlowOnParameter(Base):
    def forward(self, x):
        return self.conv1(x) if self.fc.weight.sum() > 0 else self.conv1(-x)


class Draws(Base):
    def forward(self, x):
        return self.conv1(x) * (torch.rand(1).item() + 1)


class DrawsFromPython(Base):
    def forward(self, x):
        return self.conv1(x) * random.random()


class DrawsFromNumPy(Base):
    def forward(self, x):
        return self.conv1(x) * np.random.rand()


class NewTensor(Base):
    def forward(self, x):
        return self.conv1(x) + torch.zeros(1)


class KeepsTensor(Base):
    def __init__(self):
        super().__init__()
        self.total = torch.zeros(1)

    def forward(self, x):
        self.total.add_(1)
        return self.conv1(x) * self.total


class Warns(Base):
    def forward(self, x):
        warnings.warn("called", stacklevel=1)
        return self.conv1(x)


class Calls(Base):
    def __call__(self, x):
        seen.append(1)
        return super().__call__(x)

    def forward(self, x):
        return self.conv1(x)


class Gets(Base):
    def __getattr__(self, name):
        if name == "factor":
            return len(seen)
        return super().__getattr__(name)

    def forward(self, x):
        return self.conv1(x) * self.factor


class HasProperty(Base):
    @property
    def factor(self):
        return len(seen)

    def forward(self, x):
        return self.conv1(x) * self.factor


class Resets(Base):
    def forward(self, x):
        self.conv1.reset_parameters()
        return self.conv1(x)


class SwitchesMode(Base):
    def forward(self, x):
        self.drop.eval()
        return self.drop(self.conv1(x))


class Replaces(Base):
    def forward(self, x):
        self.blocks[0] = nn.Identity()
        return self.conv1(x)


class TakesMask(Base):
    def forward(self, x, mask=None):
        return self.conv1(x) if mask is None else self.conv1(x * mask)


class Function(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        seen.append(1)
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient


class OwnFunction(Base):
    def forward(self, x):
        return Function.apply(self.conv1(x))


class PartialSetting(Base):
    def __init__(self):
        super().__init__()
        self.act = functools.partial(F.leaky_relu, negative_slope=0.2)

    def forward(self, x):
        return self.act(self.conv1(x))


class LambdaThatPrints(Base):
    def __init__(self):
        super().__init__()
        self.act = lambda x: print("act") or x

    def forward(self, x):
        return self.act(self.conv1(x))


IMPURE = [
    found
    for found in list(globals().values())
    if isinstance(found, type)
    and issubclass(found, nn.Module)
    and found.__module__ == __name__
    and found not in (Base, Notebook, Settings, Counts, Subclass, Inner)
]


def tracks(net):
    """All that a call may leave behind, to be compared."""
    states = {name: value for name, value in vars(net).items() if name[0] != "_" or name == "_history"}
    return copy.deepcopy((states, {n: v.tolist() for n, v in net.state_dict().items()}, len(seen), scale))


@pytest.mark.parametrize("kind", IMPURE, ids=lambda kind: kind.__name__)
@pytest.mark.filterwarnings("ignore:called")
def test_what_a_graph_cannot_keep_is_computed_as_it_is(kind, capsys):
    """Three calls give what three calls of the bare module give: in outputs, and in what they leave behind."""
    global scale
    pictures = torch.randn(3, 2, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    ends = []
    for execute in (True, False):
        net = kind()
        scale, kind.calls = 2.0, 0
        seen.clear()
        if hasattr(kind, "shared"):
            kind.shared.clear()
        for function in (kind.forward,):
            for default in (getattr(function, "__kwdefaults__", None) or {}).values():
                default.clear()
        random.seed(0)
        np.random.seed(0)
        torch.manual_seed(0)
        call = Executed(net, tuple(RULES)) if execute else net
        if execute:
            assert call.graph is None
        outputs = []
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            outputs = [call(each) for each in pictures]
        said = capsys.readouterr().out
        ends.append((outputs, tracks(net), said, len(warned), [o.requires_grad for o in outputs]))
    ours, theirs = ends
    for have, want in zip(ours[0], theirs[0]):
        assert torch.equal(have, want)
    assert ours[2:] == theirs[2:]
    assert str(ours[1]) == str(theirs[1]) or kind in (LambdaThatPrints, PartialSetting)


def test_a_closure_and_a_replaced_forward_are_not_read():
    factor = 2.0

    class Local(Base):
        def forward(self, x):
            return self.conv1(x) * factor

    assert Executed(Local(), ()).graph is None
    net = nn.Sequential(nn.Conv2d(1, 4, 3))
    net[0].forward = lambda x: x * 2
    executed = Executed(net, tuple(RULES))
    assert executed.graph is None
    assert torch.equal(executed(torch.ones(1, 1, 4, 4)), torch.full((1, 1, 4, 4), 2.0))


def test_a_parametrised_class_of_a_person_s_own_is_read():
    class Halved(nn.Module):
        def forward(self, x):
            seen.append(1)
            return x / 2

    net = nn.Sequential(nn.Conv2d(1, 4, 3))
    nn.utils.parametrize.register_parametrization(net[0], "weight", Halved())
    executed = Executed(net, tuple(RULES))
    seen.clear()
    for _ in range(3):
        executed(torch.ones(1, 1, 4, 4))
    assert len(seen) >= 3


def test_an_instruction_that_is_not_known_is_not_trusted(monkeypatch):
    assert purity.is_pure(Notebook())
    monkeypatch.setattr(purity, "_STEPS", purity.re.compile("LOAD_FAST$|RETURN_VALUE$"))
    assert not purity.is_pure(Notebook())


@pytest.mark.parametrize(
    "name",
    ["STORE_ATTR", "DELETE_ATTR", "STORE_GLOBAL", "DELETE_GLOBAL", "STORE_SUBSCR", "STORE_SLICE",
     "DELETE_SUBSCR", "STORE_NAME", "IMPORT_NAME", "YIELD_VALUE", "RETURN_GENERATOR", "GET_AWAITABLE", "BEFORE_WITH",
     "LOAD_SPECIAL", "WITH_EXCEPT_START", "PUSH_EXC_INFO", "CHECK_EXC_MATCH", "SETUP_FINALLY", "LOAD_SUPER_ATTR",
     "LOAD_NAME", "LOAD_BUILD_CLASS", "LOAD_FROM_DICT_OR_GLOBALS", "FORMAT_VALUE", "FORMAT_SIMPLE", "MATCH_CLASS",
     "BUILD_TEMPLATE", "BUILD_INTERPOLATION"],
)  # fmt: skip
def test_instructions_with_effects_of_any_python_are_refused(name):
    assert not purity._STEPS.match(name)
