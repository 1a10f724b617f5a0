"""Generator states saved and put back, those of a device that this machine need not have among them."""

from __future__ import annotations

import json

import torch

from etude.core.seeds import generator_states, restore_generators


def test_the_state_of_mps_is_plain_json_and_comes_back(monkeypatch):
    state, put_back = torch.tensor([3, 0, 255, 17], dtype=torch.uint8), []
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.mps, "get_rng_state", lambda: state)
    monkeypatch.setattr(torch.mps, "set_rng_state", put_back.append)
    states = generator_states()
    states["mps"] = json.loads(json.dumps(states["mps"]))  # as a checkpoint keeps it
    restore_generators(states)
    (found,) = put_back
    assert found.dtype == torch.uint8
    assert torch.equal(found, state)


def test_states_without_mps_and_of_another_machine_are_taken(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(torch.mps, "set_rng_state", lambda _: 1 / 0)
    states = generator_states()
    expected = torch.rand(3)
    for other in ({**states, "mps": [1, 2]}, {name: each for name, each in states.items() if name != "mps"}):
        restore_generators(other)
        assert torch.equal(torch.rand(3), expected)
