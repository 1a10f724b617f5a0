"""Many members as one model against each of them trained alone by the ordinary loop."""

from __future__ import annotations

import copy
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import TensorDataset

from etude.core.errors import EtudeError
from etude.core.seeds import seed_everything
from etude.models.lenet import LeNet5
from etude.models.mlp import MLP
from etude.tasks.classification import Classification
from etude.tasks.task import Part
from etude.train.fit import Epoch, Step, fit
from etude.train.fit_many import ManyEpoch, ManyStep, fit_many
from etude.train.recipe import Recipe
from etude.train.stacked import StackedModel

SEEDS = (0, 1, 2, 3)


def vectors(count=70, features=5, dtype=torch.float64):
    chance = torch.Generator().manual_seed(11)
    inputs = torch.randn(count, features, generator=chance, dtype=torch.float64)
    return inputs.to(dtype), (inputs[:, 0] > 0).long() + (inputs[:, 1] > 0.5).long()


def pictures(count=70, channels=2, side=8):
    chance = torch.Generator().manual_seed(12)
    inputs = torch.randn(count, channels, side, side, generator=chance, dtype=torch.float64)
    return inputs, (inputs.mean((1, 2, 3)) > 0).long()


def mlp():
    return MLP((1, 1, 5), 3, widths=(16, 16)).double()


def plain_mlp():
    return nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 3)).double()


def cnn():
    # no bias that a batch norm takes out again: its true gradient is zero, and Adam would blow the rounding errors up to whole steps
    return nn.Sequential(
        nn.Conv2d(2, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6), nn.ReLU(inplace=True), nn.MaxPool2d(2),
        nn.Conv2d(6, 8, 3, groups=2, bias=False), nn.LeakyReLU(0.1), nn.AvgPool2d(2), nn.Flatten(),
        nn.Linear(8, 6, bias=False), nn.BatchNorm1d(6), nn.Linear(6, 2),
    ).double()  # fmt: skip


