"""Every optimiser of the recipe against torch's own, run by hand; and what each refuses."""

from __future__ import annotations

import math
from typing import get_args

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import TensorDataset

from etude.core.errors import EtudeError, NonFiniteLoss
from etude.core.seeds import restore_generators, seed_everything
from etude.data.batches import epoch_order
from etude.tasks.classification import Classification
from etude.tasks.regression import Regression
from etude.train.checkpoint import load_checkpoint, save_checkpoint
from etude.train.combined import members_of
from etude.train.fit import Step, fit
from etude.train.full_batch import LBFGS
from etude.train.heads import freeze_below_head
from etude.train.muon import MatrixMuon, as_matrix, hidden_matrices
from etude.train.optimizers import build_optimizer
from etude.train.recipe import Optimizer, Recipe
from etude.train.state import State

OPTIMIZERS = get_args(Optimizer)
DENSE = [name for name in OPTIMIZERS if name != "sparseadam"]
WHOLE = ("lbfgs", "rprop")


def make_mlp(seed: int = 0, dropout: float = 0.0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(144, 20),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(20, 20),
        nn.ReLU(),
        nn.Linear(20, 3),
    )


class Words(nn.Module):
    """A sparse embedding below dense layers."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.embedding = nn.Embedding(30, 8, sparse=True)
        self.head = nn.Linear(8, 3)

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        return self.head(self.embedding(words).mean(1))


def sentences(count: int = 60) -> TensorDataset:
    chance = torch.Generator().manual_seed(0)
    words = torch.randint(0, 20, (count, 4), generator=chance)
    return TensorDataset(words, words[:, 0] % 3)


def recipe_for(name: str, **settings) -> Recipe:
    usual = {
        "optimizer": name,
        "learning_rate": 0.01,
        "schedule": "constant",
        "batch_size": 50,
        "weight_decay": 0.05,
    }
    if name in WHOLE:
        usual |= {"batch_size": 150, "learning_rate": 1.0 if name == "lbfgs" else 0.001}
    return Recipe(**usual | settings)


def losses_of(records) -> list[float]:
    return [r.losses["model"].item() for r in records if isinstance(r, Step)]


def by_hand(net: nn.Module, optimizers: list, data, recipe: Recipe, rates=None) -> list[float]:
    images = torch.from_numpy(data.train.images).float()
    scale, shift = 1 / (255 * data.std[0]), data.mean[0] / data.std[0]
    inputs, labels = (
        images * torch.tensor(scale).float() - torch.tensor(shift).float(),
        torch.from_numpy(data.train.labels),
    )
    losses = []
    for epoch in range(recipe.epochs):
        order = torch.from_numpy(epoch_order(len(labels), recipe.seed, epoch))
        for rows in order.split(recipe.batch_size):

            def closure(rows=rows):
                for optimizer in optimizers:
                    optimizer.zero_grad()
                loss = F.cross_entropy(net(inputs[rows]), labels[rows])
                loss.backward()
                return loss

            if isinstance(optimizers[0], torch.optim.LBFGS):
                losses.append(optimizers[0].step(closure).item())
            else:
                losses.append(closure().item())
                for optimizer in optimizers:
                    optimizer.step()
    return losses


def torch_s_own(name: str, net: nn.Module, decay: float) -> list[torch.optim.Optimizer]:
    """What a person would write with torch alone."""
    matrices = [p for p in net.parameters() if p.ndim >= 2]
    vectors = [p for p in net.parameters() if p.ndim < 2]
    groups = [{"params": matrices, "weight_decay": decay}, {"params": vectors, "weight_decay": 0.0}]
    match name:
        case "sgd":
            return [torch.optim.SGD(groups, 0.01, momentum=0.9, nesterov=True)]
        case "rmsprop":
            return [torch.optim.RMSprop(groups, 0.01, momentum=0.9)]
        case "lbfgs":
            return [torch.optim.LBFGS(net.parameters(), 1.0, history_size=10, line_search_fn="strong_wolfe")]
        case "rprop":
            return [torch.optim.Rprop([*matrices, *vectors], 0.001)]
        case "muon":
            rest = [{"params": [matrices[0], matrices[2]], "weight_decay": decay}, groups[1]]
            options = {"weight_decay": decay, "momentum": 0.9, "adjust_lr_fn": "match_rms_adamw"}
            return [torch.optim.Muon([matrices[1]], 0.01, **options), torch.optim.AdamW(rest, 0.01)]
    kinds = {
        "asgd": torch.optim.ASGD, "adadelta": torch.optim.Adadelta, "adagrad": torch.optim.Adagrad,
        "adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "adamax": torch.optim.Adamax,
    }  # fmt: skip
    return [kinds[name](groups, lr=0.01)]


@pytest.mark.parametrize("name", DENSE)
def test_the_plain_engine_is_torch_s_optimiser_to_the_last_bit(name, data):
    decay = 0.0 if name in WHOLE else 0.05  # torch's L-BFGS and Rprop have no weight decay: it is tested below
    recipe = recipe_for(name, epochs=3, engine="plain", weight_decay=decay)
    ours, theirs = make_mlp(), make_mlp()
    measured = losses_of(fit(Classification(ours), data, recipe))
    assert measured == by_hand(theirs, torch_s_own(name, theirs, decay), data, recipe)
    assert measured[-1] < measured[0]
    for a, b in zip(ours.parameters(), theirs.parameters()):
        assert torch.equal(a, b)


def test_sparse_adam_trains_the_embedding_and_adamw_the_rest():
    ours, theirs, data = Words(), Words(), sentences()
    recipe = Recipe(
        epochs=2, batch_size=20, optimizer="sparseadam", learning_rate=0.05, schedule="constant", weight_decay=0.1,
        engine="plain",
    )  # fmt: skip
    measured = losses_of(fit(Classification(ours), data, recipe))
    rest = [
        {"params": [theirs.head.weight], "weight_decay": 0.1},
        {"params": [theirs.head.bias], "weight_decay": 0.0},
    ]
    optimizers = [torch.optim.SparseAdam([theirs.embedding.weight], 0.05), torch.optim.AdamW(rest, 0.05)]
    expected = []
    for epoch in range(2):
        for rows in torch.from_numpy(epoch_order(60, 0, epoch)).split(20):
            for optimizer in optimizers:
                optimizer.zero_grad()
            loss = F.cross_entropy(theirs(data.tensors[0][rows]), data.tensors[1][rows])
            loss.backward()
            for optimizer in optimizers:
                optimizer.step()
            expected.append(loss.item())
    assert measured == expected
    unused = ours.embedding.weight[20:]
    assert torch.equal(
        unused, Words().embedding.weight[20:]
    )  # words that never came were not touched, nor decayed


@pytest.mark.parametrize("engine", ["plain", "auto"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_run_resumed_at_any_step_is_the_run_never_stopped(name, engine, make, tmp_path):
    batches, sparse = 1 if name in WHOLE else 4, name == "sparseadam"
    data = sentences() if sparse else make.data(train=60)
    recipe = recipe_for(
        name, epochs={"rprop": 5, "lbfgs": 3}.get(name, 2), batch_size=60 // batches, engine=engine, schedule="cosine", precision="float32"
    )  # fmt: skip

    def begin(seed: int) -> State:
        seed_everything(seed)
        net = Words(seed) if sparse else make.net(dropout=0.3, seed=seed)
        return State.begin(Classification(net), recipe, batches)

    def rest(state: State) -> list:
        records = [(type(r).__name__, r.step, dict(r.losses)) for r in fit(state.task, data, state=state)]
        return [
            (kind, step, {part: float(loss) for part, loss in losses.items()}) for kind, step, losses in records
        ]

    whole = begin(1)
    expected = rest(whole)
    for stop in range(0, len(expected), 1 if name == "lbfgs" else 2):
        state, folder = begin(1), tmp_path / str(stop)
        folder.mkdir()
        records = fit(state.task, data, state=state)
        for _ in range(stop):
            next(records)
        save_checkpoint(folder, state, {})
        again = begin(50)
        _, generators = load_checkpoint(folder, again)
        restore_generators(generators)
        assert rest(again) == expected[stop:], stop
        for key, tensor in whole.task.model.state_dict().items():
            assert torch.equal(tensor, again.task.model.state_dict()[key]), (stop, key)
        if whole.average:
            for key, tensor in whole.average.tensors.items():
                assert torch.equal(tensor, again.average.tensors[key]), (stop, key)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_loss_that_is_not_finite_updates_nothing(name, make):
    sparse = name == "sparseadam"
    data = sentences() if sparse else make.data(train=60)
    net = Words() if sparse else make_mlp()
    task = Classification(net)
    recipe = recipe_for(name, epochs=4, batch_size=60 if name in WHOLE else 30)
    state = State.begin(task, recipe, 1 if name in WHOLE else 2)
    records = (r for r in fit(task, data, state=state) if isinstance(r, Step))
    next(records)
    before = {key: tensor.clone() for key, tensor in net.state_dict().items()}
    criterion = task._loss
    task._loss = lambda outputs, labels: criterion(outputs, labels) * float("nan")
    with pytest.raises(NonFiniteLoss, match="step 2"):
        next(records)
    assert all(torch.equal(tensor, before[key]) for key, tensor in net.state_dict().items())


def test_a_line_search_that_meets_infinity_puts_everything_back():
    torch.manual_seed(0)
    weight = nn.Parameter(torch.randn(3, 2))
    optimizer = LBFGS([weight], lr=1.0, max_iter=3)
    evaluations = 0

    def closure(last: float = math.inf) -> torch.Tensor:
        nonlocal evaluations
        evaluations += 1
        optimizer.zero_grad()
        loss = (weight**4).sum()
        loss.backward()
        if evaluations > last:
            raise NonFiniteLoss("infinite", "无穷大")
        return loss.detach()

    optimizer.step(closure)
    before, memory = weight.detach().clone(), optimizer.state_dict()["state"][0]
    kept = {
        k: v.clone() if torch.is_tensor(v) else list(v) if isinstance(v, list) else v for k, v in memory.items()
    }
    evaluations = 0
    with pytest.raises(NonFiniteLoss):
        optimizer.step(lambda: closure(last=2))
    assert evaluations == 3
    assert torch.equal(weight, before)
    after = optimizer.state_dict()["state"][0]
    for key in kept.keys() - {"al"}:
        same = (
            zip(kept[key], after[key], strict=True)
            if isinstance(kept[key], list)
            else [(kept[key], after[key])]
        )
        assert all(torch.equal(torch.as_tensor(a), torch.as_tensor(b)) for a, b in same), key


def test_all_evaluations_of_a_line_search_drop_the_same_units(data):
    class Dropping(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if not self.training:
                return x
            masks.append(torch.rand_like(x) > 0.5)
            return 2 * x * masks[-1]

    masks: list[torch.Tensor] = []
    net = make_mlp()
    net[3] = Dropping()
    first_of_steps = []
    for record in fit(Classification(net), data, recipe_for("lbfgs", epochs=2)):
        if isinstance(record, Step):
            assert len(masks) > 2
            assert all(torch.equal(mask, masks[0]) for mask in masks)
            first_of_steps.append(masks[0])
            masks.clear()
    assert not torch.equal(*first_of_steps)


@pytest.mark.parametrize("optimizer", ["lbfgs", "rprop"])
def test_l_bfgs_and_rprop_find_the_minimum_of_scikit_learn_s_logistic_regression(optimizer):
    from sklearn.linear_model import LogisticRegression

    chance = np.random.default_rng(0)
    inputs = chance.normal(size=(200, 5)).astype(np.float32)
    labels = (inputs @ chance.normal(size=(5, 3)) + chance.normal(size=(200, 3))).argmax(1)
    decay = 0.02
    net = nn.Linear(5, 3)
    recipe = Recipe(
        epochs=300 if optimizer == "rprop" else 10, batch_size=200, optimizer=optimizer, schedule="constant",
        learning_rate=1.0 if optimizer == "lbfgs" else 0.01, weight_decay=decay, precision="float32",
    )  # fmt: skip
    data = TensorDataset(torch.from_numpy(inputs), torch.from_numpy(labels))
    list(fit(Classification(net), data, recipe))
    reference = LogisticRegression(C=1 / (200 * decay), tol=1e-10, max_iter=10_000).fit(inputs, labels)
    found, expected = net(torch.from_numpy(inputs)).softmax(1).detach().numpy(), reference.predict_proba(inputs)
    assert (
        np.abs(net.weight.detach().numpy() - reference.coef_).max()
        < 1e-4 * np.abs(reference.coef_).max() + 1e-4
    )
    assert np.abs(found - expected).max() < 1e-4


def test_l_bfgs_finds_the_minimum_of_scikit_learn_s_ridge():
    from sklearn.linear_model import Ridge

    chance = np.random.default_rng(1)
    inputs = chance.normal(size=(120, 6)).astype(np.float32)
    targets = (inputs @ chance.normal(size=6) + 0.3 * chance.normal(size=120) + 1).astype(np.float32)
    net, alpha = nn.Linear(6, 1), 3.0
    recipe = Recipe(
        epochs=5, batch_size=120, optimizer="lbfgs", schedule="constant", learning_rate=1.0, weight_decay=2 * alpha / 120,
        precision="float32",
    )  # fmt: skip
    data = TensorDataset(torch.from_numpy(inputs), torch.from_numpy(targets))
    list(fit(Regression(net), data, recipe))
    reference = Ridge(alpha=alpha).fit(inputs, targets)
    assert net.weight.detach().numpy()[0] == pytest.approx(reference.coef_, abs=1e-4)
    assert net.bias.item() == pytest.approx(reference.intercept_, abs=1e-4)


def test_asgd_evaluates_and_keeps_the_mean_that_torch_only_remembers(data):
    recipe = recipe_for("asgd", epochs=4, engine="plain", weight_decay=0.0, learning_rate=0.1)
    ours, theirs = make_mlp(), make_mlp()
    state = State.begin(Classification(ours), recipe, 3)
    list(fit(state.task, data, state=state))
    optimizer = torch.optim.ASGD(theirs.parameters(), 0.1, t0=6)  # half of 12 steps
    by_hand(theirs, [optimizer], data, recipe)
    for (name, live), parameter in zip(ours.named_parameters(), theirs.parameters()):
        assert torch.equal(live, parameter)
        mean = state.average.tensors[f"model/{name}"]
        assert torch.allclose(mean, optimizer.state[parameter]["ax"], atol=1e-6)
        assert not torch.equal(mean, live)


def test_a_kernel_is_a_matrix_to_muon_however_it_lies_in_memory():
    torch.manual_seed(0)
    shape, kernel = (6, 4, 3, 3), torch.randn(6, 4, 3, 3)
    flat = nn.Parameter(kernel.flatten(1).clone())
    plain, last = (
        nn.Parameter(kernel.clone()),
        nn.Parameter(kernel.clone().to(memory_format=torch.channels_last)),
    )
    options = {"adjust_lr_fn": "match_rms_adamw", "momentum": 0.95, "weight_decay": 0.1}
    reference = torch.optim.Muon([flat], 0.02, **options)
    ours = [MatrixMuon([{"params": [p], "weight_decay": 0.1}], lr=0.02, momentum=0.95) for p in (plain, last)]
    for _ in range(4):
        gradient = torch.randn(shape)
        flat.grad, plain.grad, last.grad = gradient.flatten(1), gradient.clone(), gradient.clone()
        for optimizer in (reference, *ours):
            optimizer.step()
    assert torch.equal(plain.flatten(1), flat)
    assert torch.allclose(last, plain, atol=5e-3)  # the products are in bf16, which sums in another order
    assert (last - plain).abs().mean() < 5e-4
    assert not torch.allclose(plain, kernel, atol=1e-2)


def test_a_kernel_and_its_matrix_share_their_memory():
    for kernel in (torch.randn(5, 3, 2, 2), torch.randn(5, 3, 2, 2).to(memory_format=torch.channels_last)):
        matrix = as_matrix(kernel)
        assert matrix.shape == (5, 12)
        matrix[2].zero_()
        assert kernel[2].abs().sum() == 0
        assert kernel[3].abs().sum() > 0


def test_muon_takes_the_hidden_layers_only(make):
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3),
        nn.Conv2d(4, 8, 3),
        nn.BatchNorm2d(8),
        nn.Flatten(),
        nn.Linear(8, 6),
        nn.Linear(6, 3),
    )
    assert [id(p) for p in hidden_matrices(net)] == [id(net[1].weight), id(net[4].weight)]
    muon, adamw = members_of(build_optimizer(net, Recipe(optimizer="muon"), False))
    assert isinstance(muon, torch.optim.Muon)
    assert isinstance(adamw, torch.optim.AdamW)
    rest = {id(p) for group in adamw.param_groups for p in group["params"]}
    assert rest == {id(p) for p in net.parameters()} - {id(net[1].weight), id(net[4].weight)}
    decays = {id(p): group["weight_decay"] for group in adamw.param_groups for p in group["params"]}
    assert decays[id(net[5].weight)] == 0.01
    assert decays[id(net[2].weight)] == 0.0


@pytest.mark.parametrize("name", [n for n in DENSE if n not in WHOLE])
def test_layers_below_the_head_take_the_smaller_rate(name):
    net = make_mlp()
    optimizer = build_optimizer(net, Recipe(optimizer=name, backbone_rate=0.1), False)
    scales = {}
    for group in optimizer.param_groups:
        scales |= {p.data_ptr(): group["scale"] for p in group["params"]}
    expected = {p.data_ptr(): 1.0 if p is net[6].weight or p is net[6].bias else 0.1 for p in net.parameters()}
    assert scales == expected


def test_a_backbone_rate_scales_the_step_under_a_schedule(data):
    ours, theirs = make_mlp(), make_mlp()
    recipe = recipe_for(
        "sgd", epochs=2, engine="plain", backbone_rate=0.25, schedule="cosine", weight_decay=0.0, momentum=0.0
    )
    measured = losses_of(fit(Classification(ours), data, recipe))
    head = [theirs[6].weight, theirs[6].bias]
    below = [p for p in theirs.parameters() if all(p is not h for h in head)]
    sgd = torch.optim.SGD([{"params": below, "lr": 0.0025}, {"params": head, "lr": 0.01}])
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(sgd, 6)

    class Both:
        zero_grad = sgd.zero_grad

        def step(self):
            sgd.step()
            cosine.step()

    assert measured == pytest.approx(by_hand(theirs, [Both()], data, recipe), rel=1e-6)


def test_frozen_parameters_are_left_out(data):
    net = make_mlp()
    freeze_below_head(net)
    before = {key: tensor.clone() for key, tensor in net.state_dict().items()}
    list(fit(Classification(net), data, recipe_for("adamw", epochs=1)))
    moved = {key for key, tensor in net.state_dict().items() if not torch.equal(tensor, before[key])}
    assert moved == {"6.weight", "6.bias"}


@pytest.mark.parametrize("name", ["lbfgs", "rprop"])
def test_half_batches_are_refused_and_what_is_said_helps(name, data):
    recipe = recipe_for(name, batch_size=64)
    with pytest.raises(EtudeError, match="set batch_size to 192") as error:
        next(fit(Classification(make_mlp()), data, recipe))
    assert "\n" not in str(error.value)
    helped = recipe.model_copy(update={"batch_size": 192, "epochs": 1})
    assert len(losses_of(fit(Classification(make_mlp()), data, helped))) == 1


@pytest.mark.parametrize(
    ("settings", "net", "words"),
    [
        ({"optimizer": "sparseadam"}, make_mlp, "no nn.Embedding with sparse=True"),
        ({"optimizer": "adamw"}, Words, "sparse gradients adamw does not take"),
        ({"optimizer": "muon"}, lambda: nn.Linear(4, 3), "use adamw"),
        ({"optimizer": "muon"}, lambda: nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 3)), "use adamw"),
        ({"optimizer": "lbfgs", "clip_norm": 1.0}, make_mlp, "leave out clip_norm"),
        ({"optimizer": "sparseadam", "clip_norm": 1.0}, Words, "leave out clip_norm"),
        ({"optimizer": "lbfgs", "backbone_rate": 0.1}, make_mlp, "leave out backbone_rate"),
        ({"optimizer": "rprop", "backbone_rate": 0.1}, make_mlp, "leave out backbone_rate"),
        ({"optimizer": "sgd", "backbone_rate": 0.1}, lambda: nn.Linear(4, 3), "leave out backbone_rate"),
        ({}, nn.ReLU, "no parameter to train"),
    ],
)  # fmt: skip
def test_what_an_optimiser_cannot_do_is_one_sentence(settings, net, words):
    with pytest.raises(EtudeError, match=words) as error:
        build_optimizer(net(), Recipe(**settings), False)
    assert "\n" not in error.value.text.en
    assert error.value.text.zh != error.value.text.en


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_only_the_optimisers_that_torch_has_fused_are(name):
    net = Words() if name == "sparseadam" else make_mlp()
    state = State.begin(Classification(net), Recipe(optimizer=name, device="cpu"), 1)
    assert state.choices.fused == (name in ("sgd", "adam", "adamw", "adagrad"))
    for member in members_of(state.optimizers["model"]):
        assert bool(member.defaults.get("fused")) == state.choices.fused
