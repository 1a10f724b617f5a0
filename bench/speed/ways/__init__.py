"""The ways to train: one file each, run as a process of its own."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec


@dataclass(frozen=True)
class Way:
    """One way to train.

    Args:
        title: what it is, in a table.
        needs: the packages it imports, beside torch.
    """

    title: str
    needs: tuple[str, ...] = ()

    @property
    def missing(self) -> list[str]:
        return [name for name in self.needs if find_spec(name) is None]


_ETUDE = ("pydantic", "safetensors", "matplotlib", "rich")

WAYS = {
    "plain": Way("DataLoader loop (pytorch/examples)", ("torchvision",)),
    "lightning": Way("Lightning", ("lightning", "torchvision")),
    "keras_jax": Way("Keras on JAX", ("keras", "jax")),
    "keras_torch": Way("Keras on torch", ("keras",)),
    "fastai": Way("fastai", ("fastai", "torchvision")),
    "skorch": Way("skorch (Dataset)", ("skorch", "torchvision")),
    "skorch_arrays": Way("skorch (arrays)", ("skorch",)),
    "raw": Way("hand-tuned torch loop"),
    "etude": Way("étude", _ETUDE),
    "etude_float32": Way("étude, float32", _ETUDE),
    "etude_plain": Way("étude, engine plain", _ETUDE),
}
