"""What the engine chose for itself: recorded in the run, and used again by a resume."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from etude.core.devices import choose_device, has_amx_bf16
from etude.core.errors import EtudeError
from etude.train.optimizers import FUSED
from etude.train.recipe import Recipe


@dataclass(frozen=True)
class Choices:
    """How a run computes.

    Args:
        device: where.
        precision: ``"float32"`` or ``"bf16"``: the format of matrix products and convolutions (the weights
            and the optimiser stay in float32).
        channels_last: whether pictures and kernels lie in memory with their channels innermost.
        fused: whether the optimiser updates all parameters in one kernel.
        threads: how many threads compute on the CPU.
        flush_denormal: whether numbers too small for the format count as zero.
    """

    device: str
    precision: str
    channels_last: bool
    fused: bool
    threads: int
    flush_denormal: bool

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def choose(recipe: Recipe, modules: dict[str, nn.Module]) -> Choices:
    """What suits this machine and these modules best.

    Raises:
        EtudeError: the recipe asks for a device that is not there.
    """
    device = choose_device(recipe.device)
    fast = recipe.engine != "plain" and device.type in ("cpu", "cuda")
    convolutional = any(isinstance(m, nn.Conv2d) for module in modules.values() for m in module.modules())
    return Choices(
        device=str(device),
        precision=_precision(recipe, device),
        # torch's L-BFGS lays all gradients end to end, which those with their channels innermost do not allow
        channels_last=convolutional and fast and recipe.optimizer != "lbfgs",
        fused=fast and recipe.optimizer in FUSED,
        threads=torch.get_num_threads(),
        flush_denormal=flushes_denormals(),
    )


def flushes_denormals() -> bool:
    """Whether this thread computes with denormals flushed to zero (torch can set it but not tell)."""
    return (torch.tensor([1e-39]) * 1.0).item() == 0.0


def differences(recorded: Choices) -> list[str]:
    """Which process-wide settings differ from those of the run; a resume is exact only without any."""
    now = {"threads": torch.get_num_threads(), "flush_denormal": flushes_denormals()}
    return [
        f"{name} {getattr(recorded, name)} -> {value}"
        for name, value in now.items()
        if getattr(recorded, name) != value
    ]


def choices_from_json(content: dict[str, Any]) -> Choices:
    """The choices recorded in a run.

    Raises:
        EtudeError: they are those of another version of étude.
    """
    try:
        return Choices(**content)
    except TypeError:
        raise EtudeError(
            en="The run was made by another version of étude: its engine choices are not the ones known here. "
            "Train it anew, or resume it with the version named in its run.json.",
            zh="这次训练由另一版本的 étude 产生：其引擎选项与当前版本不符。请重新训练，或用 run.json 中的版本继续。",
        ) from None


def _precision(recipe: Recipe, device: torch.device) -> str:
    if recipe.precision != "auto":
        return recipe.precision
    if (
        recipe.engine == "plain" or recipe.optimizer == "lbfgs"
    ):  # a line search sees the rounding of bf16 as the function
        return "float32"
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    return "bf16" if device.type == "cpu" and has_amx_bf16() else "float32"
