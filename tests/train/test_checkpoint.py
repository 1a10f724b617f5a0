"""A run stopped anywhere and carried on is the run that was never stopped, bit for bit."""

from __future__ import annotations

import errno
import json
import os
import random

import numpy as np
import pytest
import torch
from torch import nn

from etude.core.errors import EtudeError
from etude.core.seeds import restore_generators, seed_everything
from etude.tasks.classification import Classification
from etude.train.checkpoint import find_checkpoint, list_checkpoints, load_checkpoint, save_checkpoint
from etude.train.fit import Step, fit
from etude.train.recipe import Recipe
from etude.train.state import State

RECIPES = {
    "adamw, fused, channels last, average": {"ema": 0.9, "augment": True, "evaluate_every": 3},
    "plain sgd": {"optimizer": "sgd", "learning_rate": 0.05, "engine": "plain"},
    "plain adam": {"optimizer": "adam", "engine": "plain", "schedule": "cosine", "warmup_epochs": 0.5},
    "bf16, early stopping, clipping": {"precision": "bf16", "early_stopping": 2, "clip_norm": 0.5},
}


def begin(make, recipe: Recipe) -> State:
    seed_everything(1)
    return State.begin(Classification(make.net(channels=3, dropout=0.4), recipe.label_smoothing), recipe, 7)


def rest(state: State, data) -> list:
    found = []
    for record in fit(state.task, data, state=state):
        losses = record.losses
        found.append((record.step, {k: float(v) for k, v in losses.items()}, record.validation))
    return found


def everything(state: State) -> dict[str, torch.Tensor]:
    return {
        **{f"m/{n}": t for n, t in state.task.model.state_dict().items()},
        **{f"a/{n}": t for n, t in (state.average.tensors if state.average else {}).items()},
        **{f"b/{n}": t for n, t in state.best.weights.items()},
    }


@pytest.mark.parametrize("name", RECIPES)
def test_resuming_is_exact_at_every_place(name, make, tmp_path):
    data = make.data(train=105, channels=3)
    recipe = Recipe(epochs=2, batch_size=15, **RECIPES[name])
    whole = begin(make, recipe)
    expected = rest(whole, data)
    for stop in range(len(expected)):  # at every record of the run, epochs' ends included
        state, folder = begin(make, recipe), tmp_path / str(stop)
        folder.mkdir()
        records = fit(state.task, data, state=state)
        for _ in range(stop):
            next(records)
        save_checkpoint(folder, state, {})
        del state, records
        seed_everything(99)
        again = State.begin(Classification(make.net(channels=3, dropout=0.4, seed=99)), recipe, 7)
        _, generators = load_checkpoint(folder, again)
        restore_generators(generators)
        assert rest(again, data) == expected[stop:], f"stopped after record {stop}"
        for key, tensor in everything(whole).items():
            assert torch.equal(tensor, everything(again)[key]), (stop, key)


def test_all_generators_come_back(make, tmp_path):
    state = begin(make, Recipe())
    save_checkpoint(tmp_path, state, {"note": 1})
    drawn = torch.rand(3).tolist(), np.random.rand(3).tolist(), [random.random() for _ in range(3)]
    seed_everything(50)
    extra, generators = load_checkpoint(tmp_path, begin(make, Recipe()))
    restore_generators(generators)
    assert extra == {"note": 1}
    assert drawn == (torch.rand(3).tolist(), np.random.rand(3).tolist(), [random.random() for _ in range(3)])


def test_tied_weights_are_stored_once_and_come_back_tied(tmp_path):
    class Tied(nn.Module):
        def __init__(self, seed):
            super().__init__()
            torch.manual_seed(seed)
            self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)
            self.second.weight = self.first.weight

        def forward(self, x):
            return self.second(self.first(x))

    state = State.begin(Classification(Tied(0)), Recipe(), 1)
    path = save_checkpoint(tmp_path, state, {})
    assert (path / "tensors.safetensors").read_bytes().count(b"weight") == 1
    again = State.begin(Classification(Tied(1)), Recipe(), 1)
    load_checkpoint(tmp_path, again)
    assert torch.equal(again.task.model.second.weight, state.task.model.first.weight)
    assert again.task.model.second.weight is again.task.model.first.weight


def test_old_checkpoints_are_deleted_and_the_pointed_one_is_never_replaced(make, tmp_path):
    state = begin(make, Recipe())
    names = []
    for step in (1, 2, 3, 3, 3):
        state.step = step
        names.append(save_checkpoint(tmp_path, state, {}).name)
        assert find_checkpoint(tmp_path).name == names[-1]
    assert names == ["step-1", "step-2", "step-3", "step-3+", "step-3"]
    assert len(list_checkpoints(tmp_path)) <= 3


def damage_tensors(path):
    file = path / "tensors.safetensors"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def cut_state(path):
    file = path / "state.json"
    file.write_bytes(file.read_bytes()[:50])


def lose_tensors(path):
    (path / "tensors.safetensors").unlink()


def lose_all(path):
    for file in path.iterdir():
        file.unlink()
    path.rmdir()


@pytest.mark.parametrize("harm", [damage_tensors, cut_state, lose_tensors, lose_all])
def test_a_damaged_checkpoint_is_one_sentence_and_the_other_one_works(harm, make, data, tmp_path):
    state = begin(make, Recipe())
    state.step = 1
    save_checkpoint(tmp_path, state, {})
    state.step = 2
    harm(save_checkpoint(tmp_path, state, {}))
    fresh = begin(make, Recipe())
    before = {n: t.clone() for n, t in fresh.task.model.state_dict().items()}
    with pytest.raises(EtudeError, match=r"damaged.*--step 1") as error:
        load_checkpoint(tmp_path, fresh)
    assert "\n" not in str(error.value)
    assert all(torch.equal(t, before[n]) for n, t in fresh.task.model.state_dict().items())
    load_checkpoint(tmp_path, fresh, step=1)
    assert fresh.step == 1


def test_a_checkpoint_of_another_format_or_model_is_refused(make, tmp_path):
    state = begin(make, Recipe())
    path = save_checkpoint(tmp_path, state, {})
    other = State.begin(Classification(nn.Linear(2, 2)), Recipe(), 1)
    with pytest.raises(EtudeError, match="another model"):
        load_checkpoint(tmp_path, other)
    content = json.loads((path / "state.json").read_text())
    (path / "state.json").write_text(json.dumps(content | {"format": 99}))
    with pytest.raises(EtudeError, match="format 99"):
        load_checkpoint(tmp_path, begin(make, Recipe()))


def test_a_full_disk_harms_nothing(make, data, tmp_path, monkeypatch):
    state = begin(make, Recipe())
    save_checkpoint(tmp_path, state, {})
    files = sorted(p.name for p in tmp_path.iterdir())
    next(r for r in fit(state.task, make.data(channels=3), state=state) if isinstance(r, Step))

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            save_checkpoint(tmp_path, state, {})
    assert sorted(p.name for p in tmp_path.iterdir()) == files
    load_checkpoint(tmp_path, begin(make, Recipe()))
