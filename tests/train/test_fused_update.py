"""The update from lists made once against torch's own step, bit for bit."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from etude.tasks.classification import Classification
from etude.train.checkpoint import load_checkpoint, save_checkpoint
from etude.train.fused_update import FusedUpdate
from etude.train.recipe import Recipe
from etude.train.state import State

KINDS = {
    "sgd": lambda groups: torch.optim.SGD(groups, lr=0.1, fused=True),
    "momentum": lambda groups: torch.optim.SGD(groups, lr=0.1, momentum=0.9, dampening=0.1, fused=True),
    "nesterov": lambda groups: torch.optim.SGD(groups, lr=0.1, momentum=0.9, nesterov=True, fused=True),
    "adam": lambda groups: torch.optim.Adam(groups, lr=0.01, betas=(0.8, 0.95), fused=True),
    "adamw": lambda groups: torch.optim.AdamW(groups, lr=0.01, fused=True),
    "adagrad": lambda groups: torch.optim.Adagrad(groups, lr=0.05, lr_decay=0.1, fused=True),
}


def make(kind: str) -> tuple[nn.Module, torch.optim.Optimizer]:
    """A network with one matrix of more than 65,536 elements, its matrices decayed."""
    torch.manual_seed(3)
    net = nn.Sequential(nn.Linear(19, 260), nn.Tanh(), nn.Linear(260, 260), nn.Tanh(), nn.Linear(260, 3))
    groups = [
        {"params": [p for p in net.parameters() if p.ndim > 1], "weight_decay": 0.02},
        {"params": [p for p in net.parameters() if p.ndim < 2], "weight_decay": 0.0},
    ]
    return net, KINDS[kind](groups)


def backward(net: nn.Module, step: int) -> None:
    chance = torch.Generator().manual_seed(step)
    inputs, labels = torch.randn(8, 19, generator=chance), torch.randint(0, 3, (8,), generator=chance)
    F.cross_entropy(net(inputs), labels).backward()


def train(kind: str, by_lists: bool, steps: range, between=lambda step, net, optimizer: None):
    """``steps`` updates with changing learning rates; ``between`` is called when the gradients are there."""
    net, optimizer = make(kind)
    update = FusedUpdate(optimizer) if by_lists else optimizer
    for step in steps:
        for group in optimizer.param_groups:
            group["lr"] = 0.01 * (1 + step % 5)
        update.zero_grad()
        backward(net, step)
        between(step, net, optimizer)
        update.step()
    return net, optimizer


def assert_equal(one, other) -> None:
    (net_one, optimizer_one), (net_other, optimizer_other) = one, other
    assert all(map(torch.equal, net_one.parameters(), net_other.parameters()))
    first, second = optimizer_one.state_dict(), optimizer_other.state_dict()
    assert first["param_groups"] == second["param_groups"]
    assert first["state"].keys() == second["state"].keys()
    for key, memory in first["state"].items():
        assert memory.keys() == second["state"][key].keys()
        for name, value in memory.items():
            theirs = second["state"][key][name]
            assert (value.dtype, value.shape) == (theirs.dtype, theirs.shape)
            assert torch.equal(value, theirs), (key, name)


@pytest.mark.parametrize("kind", KINDS)
def test_equals_torch_bit_for_bit(kind):
    assert_equal(train(kind, True, range(20)), train(kind, False, range(20)))


@pytest.mark.parametrize("kind", KINDS)
def test_skips_what_has_no_gradient_as_torch_does(kind):
    def drop(step: int, net: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        if step in (4, 5, 9):
            net[2].weight.grad = None
            net[0].bias.grad = None
        if step == 9:
            net[4].bias.grad = None
        if step == 11:
            for p in net.parameters():
                p.grad = None

    theirs = train(kind, False, range(16), drop)
    assert_equal(train(kind, True, range(16), drop), theirs)
    untouched, _ = train(kind, False, range(16))
    assert not torch.equal(theirs[0][0].bias, untouched[0].bias)


@pytest.mark.parametrize("kind", ["sgd", "adam", "adamw", "adagrad"])
def test_a_first_gradient_may_come_late(kind):
    def drop(step: int, net: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        if step < 4:
            net[2].weight.grad = None

    assert_equal(train(kind, True, range(8), drop), train(kind, False, range(8), drop))


@pytest.mark.parametrize("kind", KINDS)
def test_notices_a_state_that_is_loaded(kind):
    _, earlier = train(kind, False, range(30, 33))
    saved = earlier.state_dict()

    def load(step: int, net: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        if step == 10:
            optimizer.load_state_dict(copy.deepcopy(saved))

    theirs = train(kind, False, range(20), load)
    assert_equal(train(kind, True, range(20), load), theirs)
    if kind not in ("sgd",):  # plain SGD has no memory
        assert any(
            not torch.equal(a, b)
            for a, b in zip(theirs[0].parameters(), train(kind, False, range(20))[0].parameters())
        )


def test_notices_a_memory_that_is_put_in_place_of_another():
    def forget(step: int, net: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        if step == 6:
            weight = net[0].weight
            optimizer.state[weight] = {
                name: torch.ones_like(old) for name, old in optimizer.state[weight].items()
            }
        if step == 9:
            del optimizer.state[net[4].bias]

    assert_equal(train("adamw", True, range(12), forget), train("adamw", False, range(12), forget))


def test_notices_a_group_that_is_added():
    def run(by_lists: bool):
        net, optimizer = make("adamw")
        more = nn.Parameter(torch.ones(5))
        update = FusedUpdate(optimizer) if by_lists else optimizer
        for step in range(6):
            update.zero_grad()
            backward(net, step)
            (more.sin().sum() * 3).backward()
            if step == 3:
                optimizer.add_param_group({"params": [more], "weight_decay": 0.5})
            update.step()
        return nn.ParameterList([*net.parameters(), more]), optimizer

    assert_equal(run(True), run(False))


@pytest.mark.parametrize("kind", ["sgd", "nesterov", "adamw"])
def test_reads_all_settings_at_every_step(kind):
    def change(step: int, net: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        first = optimizer.param_groups[0]
        first["weight_decay"] = 0.01 * step
        if kind == "adamw":
            first["betas"] = (0.9 - 0.02 * step, 0.99)
        elif kind == "nesterov":
            first["momentum"] = 0.9 - 0.02 * step
        elif step >= 5:  # momentum begins in the middle of training
            first["momentum"] = 0.5

    assert_equal(train(kind, True, range(12), change), train(kind, False, range(12), change))


@pytest.mark.parametrize("kind", KINDS)
def test_an_update_can_be_withheld_and_gradients_scaled(kind):
    """As `torch.amp.GradScaler` and the loop on CUDA ask for it."""

    def gate(step: int, net: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        optimizer.found_inf = torch.tensor(float(step in (3, 4, 8)))
        optimizer.grad_scale = torch.tensor(2.0) if step > 5 else None

    theirs = train(kind, False, range(11), gate)
    assert_equal(train(kind, True, range(11), gate), theirs)
    if kind in ("adam", "adamw", "adagrad"):
        assert {int(memory["step"]) for memory in theirs[1].state.values()} == {8}


def test_memory_is_the_optimisers_own():
    net, optimizer = make("adamw")
    update = FusedUpdate(optimizer)
    backward(net, 0)
    update.step()
    means = {id(memory["exp_avg"]): memory["exp_avg"].clone() for memory in optimizer.state.values()}
    update.step()
    after = {id(memory["exp_avg"]): memory["exp_avg"] for memory in optimizer.state.values()}
    assert after.keys() == means.keys()
    assert not any(torch.equal(after[each], means[each]) for each in means)


def test_zero_grad_leaves_no_gradient():
    net, optimizer = make("adamw")
    backward(net, 0)
    assert all(p.grad is not None for p in net.parameters())
    FusedUpdate(optimizer).zero_grad()
    assert all(p.grad is None for p in net.parameters())


@pytest.mark.parametrize("threads", [1, 2])
def test_the_number_of_threads_is_as_before(threads):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        net, optimizer = make("adamw")
        update = FusedUpdate(optimizer)
        for step in range(3):
            backward(net, step)
            update.step()
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)


def test_a_checkpoint_holds_what_torch_would_have_left(tmp_path):
    """Written after updates from lists, read into a run whose updates are torch's own."""

    def begin(seed: int) -> State:
        torch.manual_seed(seed)
        net = nn.Sequential(nn.Flatten(), nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3))
        return State.begin(Classification(net, ("a", "b", "c")), Recipe(optimizer="adamw", device="cpu"), 10)

    def go_on(state: State, update, steps: range) -> list[Tensor]:
        net = next(iter(state.task.modules.values()))
        for step in steps:
            update.zero_grad()
            chance = torch.Generator().manual_seed(step)
            net(torch.randn(4, 6, generator=chance)).square().sum().backward()
            update.step()
        return list(net.parameters())

    state, other = begin(0), begin(1)
    (optimizer,), (others,) = state.optimizers.values(), other.optimizers.values()
    assert FusedUpdate.suits(optimizer)
    update = FusedUpdate(optimizer)
    go_on(state, update, range(5))
    save_checkpoint(tmp_path, state, {})
    expected = [p.detach().clone() for p in go_on(state, update, range(5, 9))]
    load_checkpoint(tmp_path, other)
    assert all(map(torch.equal, go_on(other, others, range(5, 9)), expected))
    load_checkpoint(tmp_path, state)
    assert all(map(torch.equal, go_on(state, update, range(5, 9)), expected))


