"""What an optimiser remembers, as tensors and JSON, and put back exactly."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from etude.train.combined import Combined, members_of

AnyOptimizer = torch.optim.Optimizer | Combined

_SCRATCH = "al"  # of L-BFGS: written before it is read in every iteration


def memory_tensors(optimizer: AnyOptimizer) -> dict[str, Tensor]:
    """The tensors, as ``parameter/key``; those of a list (L-BFGS's history) as ``parameter/key/place``."""
    found: dict[str, Tensor] = {}
    for index, values in _memories(optimizer):
        for key, value in values.items():
            if isinstance(value, Tensor):
                found[f"{index}/{key}"] = value
            elif isinstance(value, list):
                found |= {f"{index}/{key}/{place}": each for place, each in enumerate(value)}
    return found


def memory_content(optimizer: AnyOptimizer) -> dict[str, dict[str, Any]]:
    """All that is no tensor, by parameter and key; a list of tensors as ``{"length": n}``."""
    return {
        str(index): {
            key: {"length": len(value)} if isinstance(value, list) else value
            for key, value in values.items()
            if not isinstance(value, Tensor)
        }
        for index, values in _memories(optimizer)
        if values
    }


def restore_memory(optimizer: AnyOptimizer, content: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    """Make the memory of ``optimizer`` what it was when the two others were made."""
    for index, (member, parameter) in enumerate(_parameters(optimizer)):
        values: dict[str, Any] = {}
        for key, value in content.get(str(index), {}).items():
            length = value["length"] if isinstance(value, dict) else 0
            places = [_laid_out(tensors[f"{index}/{key}/{n}"], key, member, parameter) for n in range(length)]
            values[key] = places if isinstance(value, dict) else value
        for name, tensor in tensors.items():
            place, _, key = name.partition("/")
            if place == str(index) and "/" not in key:
                values[key] = _laid_out(tensor, key, member, parameter)
        if values:
            member.state[parameter] = values
        else:
            member.state.pop(parameter, None)


def _laid_out(tensor: Tensor, key: str, optimizer: torch.optim.Optimizer, parameter: Tensor) -> Tensor:
    """A saved tensor where it was, and as its parameter lies in memory (fused kernels rely on that)."""
    if tensor.shape == parameter.shape and tensor.ndim:
        return torch.empty_like(parameter, dtype=tensor.dtype).copy_(tensor)
    if key == "step" and not optimizer.defaults.get("fused"):
        return tensor.clone()
    return tensor.to(parameter.device, copy=True)


def _memories(optimizer: AnyOptimizer) -> Iterator[tuple[int, dict[str, Any]]]:
    for index, (member, parameter) in enumerate(_parameters(optimizer)):
        values = member.state.get(parameter, {})
        yield index, {key: value for key, value in values.items() if key != _SCRATCH}


def _parameters(optimizer: AnyOptimizer) -> Iterator[tuple[torch.optim.Optimizer, Tensor]]:
    for member in members_of(optimizer):
        for group in member.param_groups:
            for parameter in group["params"]:
                yield member, parameter
