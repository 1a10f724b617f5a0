"""What the engine chooses on machines of every kind, and that what a person asks for is recorded and heeded."""

from __future__ import annotations

import json

import pytest
import torch
from torch import nn

from etude.core import devices
from etude.core.errors import EtudeError
from etude.tasks.classification import Classification
from etude.train import choices as module
from etude.train.choices import Choices, choices_from_json, choose, differences
from etude.train.execution.rules import FOR_BF16, RULES
from etude.train.feed import as_feed
from etude.train.fit import Step, fit
from etude.train.recipe import Recipe
from etude.train.start import start_run
from etude.train.state import State

AMX = {"amx_tile", "amx_bf16", "avx512_bf16"}
AVX512 = {"avx512_bf16"}


@pytest.fixture
def machine(monkeypatch):
    """A machine without a GPU whose processor has the flags given."""

    def be(flags):
        monkeypatch.setattr(devices, "processor_flags", lambda: frozenset(flags))
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)

    return be


def large():
    return {"model": nn.Sequential(nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, 2))}


def small():
    return {"model": nn.Linear(20, 2)}


def convolutional():
    return {"model": nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.LazyLinear(3))}


@pytest.mark.parametrize("flags", [AMX, AVX512], ids=["AMX", "AVX-512"])
def test_bf16_where_the_processor_multiplies_it_and_there_is_something_to_multiply(flags, machine):
    machine(flags)
    assert choose(Recipe(), large()).precision == "bf16"
    assert choose(Recipe(), convolutional()).precision == "bf16"
    assert choose(Recipe(), small()).precision == "float32"
    assert choose(Recipe(optimizer="lbfgs"), large()).precision == "float32"
    assert choose(Recipe(engine="plain"), large()).precision == "float32"


@pytest.mark.parametrize("flags", [set(), {"avx2"}, {"avx512f"}, {"amx_tile"}], ids=str)
def test_float32_where_it_does_not(flags, machine):
    machine(flags)
    found = choose(Recipe(), convolutional())
    assert found.precision == "float32"
    assert not FOR_BF16 & set(found.rules)
    assert set(found.rules) == set(RULES) - FOR_BF16


def test_rules_keep_their_order_and_bf16_has_all(machine):
    machine(AMX)
    assert choose(Recipe(), convolutional()).rules == tuple(RULES)


def test_channels_innermost_for_convolutions_only(machine):
    machine(set())
    assert choose(Recipe(), convolutional()).channels_last
    assert not choose(Recipe(), large()).channels_last
    assert not choose(Recipe(optimizer="lbfgs"), convolutional()).channels_last
    assert not choose(Recipe(engine="plain"), convolutional()).channels_last


def test_engine_plain_chooses_nothing(machine):
    machine(AMX)
    found = choose(Recipe(engine="plain"), convolutional())
    assert (found.precision, found.channels_last, found.fused, found.rules) == ("float32", False, False, ())
    assert not found.compile
    assert not found.graphs


BY_HAND = [
    ({"precision": "float32"}, {"precision": "float32"}),
    ({"precision": "bf16"}, {"precision": "bf16"}),
    ({"memory_format": "channels_last"}, {"channels_last": True}),
    ({"memory_format": "contiguous"}, {"channels_last": False}),
    ({"rewrite": "off"}, {"rules": ()}),
    ({"compile": "on"}, {"compile": True, "rules": ()}),
    ({"compile": "off"}, {"compile": False}),
    ({"prefetch": 3}, {"prefetch": 3}),
    ({"cuda_graphs": "off"}, {"graphs": False}),
]


@pytest.mark.parametrize(("asked", "chosen"), BY_HAND, ids=lambda value: str(value))
@pytest.mark.parametrize("flags", [set(), AMX], ids=["plain processor", "AMX"])
def test_what_is_set_by_hand_is_chosen(asked, chosen, flags, machine):
    machine(flags)
    found = choose(Recipe(**asked), convolutional())
    assert {name: getattr(found, name) for name in chosen} == chosen


def test_batches_that_are_not_made_here_cannot_be_made_ahead(tmp_path):
    own = torch.utils.data.TensorDataset(torch.randn(8, 3), torch.zeros(8, dtype=torch.long))
    for data in ("wine", (own, own)):
        with pytest.raises(EtudeError, match="only batches of pictures are made ahead") as raised:
            start_run(
                data, torch.nn.Linear(3, 3) if data != "wine" else None, prefetch=2, run_dir=tmp_path / "run"
            )
        assert "num_workers" in raised.value.text.zh
        assert not (tmp_path / "run").exists()