@pytest.mark.parametrize("kind", KINDS)
def test_suits_torchs_own_with_nothing_unusual(kind):
    assert FusedUpdate.suits(make(kind)[1])


class Twice(torch.optim.AdamW):
    def step(self, closure=None):
        super().step()
        return super().step()


def test_does_not_suit_what_does_more():
    weights = [nn.Parameter(torch.ones(3))]
    hooked = torch.optim.AdamW(weights, fused=True)
    hooked.register_step_post_hook(lambda *_: None)
    scheduled = torch.optim.AdamW(weights, fused=True)
    torch.optim.lr_scheduler.ConstantLR(scheduled)
    mixed = [*weights, nn.Parameter(torch.ones(3, dtype=torch.float64))]
    for unusual in (
        hooked,
        scheduled,
        Twice(weights, fused=True),
        torch.optim.AdamW(weights),
        torch.optim.AdamW(weights, fused=True, amsgrad=True),
        torch.optim.SGD(weights, fused=True, maximize=True),
        torch.optim.Adam(mixed, fused=True),
        torch.optim.RMSprop(weights),
    ):
        assert not FusedUpdate.suits(unusual)
    with pytest.raises(TypeError):
        FusedUpdate(torch.optim.RMSprop(weights))


@pytest.mark.parametrize("change", ["raises", "adds", "does nothing"])
def test_does_not_suit_a_torch_whose_kernel_is_another(monkeypatch, change):
    """Another kernel than the optimiser's own step calls: its private name keeps, its meaning does not."""
    _, optimizer = make("adamw")
    own = torch._fused_adamw_

    def other(*args, **settings):
        if change == "raises":
            raise TypeError("unexpected keyword argument")
        if change == "adds":
            own(*args, **settings)
            args[0][0].add_(1e-6)

    class Torch:
        _fused_adamw_ = staticmethod(other)

        def __getattr__(self, name: str):
            return getattr(torch, name)

    assert FusedUpdate.suits(optimizer)
    monkeypatch.setattr("etude.train.fused_kernels.torch", Torch())
    assert not FusedUpdate.suits(optimizer)
