"""A sentence for each choice, in both languages, that names the setting where a person asked."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from etude import load_data
from etude.core import devices
from etude.data.kept import KeptPictures
from etude.train import explain as module
from etude.train.choices import Choices
from etude.train.execution.rules import RULES
from etude.train.explain import explain
from etude.train.recipe import Recipe

CPU = Choices("cpu", "bf16", True, True, 2, True, tuple(RULES), False, False, 0)
CUDA = Choices("cuda", "bf16", True, True, 2, False, (), False, True, 2)
MPS = Choices("mps", "float32", True, False, 2, False)
PLAIN = Choices("cpu", "float32", False, False, 2, False)

CASES = {
    "cpu": (CPU, Recipe()),
    "cpu, float32": (replace(CPU, precision="float32", rules=("relu_after_pool",)), Recipe()),
    "cpu, few threads": (replace(CPU, threads=1), Recipe(threads=1)),
    "plain": (PLAIN, Recipe(engine="plain")),
    "lbfgs": (replace(PLAIN, rules=("relu_after_pool",)), Recipe(optimizer="lbfgs")),
    "compiled": (replace(CPU, rules=(), compile=True), Recipe(compile="on")),
    "by hand": (
        replace(CPU, rules=(), channels_last=False, prefetch=3),
        Recipe(precision="bf16", memory_format="contiguous", rewrite="off", compile="off", threads=2, prefetch=3, device="cpu"),
    ),
    "cuda": (CUDA, Recipe()),
    "cuda:1": (replace(CUDA, device="cuda:1", graphs=False), Recipe(device="cuda:1", cuda_graphs="off")),
    "mps": (MPS, Recipe()),
}  # fmt: skip


@pytest.fixture(autouse=True)
def _without_gpu(monkeypatch):
    def fail(*_):
        raise AssertionError("Torch not compiled with CUDA enabled")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "get_device_name", fail)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("flags", [set(), {"avx512_bf16"}, {"amx_tile", "amx_bf16", "avx512_bf16"}], ids=str)
def test_a_sentence_for_each_choice_on_any_machine(case, flags, monkeypatch):
    monkeypatch.setattr(devices, "processor_flags", lambda: frozenset(flags))
    choices, recipe = CASES[case]
    sentences = explain(choices, recipe)
    assert len(sentences) == (8 if choices.device == "cpu" else 7)
    assert len({text.en for text in sentences}) == len(sentences)
    for text in sentences:
        assert len(text.en) > 10
        assert not re.search(r"[\u4e00-\u9fff，。：；（）]", text.en)
        assert re.search(r"[\u4e00-\u9fff]", text.zh)
        # half-width marks do not stand beside Chinese characters
        assert not re.search(r"[\u4e00-\u9fff] ?[,;:!?()]|[,;:!?()] ?[\u4e00-\u9fff]", text.zh), text.zh
    whole = " ".join(text.en for text in sentences)
    assert choices.device in whole
    assert choices.precision in whole
    assert ("AVX-512" in whole) <= ("avx512_bf16" in flags)
    assert ("AMX" in whole) <= ("amx_tile" in flags)


def _said(choices, recipe):
    return [(text.en, text.zh) for text in explain(choices, recipe)]


@pytest.mark.parametrize(
    ("setting", "value", "changed"),
    [("precision", "bf16", {}), ("precision", "float32", {"precision": "float32"}), ("threads", 2, {}), ("prefetch", 0, {}),
     ("prefetch", 4, {"prefetch": 4}), ("device", "cpu", {}), ("memory_format", "channels_last", {}),
     ("memory_format", "contiguous", {"channels_last": False}), ("rewrite", "off", {"rules": ()}),
     ("compile", "on", {"compile": True, "rules": ()}), ("compile", "off", {})],
)  # fmt: skip
def test_what_was_asked_for_is_named(setting, value, changed):
    choices = replace(CPU, **changed)
    asked = _said(choices, Recipe(**{setting: value}))
    by_itself = _said(choices, Recipe())
    naming = [pair for pair in asked if f"asked for by {setting}" in pair[0]]
    assert len(naming) == 1
    assert f"由 {setting} 指定" in naming[0][1]
    if setting != "compile":
        assert not any(f"by {setting}" in en for en, _ in by_itself)


def test_cuda_graphs_turned_off_are_named():
    choices, recipe = CASES["cuda:1"]
    assert any("asked for by cuda_graphs" in en for en, _ in _said(choices, recipe))


def test_a_gpu_that_is_there_is_named(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(
        torch.cuda, "get_device_name", lambda device: f"Model {torch.device(device).index or 0}"
    )
    assert "Model 0" in explain(CUDA, Recipe())[0].en
    assert "Model" not in explain(replace(CUDA, device="cuda:1"), Recipe())[0].en  # a machine with fewer


def test_every_rule_that_is_used_is_told():
    rules = explain(CPU, Recipe())[3]
    for words in module.WORDS.values():
        assert words.en in rules.en
        assert words.zh in rules.zh


def test_where_batches_come_from_is_told_of_each_kind_of_data(tmp_path):
    pictures = load_data("digits")
    kept = replace(
        pictures,
        train=replace(
            pictures.train,
            images=KeptPictures(np.zeros(64, np.uint8), np.zeros(1, np.int64), np.full((1, 2), 8), (1, 8, 8)),
        ),
    )
    told = {
        name: explain(CPU, Recipe(), data)[-1]
        for name, data in {"memory": pictures, "table": load_data("wine"), "kept": kept, "own": None}.items()
    }
    assert told["memory"] == told["table"]
    assert "gather from memory" in told["memory"].en
    assert "kept" in told["kept"].en
    assert "DataLoader" in told["own"].en
    assert len({text.zh for text in told.values()}) == 3


def test_threads_say_why_they_are_fewer(monkeypatch):
    monkeypatch.setattr(module.os, "cpu_count", lambda: 8)
    assert "busy" in " ".join(en for en, _ in _said(CPU, Recipe()))
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert "OMP_NUM_THREADS" in " ".join(en for en, _ in _said(CPU, Recipe()))


def test_omp_num_threads_is_named_only_where_it_is_what_is_used(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert "OMP_NUM_THREADS" not in " ".join(en for en, _ in _said(CPU, Recipe()))


def test_more_threads_than_cores_are_told(monkeypatch):
    monkeypatch.setattr(module.os, "cpu_count", lambda: 8)
    many = replace(CPU, threads=9)
    assert "more than the 8 cores" in " ".join(en for en, _ in _said(many, Recipe(threads=9)))
    assert "more than" not in " ".join(en for en, _ in _said(CPU, Recipe(threads=2)))


def test_the_plain_engine_is_the_reason_for_all_that_it_leaves_out():
    said = [en for en, _ in _said(PLAIN, Recipe(engine="plain"))]
    assert sum("engine plain" in en for en in said) == 4  # precision, operations, compiler, optimiser