def test_what_is_set_by_hand_is_heeded(data, make):
    net = make.net()
    recipe = Recipe(
        epochs=1,
        steps=1,
        batch_size=16,
        precision="float32",
        memory_format="contiguous",
        rewrite="off",
        prefetch=2,
    )
    state = State.begin(Classification(net), recipe, 9)
    assert net[0].weight.is_contiguous()
    assert state.execution is state.task
    feed = as_feed(data, recipe, state.choices, state.task)
    assert feed._depth == 2
    first = next(iter(feed.batches(0)))
    assert torch.equal(
        first.inputs,
        next(iter(as_feed(data, Recipe(batch_size=16, prefetch=0), None, state.task).batches(0))).inputs,
    )
    seen = []
    handle = net.register_forward_hook(lambda module, inputs, outputs: seen.append(outputs.dtype))
    list(fit(state.task, feed, state=state))
    handle.remove()
    assert seen[0] == torch.float32
    state = State.begin(Classification(make.net()), Recipe(precision="bf16", memory_format="channels_last"), 9)
    assert state.task.model[4].weight.is_contiguous(memory_format=torch.channels_last)
    state.task.model.register_forward_hook(lambda module, inputs, outputs: seen.append(outputs.dtype))
    next(fit(state.task, data, state=state))
    assert seen[-1] == torch.bfloat16


def test_they_are_recorded_and_a_resume_uses_them_again(make, tmp_path, monkeypatch):
    from etude.train.start import resume_run

    settings = {
        "precision": "bf16",
        "memory_format": "contiguous",
        "rewrite": "off",
        "prefetch": 2,
        "compile": "off",
    }
    data = make.data()
    with start_run(data, make.net(), run_dir=tmp_path / "run", epochs=1, batch_size=16, **settings) as session:
        next(iter(session))
        made = session.state.choices
    record = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))
    recorded = [found for found in _objects(record) if {"precision", "channels_last", "prefetch"} <= set(found)]
    assert recorded
    assert choices_from_json(recorded[0]) == made
    assert (made.precision, made.channels_last, made.rules, made.prefetch) == ("bf16", False, (), 2)
    monkeypatch.setattr(devices, "processor_flags", frozenset)  # another machine would choose otherwise
    again = resume_run(tmp_path / "run", data=data, model=make.net())
    assert again.state.choices == made
    again.close()


def _objects(content):
    if isinstance(content, dict):
        yield content
        for value in content.values():
            yield from _objects(value)


def test_threads_set_by_hand_are_used_and_recorded(make, tmp_path):
    before = torch.get_num_threads()
    try:
        session = start_run(make.data(), make.net(), run_dir=tmp_path / "run", epochs=1, threads=1)
        assert torch.get_num_threads() == session.state.choices.threads == 1
        session.close()
    finally:
        torch.set_num_threads(before)


def test_choices_come_back_from_a_record():
    for found in (
        Choices("cpu", "bf16", True, True, 2, False, tuple(RULES), False, False, 1),
        choose(Recipe(), convolutional()),
    ):
        assert choices_from_json(json.loads(json.dumps(found.to_json()))) == found


def test_records_from_before_a_choice_there_was_mean_without_it():
    old = {"device": "cpu", "precision": "float32", "channels_last": False, "fused": True, "threads": 2, "flush_denormal": False}  # fmt: skip
    found = choices_from_json(old)
    assert (found.rules, found.compile, found.graphs, found.prefetch) == ((), False, False, 0)


@pytest.mark.parametrize("change", [{"unheard_of": 1}, {"fused": None}], ids=["unknown", "missing"])
def test_records_of_another_version_are_one_sentence(change):
    content = choose(Recipe(), small()).to_json()
    for name, value in change.items():
        if value is None:
            del content[name]
        else:
            content[name] = value
    with pytest.raises(EtudeError, match="another version"):
        choices_from_json(content)


def test_bf16_asked_for_where_the_processor_has_none_is_computed_or_told(machine, make):
    machine(set())
    recipe = Recipe(steps=2, batch_size=16, precision="bf16")
    losses = [
        r.losses["model"] for r in fit(Classification(make.net()), make.data(), recipe) if isinstance(r, Step)
    ]
    assert all(loss.isfinite() for loss in losses)


def test_bf16_where_torch_cannot_is_one_sentence(monkeypatch):
    monkeypatch.setattr(module, "multiplies_bf16", lambda device: False)
    with pytest.raises(EtudeError, match="bf16") as found:
        choose(Recipe(precision="bf16"), small())
    assert "float32" in found.value.text.zh
    assert choose(Recipe(precision="float32"), small()).precision == "float32"


def test_a_device_that_is_not_there_is_one_sentence(monkeypatch):
    with pytest.raises(EtudeError, match="cuda:63"):
        choose(Recipe(device="cuda:63"), small())


def test_settings_of_the_process_that_changed_are_told(monkeypatch):
    made = choose(Recipe(), small())
    assert differences(made) == []
    monkeypatch.setattr(torch, "get_num_threads", lambda: made.threads + 1)
    assert differences(made) == [f"threads {made.threads} -> {made.threads + 1}"]
