"""The loop against loops written out by hand."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset, TensorDataset

from etude.core.errors import EtudeError, NonFiniteLoss
from etude.data.batches import ImageBatches, epoch_order
from etude.tasks.classification import Classification
from etude.train.fit import Epoch, Step, fit
from etude.train.recipe import Recipe
from etude.train.state import State


def losses_of(records) -> list[float]:
    return [r.losses["model"].item() for r in records if isinstance(r, Step)]


def by_hand(net, data, optimizer, epochs, batch_size, seed, scheduler=None, smoothing=0.0) -> list[float]:
    """What a learner would write: pictures normalised in float32, one loop, nothing of the engine."""
    images, labels = torch.from_numpy(data.train.images), torch.from_numpy(data.train.labels)
    scale = torch.tensor([1 / (255 * s) for s in data.std], dtype=torch.float64).float().view(1, -1, 1, 1)
    shift = (
        torch.tensor([m / s for m, s in zip(data.mean, data.std)], dtype=torch.float64)
        .float()
        .view(1, -1, 1, 1)
    )
    losses = []
    for epoch in range(epochs):
        net.train()
        order = torch.from_numpy(epoch_order(len(labels), seed, epoch))
        for rows in order.split(batch_size):
            if len(rows) == 1:
                continue
            optimizer.zero_grad()
            loss = F.cross_entropy(
                net(images[rows].float() * scale - shift), labels[rows], label_smoothing=smoothing
            )
            loss.backward()
            optimizer.step()
            if scheduler:
                scheduler.step()
            losses.append(loss.item())
    return losses


def test_plain_sgd_equals_a_hand_written_loop_to_the_last_bit(data, make):
    ours, theirs = make.net(dropout=0.3), make.net(dropout=0.3)
    recipe = Recipe(
        epochs=3, batch_size=16, optimizer="sgd", momentum=0.9, learning_rate=0.05, schedule="constant", weight_decay=0,
        engine="plain", seed=5,
    )  # fmt: skip
    torch.manual_seed(7)
    measured = losses_of(fit(Classification(ours), data, recipe))
    torch.manual_seed(7)
    sgd = torch.optim.SGD(theirs.parameters(), lr=0.05, momentum=0.9, nesterov=True)
    expected = by_hand(theirs, data, sgd, 3, 16, seed=5)
    assert measured == expected
    assert len(measured) == 3 * 10
    for a, b in zip(ours.state_dict().values(), theirs.state_dict().values()):
        assert torch.equal(a, b)


def test_plain_adamw_one_cycle_equals_a_hand_written_loop_to_the_last_bit(data, make):
    ours, theirs = make.net(), make.net()
    recipe = Recipe(
        epochs=2, batch_size=32, learning_rate=0.01, weight_decay=0.05, label_smoothing=0.1, engine="plain"
    )
    measured = losses_of(fit(Classification(ours, label_smoothing=0.1), data, recipe))
    decayed = [p for p in theirs.parameters() if p.ndim >= 2]
    spared = [p for p in theirs.parameters() if p.ndim < 2]
    adamw = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": 0.05}, {"params": spared, "weight_decay": 0.0}], lr=0.01
    )
    cycle = torch.optim.lr_scheduler.OneCycleLR(adamw, 0.01, total_steps=10, cycle_momentum=False)
    assert measured == by_hand(theirs, data, adamw, 2, 32, seed=0, scheduler=cycle, smoothing=0.1)


def test_the_fast_engine_computes_the_same_to_rounding(data, make):
    recipe = {"epochs": 2, "batch_size": 32, "learning_rate": 0.01, "precision": "float32"}
    plain = losses_of(fit(Classification(make.net()), data, Recipe(engine="plain", **recipe)))
    fast = losses_of(fit(Classification(make.net()), data, Recipe(engine="auto", **recipe)))
    assert fast == pytest.approx(plain, rel=1e-3)


def test_bf16_trains_too(data, make):
    recipe = Recipe(epochs=8, batch_size=16, learning_rate=0.01, precision="bf16")
    last = [r for r in fit(Classification(make.net()), data, recipe) if isinstance(r, Epoch)][-1]
    assert last.validation["accuracy"] > 0.9


def test_a_person_s_own_loader_is_used_as_it_is(data, make):
    images = torch.from_numpy(data.train.images).float() / 255
    own = TensorDataset(images, torch.from_numpy(data.train.labels))
    recipe = Recipe(
        epochs=2,
        optimizer="sgd",
        momentum=0,
        learning_rate=0.1,
        schedule="constant",
        weight_decay=0,
        engine="plain",
    )
    net, twin = make.net(), make.net()
    measured = losses_of(
        fit(
            Classification(net),
            DataLoader(own, 25, shuffle=True, generator=torch.Generator().manual_seed(3)),
            recipe,
        )
    )
    expected, optimizer = [], torch.optim.SGD(twin.parameters(), lr=0.1)
    loader = DataLoader(own, 25, shuffle=True, generator=torch.Generator().manual_seed(3))
    for _ in range(2):
        for inputs, labels in loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(twin(inputs), labels)
            loss.backward()
            optimizer.step()
            expected.append(loss.item())
    assert measured == expected


def test_a_person_s_own_dataset_sees_every_example_once_an_epoch(make):
    class Squares(Dataset):
        def __len__(self):
            return 21

        def __getitem__(self, index):
            return torch.full((1, 12, 12), float(index)), index % 3

    seen = []
    net = make.net()
    net.register_forward_pre_hook(lambda _, inputs: seen.extend(inputs[0][:, 0, 0, 0].tolist()))
    recipe = Recipe(epochs=1, batch_size=4, learning_rate=1e-4)
    records = list(fit(Classification(net), Squares(), recipe))
    assert sorted(seen) == [float(i) for i in range(20 + 1) if float(i) in seen]
    assert len(seen) == 20  # 21 in fours: the last batch would hold one example, which batch norm cannot take
    assert records[-1].validation is None


def test_the_order_is_a_permutation_that_depends_on_seed_and_epoch():
    orders = {(seed, epoch): tuple(epoch_order(50, seed, epoch)) for seed in (0, 1) for epoch in (0, 1)}
    assert all(sorted(order) == list(range(50)) for order in orders.values())
    assert len(set(orders.values())) == 4


def test_nothing_leaks_to_the_caller(data, make):
    recipe = Recipe(epochs=1, batch_size=32, precision="bf16", evaluate_every=2, ema=0.9)
    for record in fit(Classification(make.net()), data, recipe):
        assert torch.is_grad_enabled()
        assert not torch.is_inference_mode_enabled()
        assert not torch.is_autocast_enabled("cpu")
        if isinstance(record, Step):
            assert not record.losses["model"].requires_grad


def test_a_loss_that_is_not_finite_stops_before_the_update(data, make):
    net = make.net()
    net[-1].weight.data[0, 0] = float("inf")
    before = copy.deepcopy(dict(net.named_parameters()))
    with pytest.raises(NonFiniteLoss, match="step 1"):
        next(fit(Classification(net), data, Recipe(epochs=1)))
    for name, parameter in net.named_parameters():
        assert torch.equal(parameter, before[name]), name


def test_the_flag_read_later_lets_no_update_through(data, make):
    """The way of a GPU, on the CPU: fused kernels heed the flag, and the loop reads it at the epoch's end."""
    net = make.net()
    task = Classification(net)
    state = State.begin(task, Recipe(epochs=1, batch_size=15, learning_rate=0.01), 10)
    state.checks_late = True
    records = fit(task, data, state=state)
    for _ in range(3):
        next(records)
    weights = copy.deepcopy([p.detach() for p in net.parameters()])
    poison = net[0].register_forward_hook(lambda *a: a[-1] * float("inf"))
    next(records)
    poison.remove()
    for _ in range(2):  # finite again, and still nothing moves
        next(records)
    for parameter, before in zip(net.parameters(), weights):
        assert torch.equal(parameter, before)
    with pytest.raises(NonFiniteLoss):
        list(records)


