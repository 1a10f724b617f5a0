"""Captured steps: with ``pretend`` the bookkeeping is what it is on a GPU, and training must not notice it."""

from __future__ import annotations

import contextlib
import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from etude.core.errors import EtudeError
from etude.train.cuda_graph import GraphedStep, what_prevents_a_graph
from etude.train.device_rates import DeviceRates

RATES = [0.125, 0.25, 0.0625, 0.25, 0.03125, 0.5]  # all of them are whole in float32
KINDS = [
    lambda groups: torch.optim.SGD(groups, lr=0.5, momentum=0.9, nesterov=True, fused=True),
    lambda groups: torch.optim.SGD(groups, lr=0.5, fused=True),
    lambda groups: torch.optim.Adam(groups, lr=0.5, fused=True),
    lambda groups: torch.optim.AdamW(groups, lr=0.5, weight_decay=0.1, fused=True),
]


class Training:
    """A network with all that has a state, its optimiser, and a step over both."""

    def __init__(self, kind, net: nn.Module | None = None) -> None:
        torch.manual_seed(0)
        self.net = net or nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Dropout(0.4), nn.Linear(8, 3))
        matrices = [p for p in self.net.parameters() if p.ndim > 1]
        others = [p for p in self.net.parameters() if p.ndim == 1]
        self.optimizer = kind([{"params": matrices, "scale": 0.5}, {"params": others, "scale": 1.0}])
        self.total = torch.zeros((), dtype=torch.float64)
        self.sizes: list[int] = []

    def step(self, batch):
        inputs, labels = batch
        self.sizes.append(len(inputs))
        self.optimizer.zero_grad()
        loss = F.cross_entropy(self.net(inputs), labels)
        loss.backward()
        self.optimizer.step()
        self.total += loss.detach()
        return {"model": loss.detach()}

    def graphed(self, example, **options) -> GraphedStep:
        return GraphedStep(
            self.step, example, modules={"model": self.net}, optimizers={"model": self.optimizer},
            others=[self.total], **options,
        )  # fmt: skip

    def plainly(self, batch, rate):
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["scale"]
        return self.step(batch)


def batches(sizes=(8, 8, 5, 8, 8, 2)):
    chance = torch.Generator().manual_seed(1)
    return [(torch.randn(n, 6, generator=chance), torch.randint(3, (n,), generator=chance)) for n in sizes]


def assert_same(one: Training, other: Training) -> None:
    for (name, a), b in zip(one.net.state_dict().items(), other.net.state_dict().values()):
        assert torch.equal(a, b), name
    assert torch.equal(one.total, other.total)
    for p, q in zip(one.net.parameters(), other.net.parameters()):
        mine, theirs = one.optimizer.state[p], other.optimizer.state[q]
        assert mine.keys() == theirs.keys()
        assert all(torch.equal(mine[key], theirs[key]) for key in mine if mine[key] is not None)


@pytest.mark.parametrize("kind", KINDS)
def test_training_is_bit_for_bit_what_it_is_without(kind):
    plain, captured = Training(kind), Training(kind)
    data = batches()
    torch.manual_seed(7)
    expected = [plain.plainly(batch, rate)["model"] for batch, rate in zip(data, RATES)]
    torch.manual_seed(7)
    step = captured.graphed(data[0], pretend=True)
    losses = [step(batch, rate)["model"] for batch, rate in zip(data, RATES)]
    assert step.captured
    assert all(torch.equal(a, b) for a, b in zip(losses, expected))
    assert_same(plain, captured)
    assert torch.equal(torch.rand(3), _after(plain, data))


def _after(plain: Training, data):
    """What the generator gives after the same training once more."""
    other = Training(lambda groups: torch.optim.SGD(groups, lr=0.5))
    torch.manual_seed(7)
    for batch in data:
        other.plainly(batch, 0.1)
    return torch.rand(3)


@pytest.mark.parametrize("kind", KINDS)
def test_it_can_be_made_in_the_middle_of_a_run(kind):
    plain, captured = Training(kind), Training(kind)
    data = batches()
    for training in (plain, captured):
        torch.manual_seed(3)
        for batch in data[:2]:
            training.plainly(batch, 0.25)
    state = torch.get_rng_state()
    for batch in data[2:]:
        plain.plainly(batch, 0.125)
    torch.set_rng_state(state)
    step = captured.graphed(data[3], pretend=True)
    for batch in data[2:]:
        step(batch, 0.125)
    assert_same(plain, captured)


