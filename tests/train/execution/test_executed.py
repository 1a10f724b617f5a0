"""Tasks as they are computed: through the loop, compiled, and those of a person's own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest
import torch
from torch import nn

from etude.core.errors import EtudeError
from etude.models.catalog import build_model
from etude.tasks.classification import Classification
from etude.tasks.task import Part
from etude.train.execution.executed import Compiled, Execution
from etude.train.execution.rules import RULES
from etude.train.fit import Step, fit
from etude.train.recipe import Recipe
from etude.train.state import State


@pytest.fixture
def pictures(make):
    return make.data(train=64, held_out=16, side=16)


def lenet(**settings):
    torch.manual_seed(0)
    return build_model("lenet5", (1, 16, 16), 3, **settings)


def losses_of(records):
    return [r.losses["model"].item() for r in records if isinstance(r, Step)]


def recipe_of(**settings):
    return Recipe(**{"epochs": 2, "batch_size": 16, "learning_rate": 0.01, "precision": "float32"} | settings)


def test_rewritten_or_not_training_comes_out_the_same(pictures):
    found = []
    for rewrite in ("auto", "off"):
        net = lenet()
        state = State.begin(Classification(net), recipe_of(rewrite=rewrite), 4)
        assert bool(state.choices.rules) == (rewrite == "auto")
        if rewrite == "auto":
            names = [getattr(n.target, "__name__", "") for n in state.execution.model.graph.graph.nodes]
            assert "conv_pool" in names
        found.append(losses_of(fit(state.task, pictures, state=state)))
    assert len(found[0]) == 8
    assert found[0] == pytest.approx(found[1], rel=1e-5)


def test_a_run_with_rewritten_dropout_resumes_to_the_bit(pictures):
    def net():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.3), nn.Flatten(), nn.Linear(196, 3)
        )

    def train(model, state=None, generator=None, stop=None):
        state = state or State.begin(Classification(model), recipe_of(), 4)
        assert "dropout_by_bytes" in state.choices.rules
        torch.manual_seed(1) if generator is None else torch.set_rng_state(generator)
        losses = []
        for record in fit(state.task, pictures, state=state):
            if isinstance(record, Step):
                losses.append(record.losses["model"].item())
                if record.step == stop:
                    break
        return losses, state, torch.get_rng_state()

    whole, _, _ = train(net())
    first, state, generator = train(net(), stop=3)
    again = State.begin(Classification(net()), recipe_of(), 4)  # what a new process makes, graphs included
    again.task.model.load_state_dict(state.task.model.state_dict())
    again.optimizers["model"].load_state_dict(state.optimizers["model"].state_dict())
    again.step, again.epoch, again.position, again.examples = (
        state.step,
        state.epoch,
        state.position,
        state.examples,
    )
    torch.rand(3)  # whatever the new process drew before
    rest, _, _ = train(None, again, generator)
    assert first + rest == whole


class Focal(Classification):
    def _loss(self, outputs, labels):
        return super()._loss(outputs, labels) * 0.5


class Counting(Classification):
    steps = 0

    def parts(self, batch):
        self.steps += 1
        yield from super().parts(batch)


def test_a_person_s_own_loss_is_computed_by_the_rewritten_network(pictures):
    whole = losses_of(fit(Classification(lenet()), pictures, recipe_of(steps=1)))
    task = Focal(lenet())
    state = State.begin(task, recipe_of(steps=1), 4)
    assert state.execution.model is not task.model
    assert losses_of(fit(task, pictures, state=state)) == pytest.approx([whole[0] / 2], rel=1e-6)


class Penalised(Classification):
    """A loss that asks its model for its parameters and for a layer."""

    def _loss(self, outputs, labels):
        penalty = sum(p.abs().sum() for p in self.model.parameters()) + self.model.fc3.bias.sum()
        return super()._loss(outputs, labels) + 1e-3 * penalty


class Smooth(Classification):
    """A gradient penalty: the loss is differentiated twice."""

    def parts(self, batch):
        inputs, labels = batch
        inputs = inputs.detach().requires_grad_()

        def loss():
            found = self._loss(self.model(inputs), labels)
            (slope,) = torch.autograd.grad(found, inputs, create_graph=True)
            return found + slope.square().sum()

        yield Part("model", loss)


@pytest.mark.parametrize("kind", [Penalised, Smooth])
@pytest.mark.parametrize("how", [{}, {"compile": "on"}])
def test_a_loss_that_asks_more_of_its_model_than_a_pass_trains_as_by_hand(pictures, kind, how, monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda module, **_: module)
    plain = losses_of(fit(kind(lenet()), pictures, recipe_of(engine="plain")))
    assert losses_of(fit(kind(lenet()), pictures, recipe_of(**how))) == pytest.approx(plain, rel=1e-3)


def test_what_a_person_s_own_task_keeps_in_itself_is_kept(pictures):
    task = Counting(lenet())
    list(fit(task, pictures, recipe_of()))
    assert task.steps == 8


def test_a_loss_replaced_while_training_is_heeded(pictures):
    task = Classification(lenet())
    state = State.begin(task, recipe_of(learning_rate=1e-9), 4)
    losses, before = [], task._loss
    for record in fit(task, pictures, state=state):
        if isinstance(record, Step):
            losses.append(record.losses["model"].item())
            if record.step == 3:
                task._loss = lambda outputs, labels: before(outputs, labels) * 100
            if record.step == 5:
                break
    assert max(losses[:3]) < 10 < min(losses[3:])


def test_a_task_without_computed_by_is_computed_as_it_is():
    class Own:
        kind = "own"
        modules = {"model": nn.Linear(2, 1)}

    task = Own()
    assert Execution(task, tuple(RULES)).task is task


def test_a_rule_of_another_version_is_one_sentence():
    with pytest.raises(EtudeError, match="no_such_rule"):
        Execution(Classification(nn.Linear(2, 2)), ("no_such_rule",))


class Broken:
    """Stands for a compiler that is not there: it fails at the first pass."""

    calls = 0

    def __call__(self, *inputs):
        Broken.calls += 1
        raise RuntimeError("no C++ compiler")


@pytest.mark.parametrize("when", ["at once", "at the first pass"])
def test_training_goes_on_without_a_compiler(when, pictures, monkeypatch):
    def compiler(module, **_):
        if when == "at once":
            raise RuntimeError("torch.compile is not supported on this Python")
        return Broken()

    monkeypatch.setattr(torch, "compile", compiler)
    Broken.calls = 0
    ours = losses_of(fit(Classification(lenet()), pictures, recipe_of(compile="on")))
    plain = losses_of(fit(Classification(lenet()), pictures, recipe_of(rewrite="off")))
    assert ours == plain
    assert Broken.calls == (0 if when == "at once" else 1)


def test_only_whole_training_batches_are_compiled(monkeypatch):
    sizes = []

    def compiler(module, **_):
        def program(inputs):
            sizes.append(len(inputs))
            return module(inputs)

        return program

    monkeypatch.setattr(torch, "compile", compiler)
    compiled = Compiled(nn.Linear(2, 1), batch_size=4)
    for rows in (4, 3, 4):
        assert compiled(torch.ones(rows, 2)).shape == (rows, 1)
    compiled.module.eval()
    compiled(torch.ones(4, 2))
    assert sizes == [4, 4]


def test_an_error_for_people_is_not_taken_for_the_compiler_s(monkeypatch):
    def compiler(module, **_):
        def program(inputs):
            raise EtudeError(en="Mend it.", zh="请修改。")

        return program

    monkeypatch.setattr(torch, "compile", compiler)
    with pytest.raises(EtudeError, match="Mend it"):
        Compiled(nn.Linear(2, 1), 1)(torch.ones(1, 2))


@pytest.mark.slow
@pytest.mark.skipif(
    not any(map(shutil.which, ("g++", "clang++", "c++"))), reason="torch.compile needs a C++ compiler"
)
def test_a_compiled_network_trains_as_the_bare_one():
    """In a process of its own: torch's compiler marks the optimisers of the process that it was used in."""
    program = """
import json, torch
from torch import nn
from etude.data.dataset import Examples, ImageData
from etude.tasks.classification import Classification
from etude.train.fit import Step, fit
from etude.train.recipe import Recipe
from etude.train.state import State

chance = torch.Generator().manual_seed(0)
images = torch.randint(0, 256, (64, 1, 16, 16), generator=chance, dtype=torch.uint8).numpy()
part = Examples(images, torch.randint(0, 3, (64,), generator=chance).numpy())
data = ImageData("own", ("a", "b", "c"), part, part, part, (0.5,), (0.25,), "", {})
found = []
for settings in ({"compile": "on"}, {"rewrite": "off", "compile": "off"}):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(256, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))
    recipe = Recipe(epochs=2, batch_size=16, precision="float32", optimizer="sgd", learning_rate=1e-3, **settings)
    state = State.begin(Classification(net), recipe, 4)
    found.append([float(r.losses["model"]) for r in fit(state.task, data, state=state) if isinstance(r, Step)])
    if state.choices.compile:
        assert not state.execution.model._failed
print(json.dumps(found))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr[-2000:]
    compiled, bare = json.loads(done.stdout.splitlines()[-1])
    assert len(compiled) == 8
    assert compiled == pytest.approx(bare, rel=1e-4)
