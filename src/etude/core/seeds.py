"""Randomness that can be repeated: seeds derived from names, generator states saved and put back."""

from __future__ import annotations

import hashlib
import random
from typing import Any


def derive_seed(*parts: int | str) -> int:
    """A seed in [0, 2⁶³) that depends on all ``parts`` and on nothing else.

    Streams derived from different parts are independent for all practical purposes, so the order of
    epoch 7 can be known without drawing those of epochs 0 to 6.
    """
    text = "\x1f".join(f"{type(part).__name__}:{part}" for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


def seed_everything(seed: int) -> None:
    """Seed the default generators of Python, NumPy and torch (the CPU's and every GPU's)."""
    import numpy
    import torch

    random.seed(seed)
    numpy.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def generator_states() -> dict[str, Any]:
    """The states of the default generators. Tensors (``torch``, ``cuda``) are uint8; the rest is plain JSON."""
    import numpy
    import torch

    kind, keys, position, has_gauss, gauss = numpy.random.get_state()
    version, internal, gauss_next = random.getstate()
    return {
        "torch": torch.get_rng_state(),
        "cuda": list(torch.cuda.get_rng_state_all()) if torch.cuda.is_available() else [],
        "mps": torch.mps.get_rng_state().tolist() if torch.backends.mps.is_available() else [],
        "numpy": [kind, [int(key) for key in keys], int(position), int(has_gauss), float(gauss)],
        "python": [version, list(internal), gauss_next],
    }


def restore_generators(states: dict[str, Any]) -> None:
    """Put back what `generator_states` returned."""
    import numpy
    import torch

    torch.set_rng_state(states["torch"])
    if states["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(states["cuda"])
    if states.get("mps") and torch.backends.mps.is_available():  # older checkpoints have none
        torch.mps.set_rng_state(torch.tensor(states["mps"], dtype=torch.uint8))
    kind, keys, position, has_gauss, gauss = states["numpy"]
    numpy.random.set_state((kind, numpy.array(keys, dtype=numpy.uint32), position, has_gauss, gauss))
    version, internal, gauss_next = states["python"]
    random.setstate((version, tuple(internal), gauss_next))
