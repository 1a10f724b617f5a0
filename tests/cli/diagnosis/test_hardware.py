"""Machines that are not this one: cards that lie idle, drivers too old, containers, little memory."""

from __future__ import annotations

import pytest

from etude.cli.diagnosis import hardware
from etude.cli.diagnosis.advice import System
from etude.cli.diagnosis.finding import Section
from etude.core.text import Text
from etude.insight.accelerators import Accelerator, NvidiaCard, TorchBuild
from etude.insight.hardware import Cores, Cpu, Memory

DEBIAN = System("debian", "Debian 13", "x86_64")
WINDOWS = System("windows", "Windows 11", "AMD64")
CARD = NvidiaCard("NVIDIA GeForce RTX 4090", 24 << 30, "550.54")


def section() -> Section:
    return Section("machine", Text(en="Machine", zh="机器"))


def test_a_card_that_a_cpu_build_leaves_idle():
    found = section()
    hardware.add_devices(found, WINDOWS, TorchBuild("cpu", "", "AVX2"), [], [CARD])
    assert found.findings[0].state == "improvable"
    assert "RTX 4090" in found.findings[0].advice.zh
    assert found.findings[0].command.endswith("/cu126")


def test_a_cuda_build_without_any_card_is_fine():
    found = section()
    hardware.add_devices(found, DEBIAN, TorchBuild("cuda", "13.0", "AVX2"), [], [])
    assert [each.state for each in found.findings] == ["fine"]
    assert "CPU" in found.findings[0].value.en


def test_a_driver_too_old_for_the_build():
    found = section()
    build = TorchBuild("cuda", "13.0", "AVX2", "The NVIDIA driver on your system is too old")
    hardware.add_devices(found, DEBIAN, build, [], [CARD])
    assert found.findings[0].state == "improvable"
    assert "550.54" in found.findings[0].advice.en
    assert "too old" in found.findings[0].value.en
    assert found.findings[0].command.endswith("/cu126")


def test_a_card_that_works_and_one_that_does_not():
    found = section()
    good = Accelerator("cuda:0", "NVIDIA H100", 80 << 30, 79 << 30, "9.0", True)
    bad = Accelerator("cuda:1", "GTX 1080", 8 << 30, None, "6.1", False, "no kernel image is available")
    hardware.add_devices(found, DEBIAN, TorchBuild("cuda", "13.0", "AVX2"), [good, bad], [CARD])
    states = {each.name: each.state for each in found.findings}
    assert states == {"torch_build": "fine", "cuda:0": "fine", "cuda:1": "broken"}
    assert "80.0 GiB" in found.findings[1].value.en
    assert "no kernel image" in found.findings[2].value.zh


@pytest.mark.parametrize(
    ("threads", "cores", "state"),
    [
        (8, Cores(4, 8, 8, 2.0), "improvable"),  # a container's limit that torch does not see
        (1, Cores(4, 4, 4, None), "improvable"),
        (4, Cores(4, 8, 8, None), "fine"),  # one for each physical core, as torch does it
        (2, Cores(2, 2, 2, None), "fine"),
    ],
)
def test_threads_are_held_against_the_cores(monkeypatch, threads, cores, state):
    import torch

    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    found = section()
    hardware._threads(found, DEBIAN, cores)
    assert found.findings[0].state == state
    assert found.findings[0].command == (f"export OMP_NUM_THREADS={cores.usable}" if state != "fine" else None)


def test_little_memory_and_an_old_processor(monkeypatch):
    monkeypatch.setattr(hardware, "read_cpu", lambda: Cpu("Old", "x86_64", ("NEON",), None))
    monkeypatch.setattr(hardware, "read_memory", lambda: Memory(8 << 30, 4 << 30, 2 << 30, 1 << 30))
    found = {each.name: each for each in hardware.examine(DEBIAN, [], torch_works=False).findings}
    assert found["processor"].state == "improvable"
    assert found["memory"].state == "improvable"
    assert "2.0 GiB" in found["memory"].value.en
    assert "device" not in found


@pytest.mark.parametrize("flags", [set(), {"avx512_bf16"}, {"amx_tile", "amx_bf16"}], ids=str)
def test_the_precision_told_is_that_of_a_run_with_large_layers(monkeypatch, flags):
    import torch
    from torch import nn

    from etude.core import devices
    from etude.train.choices import choose
    from etude.train.recipe import Recipe

    monkeypatch.setattr(devices, "processor_flags", lambda: frozenset(flags))
    monkeypatch.setattr(devices, "choose_device", lambda _="auto": torch.device("cpu"))
    found = section()
    hardware._devices(found, DEBIAN, Cpu("Any", "x86_64", (), None), Cores(2, 2, 2, None), [])
    chosen = choose(Recipe(device="cpu"), {"model": nn.Conv2d(3, 16, 3)})
    assert found.facts["precision"] == chosen.precision
    assert (chosen.precision == "bf16") == bool(flags)
