"""bf16 that is asked for where it cannot be computed; batches made ahead; settings of the process that are remembered."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import torch

from etude.core.errors import EtudeError
from etude.data import residence
from etude.tasks.classification import Classification
from etude.train import choices as chosen
from etude.train.choices import choices_from_json, choose, differences
from etude.train.feed import as_feed
from etude.train.fit import Step, fit
from etude.train.recipe import Recipe

HALF_WIDTH = re.compile(r"[\u4e00-\u9fff][,.:;?!()]|[,.:;?!()][\u4e00-\u9fff]")
CUDA = torch.device("cuda")


def test_bf16_is_refused_in_one_sentence_where_it_cannot_be_computed(make, monkeypatch):
    modules = {"model": make.net()}
    assert choose(Recipe(precision="bf16", device="cpu"), modules).precision == "bf16"
    monkeypatch.setattr(torch.amp, "is_autocast_available", lambda _: False)
    with pytest.raises(EtudeError, match="precision is bf16") as told:
        choose(Recipe(precision="bf16", device="cpu"), modules)
    assert "bf16" in told.value.text.zh
    assert not HALF_WIDTH.search(told.value.text.zh)
    for precision in ("auto", "float32"):  # these never fail for want of it
        choose(Recipe(precision=precision, device="cpu"), modules)


@pytest.mark.parametrize("free", [1, 1 << 40])
def test_batches_are_made_ahead_where_pictures_come_to_the_gpu_from_outside(free, data, monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (free, 1 << 40))
    assert chosen._prefetch(Recipe(), data, CUDA) == (2 if free == 1 else 0)
    assert chosen._prefetch(Recipe(), data, torch.device("cpu")) == 0
    assert chosen._prefetch(Recipe(), data, torch.device("mps")) == 0
    assert chosen._prefetch(Recipe(), object(), CUDA) == 0


def test_pictures_that_do_not_fit_into_memory_are_nowhere_but_on_the_cpu(data, monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (1 << 40, 1 << 40))
    monkeypatch.setattr(residence, "fits_memory", lambda _: False)
    found = {kind: residence.lie_on(data.train.images, torch.device(kind)) for kind in ("cpu", "cuda", "mps")}
    assert found == {"cpu": True, "cuda": False, "mps": False}


def test_what_is_asked_for_is_done_and_changes_nothing(data, make):
    runs = []
    for prefetch in (None, 3):
        recipe = Recipe(epochs=2, batch_size=16, augment=True, prefetch=prefetch, device="cpu")
        task = Classification(make.net(dropout=0.2))
        choices = choose(recipe, dict(task.modules), data)
        assert choices.prefetch == (prefetch or 0)
        assert as_feed(data, recipe, choices, task)._depth == (prefetch or 0)
        torch.manual_seed(1)
        runs.append(
            [record.losses["model"].item() for record in fit(task, data, recipe) if isinstance(record, Step)]
        )
    assert runs[0] == runs[1]
    assert len(runs[0]) == 20


def test_settings_of_the_process_that_change_what_a_gpu_computes_are_compared(make):
    made = choose(Recipe(device="cpu"), {"model": make.net()})
    there = replace(made, cudnn_benchmark=not made.cudnn_benchmark, tf32=not made.tf32)
    assert differences(there) == []  # on a CPU they do not matter
    told = differences(replace(there, device="cuda"))
    assert [each.split()[0] for each in told] == ["cudnn_benchmark", "tf32"]
    old = {name: value for name, value in made.to_json().items() if name not in ("cudnn_benchmark", "tf32")}
    assert choices_from_json(old) == replace(made, cudnn_benchmark=False, tf32=False)


def test_tf32_is_seen_however_it_was_asked_for():
    before = torch.backends.cuda.matmul.fp32_precision
    try:
        for precision, expected in (("ieee", False), ("tf32", True)):
            torch.backends.cuda.matmul.fp32_precision = precision
            assert chosen.multiplies_tf32() == expected
    finally:
        torch.backends.cuda.matmul.fp32_precision = before
    torch.set_float32_matmul_precision("high")
    try:
        assert chosen.multiplies_tf32()
    finally:
        torch.set_float32_matmul_precision("highest")
        torch.backends.cuda.matmul.fp32_precision = before


def test_a_run_of_a_device_that_is_not_here_is_told_in_one_sentence(make):
    content = choose(Recipe(device="cpu"), {"model": make.net()}).to_json() | {"device": "cuda:77"}
    with pytest.raises(EtudeError, match=r"cuda:77.*--weights") as told:
        choices_from_json(content)
    assert not HALF_WIDTH.search(told.value.text.zh)