class Residual(nn.Module):
    """Functions in place of layers, and a sum."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.last = nn.Linear(5, 5), nn.Linear(5, 5), nn.Linear(5, 3)

    def forward(self, x):
        return self.last(x + F.relu(self.second(torch.tanh(self.first(x)))))


class Odd(nn.Module):
    """What no list of known layers has: a bare parameter, an einsum, tied weights, normalised layers and batches."""

    def __init__(self):
        super().__init__()
        self.first, self.again = nn.Linear(5, 5), nn.Linear(5, 5, bias=False)
        self.again.weight = self.first.weight
        self.norm, self.batch = nn.LayerNorm(5), nn.BatchNorm1d(5)
        self.mix = nn.Parameter(torch.randn(5, 3))

    def forward(self, x):
        x = self.batch(self.again(torch.sin(self.norm(self.first(x)))))
        return torch.einsum("nf,fc->nc", x, self.mix)


def recipes_of(seeds=SEEDS, **settings):
    given = {
        "steps": 20,
        "batch_size": 16,
        "schedule": "constant",
        "weight_decay": 0.0,
        "learning_rate": 0.05,
    } | settings
    return [Recipe(seed=seed, device="cpu", precision="float32", **given) for seed in seeds]


def lone(make_model, recipe, data):
    """The twin: its losses, its metrics by epoch, its model."""
    seed_everything(recipe.seed)
    task = Classification(make_model(), recipe.label_smoothing)
    records = list(fit(task, data, recipe))
    losses = [record.losses["model"].item() for record in records if isinstance(record, Step)]
    return losses, [record for record in records if isinstance(record, Epoch)], task.model.eval()


def equal_to_twins(make_model, recipes, data, twin_data=None):
    many = StackedModel.begin(make_model, recipes)
    records = list(fit_many(many, data, recipes))
    losses = torch.stack([record.losses for record in records if isinstance(record, ManyStep)])
    epochs = [record for record in records if isinstance(record, ManyEpoch)]
    assert losses.dtype == torch.float64
    assert losses.shape == (20, len(recipes))
    for index, recipe in enumerate(recipes):
        expected, twin_epochs, twin = lone(make_model, recipe, twin_data or TensorDataset(*data))
        assert losses[:, index].tolist() == pytest.approx(expected, rel=0, abs=1e-9)
        for ours, theirs in zip(
            many.member(index).state_dict().values(), twin.state_dict().values(), strict=True
        ):
            assert torch.allclose(ours.double(), theirs.double(), rtol=0, atol=1e-9)
        assert [e.epoch for e in epochs] == [e.epoch for e in twin_epochs]
        for ours, theirs in zip(epochs, twin_epochs, strict=True):
            assert ours.step == theirs.step
            assert ours.losses[index].item() == pytest.approx(theirs.losses["model"], abs=1e-9)
            for name, value in (theirs.validation or {}).items():
                assert ours.validation[name][index].item() == pytest.approx(value, abs=1e-9)
    return many


SETTINGS = {
    "sgd with nesterov": {"optimizer": "sgd", "momentum": 0.9},
    "sgd": {"optimizer": "sgd", "momentum": 0.0, "weight_decay": 0.1},
    "adam": {"optimizer": "adam", "weight_decay": 0.1},
    "adamw, one-cycle": {"optimizer": "adamw", "weight_decay": 0.3, "schedule": "one-cycle"},
    "clipped": {"optimizer": "sgd", "clip_norm": 0.3, "weight_decay": 0.01},
    "smoothed, cosine": {
        "optimizer": "adam",
        "label_smoothing": 0.2,
        "schedule": "cosine",
        "warmup_epochs": 1.0,
    },
    "plain engine": {"optimizer": "adamw", "weight_decay": 0.3, "engine": "plain"},
}


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_each_member_equals_its_lone_twin(settings):
    assert equal_to_twins(plain_mlp, recipes_of(**settings), vectors()).engine == "layers"


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize(
    ("make_model", "data", "engine"),
    [
        (mlp, vectors, "layers"), (cnn, pictures, "layers"), (lambda: Residual().double(), vectors, "layers"),
        (lambda: Odd().double(), vectors, "vmap"), (lambda: nn.Linear(5, 3).double(), vectors, "layers"),
        (lambda: LeNet5((2, 12, 12), 2).double(), partial(pictures, side=12), "layers"),
    ],
    ids=["mlp", "cnn", "residual", "odd", "one layer", "lenet"],
)  # fmt: skip
def test_networks_of_every_kind_equal_their_twins(make_model, data, engine, optimizer):
    recipes = recipes_of(optimizer=optimizer, weight_decay=0.1, learning_rate=0.01)
    assert equal_to_twins(make_model, recipes, data()).engine == engine


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
@pytest.mark.parametrize("clip_norm", [None, 0.2])
def test_members_with_step_sizes_and_decays_of_their_own(optimizer, clip_norm):
    settings = [(0, 0.1, 0.0), (0, 0.001, 0.5), (1, 0.03, 0.2), (2, 0.03, 0.0)]
    recipes = [
        recipes_of((seed,), optimizer=optimizer, learning_rate=rate, weight_decay=decay, clip_norm=clip_norm,
                   schedule="one-cycle")[0]
        for seed, rate, decay in settings
    ]  # fmt: skip
    equal_to_twins(plain_mlp, recipes, vectors())


def test_members_of_one_order_share_the_batch_and_still_equal_their_twins():
    recipes = [recipes_of((3,), optimizer="adamw", learning_rate=rate)[0] for rate in (0.1, 0.01)]
    equal_to_twins(cnn, recipes, pictures())
    many = StackedModel.begin(plain_mlp, recipes_of())
    given = [record.losses for record in fit_many(many, vectors(), recipes_of(), order_seed=3)]
    alone = StackedModel.begin(plain_mlp, recipes_of((3,)))
    assert [g[3].item() for g in given] == pytest.approx(
        [record.losses[0].item() for record in fit_many(alone, vectors(), recipes_of((3,)))], abs=1e-9
    )


def test_metrics_on_a_validation_part_equal_those_of_the_twins():
    train, held_out = TensorDataset(*vectors(70)), TensorDataset(*vectors(1203))  # more than one chunk
    data = (train.tensors, held_out.tensors)
    equal_to_twins(plain_mlp, recipes_of(optimizer="adam"), data, (train, held_out))


def test_pictures_of_a_data_set(data):
    def make_model():
        return LeNet5((1, 12, 12), 3)

    recipes = recipes_of(epochs=2, batch_size=37, steps=None, learning_rate=0.01)  # 150 = 4·37 + 2
    many = StackedModel.begin(make_model, recipes)
    records = list(fit_many(many, data, recipes))
    ends = [record for record in records if isinstance(record, ManyEpoch)]
    for index, recipe in enumerate(recipes):
        _, epochs, _ = lone(make_model, recipe, data)
        assert [e.losses[index].item() for e in ends] == pytest.approx(
            [e.losses["model"] for e in epochs], rel=1e-5
        )
        for name, value in epochs[-1].validation.items():
            assert ends[-1].validation[name][index].item() == pytest.approx(value, rel=1e-4)
    assert len(records) == 2 * (5 + 1)
    assert all(record.losses.dtype == torch.float32 for record in records if isinstance(record, ManyStep))


class Squares:
    """Least squares as a task of the ordinary loop."""

    kind = "regression"

    def __init__(self, model):
        self.model, self.modules = model, {"model": model}

    def parts(self, batch):
        yield Part("model", lambda: F.mse_loss(self.model(batch[0]), batch[1]))


@pytest.mark.parametrize("loss", ["mse", F.mse_loss, lambda a, b: ((a - b) ** 2).sum() / a.numel()])
def test_squared_errors(loss):
    inputs, _ = vectors()
    data = inputs, inputs[:, :2].sin()
    recipes = recipes_of(optimizer="sgd")

    def make_model():
        return nn.Sequential(nn.Linear(5, 7), nn.Sigmoid(), nn.Linear(7, 2)).double()

    many = StackedModel.begin(make_model, recipes)
    losses = torch.stack([r.losses for r in fit_many(many, data, recipes, loss) if isinstance(r, ManyStep)])
    for index, recipe in enumerate(recipes):
        seed_everything(recipe.seed)
        records = list(fit(Squares(make_model()), TensorDataset(*data), recipe))
        expected = [record.losses["model"].item() for record in records if isinstance(record, Step)]
        assert losses[:, index].tolist() == pytest.approx(expected, rel=0, abs=1e-9)


@pytest.mark.parametrize("make_model", [plain_mlp, lambda: Odd().double()], ids=["layers", "vmap"])
def test_a_member_that_diverges_is_stopped_and_leaves_the_others_alone(make_model):
    """The second member's losses overflow; whatever it does, the others' numbers are the same to the last bit."""
    rates = (0.1, 0.05, 0.1)
    recipes = [
        recipes_of((seed,), optimizer="sgd", learning_rate=rate, steps=12)[0] for seed, rate in enumerate(rates)
    ]
    data = vectors()

    def run(poisoned):
        many = StackedModel.begin(make_model, recipes)
        steps = []
        for record in fit_many(many, data, recipes):
            if isinstance(record, ManyStep):
                steps.append(record)
            if poisoned and record.step == 4 and isinstance(record, ManyStep):
                with torch.no_grad():
                    next(iter(many.parameters.values()))[1] = float("inf")
                weights = copy.deepcopy(many.member(1).state_dict())
        return many, steps, weights if poisoned else None

    many, steps, weights = run(poisoned=True)
    calm, calm_steps, _ = run(poisoned=False)
    for ours, theirs in zip(steps, calm_steps, strict=True):
        assert ours.losses[[0, 2]].tolist() == theirs.losses[[0, 2]].tolist()
        assert ours.alive.tolist() == [True, ours.step <= 4, True]
        assert ours.losses[1].isnan() == (ours.step > 4)
        assert theirs.alive.all()
    for index in (0, 2):
        for ours, theirs in zip(
            many.member(index).state_dict().values(), calm.member(index).state_dict().values()
        ):
            assert torch.equal(ours, theirs)
    for name, value in many.member(1).state_dict().items():
        assert torch.equal(value, weights[name]), name


def test_too_large_a_step_stops_where_the_lone_run_stops():
    inputs, _ = vectors(dtype=torch.float32)
    data = inputs, inputs[:, :1]
    recipes = [
        recipes_of((0,), optimizer="sgd", momentum=0.0, learning_rate=rate, epochs=200, steps=None)[0]
        for rate in (0.1, 20.0)
    ]
    many = StackedModel.begin(lambda: nn.Linear(5, 1), recipes)
    records = list(fit_many(many, data, recipes, "mse"))
    stopped = next(record.step for record in records if isinstance(record, ManyStep) and not record.alive[1])
    torch.manual_seed(0)
    twin = fit(Squares(nn.Linear(5, 1)), TensorDataset(*data), recipes[1])
    with pytest.raises(EtudeError, match=f"step {stopped} "):
        list(twin)
    assert many.member(1).weight.isfinite().all()
    assert records[-1].alive.tolist() == [True, False]
    assert records[-1].losses[0] < 1e-6


def test_when_no_member_is_left_training_ends():
    recipes = recipes_of(optimizer="sgd")
    many = StackedModel.begin(plain_mlp, recipes)
    inputs, labels = vectors()
    records = list(fit_many(many, (inputs * float("inf"), labels), recipes))
    assert [type(record) for record in records] == [ManyStep, ManyEpoch]
    assert not records[0].alive.any()
    assert records[0].losses.isnan().all()
    seed_everything(2)
    assert torch.equal(many.member(2)[0].weight, plain_mlp()[0].weight)


class Spy(nn.Module):
    """Dropout alone over ones, times a weight: the outputs show the mask."""

    def __init__(self, p=0.5, odd=False):
        super().__init__()
        self.drop, self.weight = nn.Dropout(p), nn.Linear(1, 1, bias=False)
        nn.init.ones_(self.weight.weight)
        self.odd = odd

    def forward(self, x):
        return torch.sin(self.weight(self.drop(x))) if self.odd else self.weight(self.drop(x))


@pytest.mark.parametrize("odd", [False, True], ids=["layers", "vmap"])
def test_dropout_draws_for_each_member_and_each_has_its_own_probability(odd):
    torch.manual_seed(0)
    chances = (0.5, 0.5, 0.1, 0.0, 0.8)
    many = StackedModel([Spy(p, odd) for p in chances])
    inputs = torch.ones(20_000, 1)
    outputs = many.outputs(inputs, shared=True, training=True).squeeze(2)
    assert many.engine == ("vmap" if odd else "layers")
    dropped = outputs == 0
    assert dropped.float().mean(1).tolist() == pytest.approx(chances, abs=0.015)  # four standard deviations
    same = (dropped[0] == dropped[1]).float().mean().item()
    assert same == pytest.approx(0.5, abs=0.015)
    for row, p in zip(outputs, chances):
        kept = torch.tensor(1 / (1 - p))
        assert torch.allclose(row[row != 0], kept.sin() if odd else kept)
    assert torch.equal(many(inputs)[0], many(inputs)[4])  # nothing is dropped in evaluation
    assert [model.drop.p for model in many.members()] == list(chances)


def test_equal_dropout_draws_for_each_member_too():
    torch.manual_seed(0)
    many = StackedModel([Spy(), Spy()])
    for inputs, shared in ((torch.ones(4000, 1), True), (torch.ones(2, 4000, 1), False)):
        first, second = many.outputs(inputs, shared, training=True) == 0
        assert (first == second).float().mean().item() == pytest.approx(0.5, abs=0.04)


@pytest.mark.parametrize("make_model", [cnn, lambda: nn.Sequential(cnn(), nn.LayerNorm(2).double())])
def test_a_member_is_its_slice_and_answers_as_the_stack_does(make_model):
    torch.manual_seed(3)
    models = [make_model() for _ in SEEDS]
    for model in models:
        model(pictures()[0])  # running statistics that differ
    many = StackedModel(models)
    inputs = pictures(1005)[0]
    outputs = many(inputs)
    assert outputs.shape == (4, 1005, 2)
    for index, model in enumerate(models):
        assert torch.allclose(outputs[index], model.eval()(inputs), rtol=0, atol=1e-12)
        assert torch.equal(many.member(index)(inputs), model(inputs))
        for name, parameter in model.named_parameters():
            assert torch.equal(many.parameters[name][index], parameter)
    assert len(many) == 4


def test_the_models_given_are_not_changed():
    recipes, models = recipes_of(), [cnn() for _ in SEEDS]
    before = copy.deepcopy([model.state_dict() for model in models])
    list(fit_many(StackedModel(models), pictures(), recipes))
    for model, state in zip(models, before):
        for name, value in model.state_dict().items():
            assert torch.equal(value, state[name])


def test_frozen_parameters_stay():
    def make_model():
        model = plain_mlp()
        model[0].requires_grad_(False)
        return model

    equal_to_twins(make_model, recipes_of(optimizer="adamw", weight_decay=0.1), vectors())


@pytest.mark.parametrize(
    ("others", "words"),
    [
        ({"optimizer": "sgd"}, "differ in optimizer"), ({"batch_size": 8}, "differ in batch_size"),
        ({"clip_norm": 1.0}, "differ in clip_norm"),
    ],
)  # fmt: skip
def test_recipes_that_differ_in_more_are_refused(others, words):
    recipes = [*recipes_of((0,), optimizer="adam"), *recipes_of((1,), **{"optimizer": "adam", **others})]
    with pytest.raises(EtudeError, match=words):
        next(fit_many(StackedModel.begin(plain_mlp, recipes), vectors(), recipes))


@pytest.mark.parametrize(
    "settings",
    [
        {"ema": 0.9},
        {"early_stopping": 2},
        {"evaluate_every": 3},
        {"augment": True},
        {"mixup": 0.2},
        {"optimizer": "muon"},
    ],
)
def test_what_a_stack_cannot_do_is_refused(settings):
    recipes = recipes_of(**settings)
    with pytest.raises(EtudeError, match=f"{next(iter(settings))} is .* not support"):
        next(fit_many(StackedModel.begin(plain_mlp, recipes), vectors(), recipes))


def test_data_that_do_not_fit_are_told():
    recipes = recipes_of()
    many = StackedModel.begin(plain_mlp, recipes)
    inputs, labels = vectors()
    for data, loss, words in (
        (42, "cross_entropy", "Cannot train many on a int"),
        ((inputs, labels[:-1]), "cross_entropy", "70 inputs and 69 targets"),
        ((inputs.float(), labels), "cross_entropy", "inputs are float32, but the model computes in float64"),
        ((inputs, labels + 3), "cross_entropy", "build it with 6 outputs"),
        ((inputs, inputs), "cross_entropy", "cross_entropy takes"),
        ((inputs, inputs[:, 0]), "mse", "mse takes"),
        ((inputs, labels), "hinge", "'hinge'"),
        ((inputs, inputs[:, :3]), lambda a, b: (a - b).abs(), "take its mean"),
    ):
        with pytest.raises(EtudeError, match=words):
            next(fit_many(many, data, recipes, loss))
    with pytest.raises(EtudeError, match="3 recipes for 4 members"):
        next(fit_many(many, vectors(), recipes[:3]))


def test_members_that_differ_in_more_than_values_are_refused():
    for other, words in (
        (nn.Sequential(nn.Linear(5, 16), nn.LeakyReLU(0.2)), "negative_slope"),
        (nn.Sequential(nn.Linear(5, 16), nn.ReLU()), "'1'"),
        (nn.Sequential(nn.Linear(5, 8), nn.LeakyReLU(0.1)), "0.out_features"),
        (nn.Sequential(nn.Linear(5, 16).double(), nn.LeakyReLU(0.1)), "0.weight"),
    ):
        with pytest.raises(EtudeError, match=words):
            StackedModel([nn.Sequential(nn.Linear(5, 16), nn.LeakyReLU(0.1)), other])
    with pytest.raises(EtudeError, match="no member"):
        StackedModel([])
    with pytest.raises(EtudeError, match="no parameter"):
        StackedModel([nn.ReLU()])


def test_a_forward_pass_that_asks_for_its_mode_is_not_misread():
    class Doubling(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(5, 3)

        def forward(self, x):
            return torch.relu(self.layer(x)) if self.training else self.layer(x)

    recipes = recipes_of()
    equal_to_twins(lambda: Doubling().double(), recipes, vectors())


def test_nothing_leaks_to_the_caller():
    recipes = recipes_of(epochs=1, steps=None)
    for record in fit_many(StackedModel.begin(plain_mlp, recipes), (vectors(), vectors()), recipes):
        assert torch.is_grad_enabled()
        assert not record.losses.requires_grad