def test_making_it_changes_nothing_and_leaves_no_gradients():
    training = Training(KINDS[0])
    before = copy.deepcopy(training.net.state_dict())
    pointers = [p.data_ptr() for p in training.net.parameters()]
    torch.manual_seed(5)
    step = training.graphed(batches()[0], pretend=True)
    assert torch.equal(torch.rand(1), torch.rand(1, generator=torch.Generator().manual_seed(5)))
    assert len(training.sizes) == 3  # it did warm up
    assert all(torch.equal(before[name], tensor) for name, tensor in training.net.state_dict().items())
    assert [p.data_ptr() for p in training.net.parameters()] == pointers
    assert all(p.grad is None for p in training.net.parameters())
    assert training.total == 0
    assert step.reason is None


def test_batches_and_losses_of_the_caller_stay_their_own():
    training, data = Training(KINDS[0]), batches((8, 8, 8))
    kept = copy.deepcopy(data)
    step = training.graphed(data[0], pretend=True)
    losses = [step(batch, 0.25)["model"] for batch in data]
    values = [loss.item() for loss in losses]
    assert len(set(values)) == 3
    assert len({loss.data_ptr() for loss in losses}) == 3
    assert all(torch.equal(a, b) for mine, theirs in zip(data, kept) for a, b in zip(mine, theirs))


def test_other_shapes_and_types_do_not_fit():
    step = Training(KINDS[0]).graphed(batches()[0], pretend=True)
    inputs, labels = batches()[0]
    assert step.fits((inputs, labels))
    assert not step.fits((inputs[:5], labels[:5]))
    assert not step.fits((inputs.double(), labels))
    assert not step.fits((inputs,))


def test_without_cuda_it_trains_in_the_ordinary_way_and_says_why():
    plain, other = Training(KINDS[2]), Training(KINDS[2])
    data = batches()
    torch.manual_seed(7)
    for batch, rate in zip(data, RATES):
        plain.plainly(batch, rate)
    torch.manual_seed(7)
    step = other.graphed(data[0])
    for batch, rate in zip(data, RATES):
        step(batch, rate)
    assert not step.captured
    assert "CUDA" in step.reason.en
    assert all(isinstance(group["lr"], float) for group in other.optimizer.param_groups)
    assert_same(plain, other)


@pytest.mark.parametrize(
    "kind",
    [
        lambda groups: torch.optim.SGD(groups, lr=0.1),
        lambda groups: torch.optim.RMSprop(groups, lr=0.1),
        lambda groups: torch.optim.Adagrad(groups, lr=0.1, fused=True),
    ],
)
def test_optimisers_that_a_gpu_cannot_gate_are_not_captured(kind):
    training = Training(kind)
    reason = what_prevents_a_graph({"model": training.net}, {"model": training.optimizer})
    assert type(training.optimizer).__name__ in reason.en
    step = training.graphed(batches()[0], pretend=True)
    assert not step.captured
    assert training.sizes == []
    assert step(batches()[0], 0.1)["model"].isfinite()


def test_a_step_that_cannot_be_captured_is_made_without_and_nothing_is_lost():
    plain, broken = Training(KINDS[0]), Training(KINDS[0])
    data, calls = batches((8, 8)), []

    def step(batch):
        calls.append(len(batch))
        losses = Training.step(broken, batch)
        if len(calls) == 2:
            raise RuntimeError("operation not permitted when stream is capturing")
        return losses

    torch.manual_seed(7)
    graphed = GraphedStep(
        step, data[0], modules={"model": broken.net}, optimizers={"model": broken.optimizer},
        others=[broken.total], pretend=True,
    )  # fmt: skip
    assert not graphed.captured
    assert "not permitted" in graphed.reason.en
    assert "not permitted" in graphed.reason.zh
    for batch in data:
        graphed(batch, 0.25)
    torch.manual_seed(7)
    for batch in data:
        plain.plainly(batch, 0.25)
    assert_same(plain, broken)


def test_errors_for_people_are_passed_on_with_everything_put_back():
    training = Training(KINDS[0])
    before = copy.deepcopy(training.net.state_dict())

    def step(batch):
        Training.step(training, batch)
        raise EtudeError(en="The labels do not fit.", zh="标签不符。")

    with pytest.raises(EtudeError, match="labels"):
        GraphedStep(
            step, batches()[0], modules={"model": training.net}, optimizers={"model": training.optimizer},
            pretend=True,
        )  # fmt: skip
    assert all(torch.equal(before[name], tensor) for name, tensor in training.net.state_dict().items())
    assert all(isinstance(group["lr"], float) for group in training.optimizer.param_groups)


def test_closed_it_goes_on_in_the_ordinary_way():
    plain, captured = Training(KINDS[3]), Training(KINDS[3])
    data = batches()
    torch.manual_seed(7)
    for batch, rate in zip(data, RATES):
        plain.plainly(batch, rate)
    torch.manual_seed(7)
    step = captured.graphed(data[0], pretend=True)
    for place, (batch, rate) in enumerate(zip(data, RATES)):
        if place == 3:
            step.close()
            assert not step.captured
        step(batch, rate)
    assert all(isinstance(group["lr"], float) for group in captured.optimizer.param_groups)
    assert_same(plain, captured)


