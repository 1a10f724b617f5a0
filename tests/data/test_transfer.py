"""What chance draws on the CPU reaches pictures on another device by `send` alone: any other copy would wait for a GPU."""

from __future__ import annotations

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from etude.data import augment, color, cutout, mixup, stretch
from etude.data.augmentation import Augmentation
from etude.data.transfer import send

BATCH, SIDE = 6, 16


class Copies(TorchDispatchMode):
    """Counts the tensors that come from the CPU to the meta device, which computes shapes only."""

    count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        to = (kwargs or {}).get("device")
        if to is not None and torch.device(to).type == "meta" and any(_on_cpu(each) for each in args):
            self.count += 1
        if function is torch.ops.aten.copy_.default and args[0].is_meta and _on_cpu(args[1]):
            self.count += 1
        return function(*args, **(kwargs or {}))


def _on_cpu(value) -> bool:
    return isinstance(value, torch.Tensor) and value.device.type == "cpu"


def test_the_mode_sees_a_copy():
    with Copies() as copies:
        torch.zeros(3).to("meta")
        torch.empty(3, device="meta").copy_(torch.zeros(3))
        torch.zeros(3, device="meta").float()
    assert copies.count == 2


def test_what_is_there_already_stays_as_it_is():
    tensor = torch.arange(4)
    assert send(tensor, "cpu") is tensor
    assert send(tensor, torch.device("meta")).is_meta


@pytest.mark.parametrize(
    ("setting", "sent"),
    [
        ({"flip": True}, 1),
        ({"crop": True}, 1),
        ({"flip": True, "crop": True}, 2),
        ({"random_resized_crop": True}, 2),
        ({"color_jitter": 0.4}, 1),
        ({"cutout": 5}, 1),
        ({"mixup": 0.3}, 1),
    ],
)
def test_every_copy_is_made_by_send(setting, sent, monkeypatch):
    calls = []
    for module in (augment, color, cutout, mixup, stretch):
        monkeypatch.setattr(module, "send", lambda tensor, device: calls.append(tensor) or send(tensor, device))
    pixels = torch.zeros(BATCH, 3, SIDE, SIDE, dtype=torch.uint8, device="meta")
    labels = torch.zeros(BATCH, dtype=torch.int64, device="meta")
    chance = torch.Generator().manual_seed(0)
    varied = Augmentation(**setting)
    with Copies() as copies:
        pixels = varied.vary_pixels(pixels, chance)
        inputs, labels = varied.vary_inputs(pixels.float(), labels, chance, 4)
    assert inputs.shape == (BATCH, 3, SIDE, SIDE)
    assert inputs.is_meta
    assert copies.count == len(calls) == sent


def test_turning_the_hue_too(monkeypatch):
    calls = []
    monkeypatch.setattr(color, "send", lambda tensor, device: calls.append(tensor) or send(tensor, device))
    pixels = torch.zeros(BATCH, 3, SIDE, SIDE, dtype=torch.uint8, device="meta")
    with Copies() as copies:
        color.color_jitter(pixels, torch.Generator().manual_seed(0), 0.4, hue=0.1)
    assert copies.count == len(calls) == 3