@pytest.mark.parametrize("shape", [(4, 3, 2), (4,), (5, 3)])
def test_logits_of_a_wrong_shape_are_refused(shape):
    task = Classification(torch.nn.Identity())
    with pytest.raises(EtudeError, match="logits"):
        next(iter(task.parts((torch.zeros(shape), torch.zeros(4, dtype=torch.int64))))).loss()


def test_labels_beyond_the_classes_are_told():
    task = Classification(torch.nn.Identity())
    with pytest.raises(EtudeError, match="num_classes=8"):
        next(iter(task.parts((torch.zeros(2, 3), torch.tensor([0, 7]))))).loss()


def test_early_stopping_stops_and_the_best_weights_are_kept(data, make):
    task = Classification(make.net())
    recipe = Recipe(
        epochs=50, batch_size=16, learning_rate=0.02, early_stopping=2, schedule="constant", precision="float32"
    )
    state = State.begin(task, recipe, 10)
    epochs = [r for r in fit(task, data, state=state) if isinstance(r, Epoch)]
    assert len(epochs) < 50
    scores = [(e.validation["accuracy"], -e.validation["loss"]) for e in epochs]
    best = max(range(len(scores)), key=scores.__getitem__)
    assert len(epochs) == best + 1 + 2
    assert [e.improved for e in epochs] == [all(scores[i] > s for s in scores[:i]) for i in range(len(scores))]
    state.keep_final_weights()
    task.model.eval()
    with torch.inference_mode():
        again = task.evaluate(ImageBatches(data, 16, 0).validation)
    assert again["accuracy"] == epochs[best].validation["accuracy"]
    assert again["loss"] == pytest.approx(epochs[best].validation["loss"], rel=1e-6)


def test_the_average_is_what_its_formula_says(data, make):
    net = make.net()
    recipe = Recipe(epochs=1, batch_size=16, ema=0.8, learning_rate=0.01)
    state = State.begin(Classification(net), recipe, 10)
    mean = net[0].weight.detach().double().clone()
    for record in fit(state.task, data, state=state):
        if isinstance(record, Step):
            decay = min(0.8, (1 + record.step) / (10 + record.step))
            mean = decay * mean + (1 - decay) * net[0].weight.detach().double()
    assert torch.allclose(state.average.tensors["model/0.weight"].double(), mean, atol=1e-6)


def test_clipping_shortens_the_gradient(data, make):
    net = make.net()
    recipe = Recipe(
        epochs=1,
        optimizer="sgd",
        momentum=0,
        schedule="constant",
        learning_rate=1.0,
        weight_decay=0,
        clip_norm=0.01,
    )
    before = torch.cat([p.detach().flatten() for p in net.parameters()])
    next(fit(Classification(net), data, recipe))
    moved = torch.cat([p.detach().flatten() for p in net.parameters()]) - before
    assert moved.norm().item() == pytest.approx(0.01, rel=1e-3)


def test_steps_end_the_run_in_the_middle_of_an_epoch(data, make):
    records = list(fit(Classification(make.net()), data, Recipe(steps=13, batch_size=15)))
    assert [r.step for r in records if isinstance(r, Step)] == list(range(1, 14))
    assert [(r.epoch, r.step) for r in records if isinstance(r, Epoch)] == [(0, 10), (1, 13)]


def test_data_that_is_none_is_told(make):
    with pytest.raises(EtudeError, match="Cannot train on a int"):
        next(fit(Classification(make.net()), 42, Recipe()))