def test_rates_are_scaled_tensors_of_one_number():
    training = Training(KINDS[0])
    rates = DeviceRates([training.optimizer])
    rates.set(0.3)
    held = [group["lr"] for group in training.optimizer.param_groups]
    assert [t.item() for t in held] == pytest.approx([0.15, 0.3])
    rates.set(0.1)
    assert [t.item() for t in held] == pytest.approx([0.05, 0.1])  # the same tensors, which a graph would read
    rates.close()
    assert [group["lr"] for group in training.optimizer.param_groups] == pytest.approx([0.05, 0.1])


class FakeCuda:
    """What `GraphedStep` asks of ``torch.cuda``, written down; the kernels run on the CPU."""

    def __init__(self, monkeypatch) -> None:
        self.log: list[str] = []
        self.current = self.Stream("first")
        self.debug_mode = 0
        for name in (
            "current_stream",
            "stream",
            "graph",
            "set_stream",
            "get_sync_debug_mode",
            "set_sync_debug_mode",
        ):
            monkeypatch.setattr(torch.cuda, name, getattr(self, name))
        monkeypatch.setattr(torch.cuda, "device", lambda device: contextlib.nullcontext())
        monkeypatch.setattr(torch.cuda, "Stream", lambda device: self.Stream("side"))
        monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: self)

    class Stream:
        def __init__(self, name: str) -> None:
            self.name = name

        def wait_stream(self, other) -> None:
            pass

    def current_stream(self, device):
        return self.current

    def set_stream(self, stream) -> None:
        self.current = stream

    @contextlib.contextmanager
    def stream(self, stream):
        before, self.current = self.current, stream
        yield
        self.current = before

    @contextlib.contextmanager
    def graph(self, graph, stream, capture_error_mode):
        assert graph is self
        assert capture_error_mode == "thread_local"
        self.log.append("capture")
        self.current = stream
        yield  # as torch's: after an error the stream stays
        self.log.append("captured")
        self.current = FakeCuda.Stream("first")

    def replay(self) -> None:
        self.log.append("replay")

    def get_sync_debug_mode(self) -> int:
        return self.debug_mode

    def set_sync_debug_mode(self, mode) -> None:
        self.debug_mode = mode


def capture_with(fake: FakeCuda, training: Training, fails: bool = False):
    """`GraphedStep._capture`, as it runs where the batch is on a GPU; what each call of the step found."""
    found = []

    def step(batch):
        parameters = list(training.net.parameters())
        capturing = fake.log[-1:] == ["capture"]
        flags = [group.get("capturable") for group in training.optimizer.param_groups]
        clean = all(p.grad is None for p in parameters)
        found.append((capturing, fake.current.name, fake.debug_mode, flags, clean))
        if capturing and fails:
            raise RuntimeError("operation failed due to a previous error during capture")
        return training.step(batch)

    graphed = GraphedStep(
        training.step, batches()[0], modules={"model": training.net}, optimizers={"model": training.optimizer}
    )
    graphed._step = step
    return graphed, found


def test_the_capture_follows_a_warm_up_on_the_same_stream(monkeypatch):
    fake, training = FakeCuda(monkeypatch), Training(KINDS[2])
    graphed, found = capture_with(fake, training)
    replay = graphed._capture()
    *warm_up, capture = found
    assert len(warm_up) >= 2
    assert all(not each[0] and each[3] == [False, False] for each in warm_up)
    assert {each[1] for each in found} == {"side"}
    assert [each[2] for each in warm_up][-1] == "error"  # one that waits is found before it is too late
    assert capture[0]
    assert capture[3] == [True, True]  # else torch's Adam refuses
    assert capture[4]  # gradients of before would be in memory that the graph does not own
    assert (fake.debug_mode, fake.current.name) == (0, "first")
    assert all(group["capturable"] is False for group in training.optimizer.param_groups)
    replay()
    assert fake.log == ["capture", "captured", "replay"]


def test_after_a_capture_that_failed_everything_about_it_is_as_before(monkeypatch):
    fake, training = FakeCuda(monkeypatch), Training(KINDS[2])
    graphed, found = capture_with(fake, training, fails=True)
    with pytest.raises(RuntimeError, match="during capture"):
        graphed._capture()
    assert found[-1][0]
    assert (fake.debug_mode, fake.current.name) == (0, "first")
    assert all(group["capturable"] is False for group in training.optimizer.param_groups)
