"""What the engine chose for itself: recorded in the run, and used again by a resume."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from etude.core.devices import choose_device, has_amx_bf16, has_avx512_bf16, multiplies_bf16
from etude.core.errors import EtudeError
from etude.data.dataset import ImageData
from etude.data.residence import lie_on
from etude.train.execution.rules import FOR_BF16, RULES, SMALL_MATRIX
from etude.train.optimizers import FUSED
from etude.train.recipe import Recipe

_AHEAD = 2  # batches: one that is ready, one under way


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
        rules: the rewritings of the network that is executed (`etude.train.execution.rules`).
        compile: whether ``torch.compile`` makes the program that is executed.
        graphs: whether whole steps are recorded as CUDA graphs and played again.
        prefetch: batches made ahead in a thread while others are trained on.
        cudnn_benchmark: whether cuDNN times its algorithms and keeps the fastest.
        tf32: whether float32 matrix products of a GPU use TF32.
    """

    device: str
    precision: str
    channels_last: bool
    fused: bool
    threads: int
    flush_denormal: bool
    rules: tuple[str, ...] = ()
    compile: bool = False
    graphs: bool = False
    prefetch: int = 0
    cudnn_benchmark: bool = False
    tf32: bool = False

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def choose(recipe: Recipe, modules: dict[str, nn.Module], data: Any = None) -> Choices:
    """What suits this machine, these modules and this data best.

    Raises:
        EtudeError: the recipe asks for a device that is not there, for bf16 where it cannot be computed, or for batches made
            ahead of data whose batches are not made here.
    """
    device = choose_device(recipe.device)
    fast = recipe.engine != "plain" and device.type in ("cpu", "cuda")
    fused = fast and recipe.optimizer in FUSED
    convolutional = has_convolutions(modules)
    precision = _precision(recipe, device, convolutional or has_large_matrices(modules))
    return Choices(
        device=str(device),
        precision=precision,
        channels_last=_channels_last(recipe, fast and convolutional),
        fused=fused,
        threads=torch.get_num_threads(),
        flush_denormal=flushes_denormals(),
        rules=_rules(recipe, device, precision),
        compile=recipe.compile == "on",
        graphs=_graphs(recipe, device, fused),
        prefetch=_prefetch(recipe, data, device),
        cudnn_benchmark=torch.backends.cudnn.benchmark,
        tf32=multiplies_tf32(),
    )


def has_convolutions(modules: dict[str, nn.Module]) -> bool:
    """Whether a layer of ``modules`` is a two-dimensional convolution."""
    return any(isinstance(m, nn.Conv2d) for module in modules.values() for m in module.modules())


def has_large_matrices(modules: dict[str, nn.Module]) -> bool:
    """Whether a fully connected layer of ``modules`` has 65,536 weights or more."""
    layers = [m for module in modules.values() for m in module.modules() if isinstance(m, nn.Linear)]
    return any(layer.weight.numel() >= SMALL_MATRIX for layer in layers)


def flushes_denormals() -> bool:
    """Whether this thread computes with denormals flushed to zero (torch can set it but not tell)."""
    return (torch.tensor([1e-39]) * 1.0).item() == 0.0


def multiplies_tf32() -> bool:
    """Whether this process lets float32 matrix products be computed in TF32, on a GPU that has it."""
    return str(torch.backends.cuda.matmul.fp32_precision) == "tf32"


def differences(recorded: Choices) -> list[str]:
    """Which process-wide settings differ from those of the run; a resume is exact only without any."""
    now: dict[str, Any] = {"threads": torch.get_num_threads(), "flush_denormal": flushes_denormals()}
    if torch.device(recorded.device).type == "cuda":
        now |= {"cudnn_benchmark": torch.backends.cudnn.benchmark, "tf32": multiplies_tf32()}
    return [
        f"{name} {getattr(recorded, name)} -> {value}"
        for name, value in now.items()
        if getattr(recorded, name) != value
    ]


def choices_from_json(content: dict[str, Any]) -> Choices:
    """The choices recorded in a run.

    Raises:
        EtudeError: they are those of another version of étude, or of a device that is not there.
    """
    try:
        choices = Choices(**content | {"rules": tuple(content.get("rules", ()))})
    except TypeError:
        raise EtudeError(
            en="The run was made by another version of étude: its engine choices are not the ones known here. "
            "Train it anew, or resume it with the version named in its run.json.",
            zh="这次训练由另一版本的 étude 产生：其引擎选项与当前版本不符。请重新训练，或用 run.json 中的版本继续。",
        ) from None
    try:
        choose_device(choices.device)
    except EtudeError:
        raise EtudeError(
            en=f"The run was trained on device '{choices.device}', which this machine does not have; resume it where there is "
            "one, or begin a new run with its weights (--weights).",
            zh=f"这次训练使用的设备是“{choices.device}”，而本机没有该设备；请在有该设备的机器上继续，或用它的权重开始新的训练（--weights）。",
        ) from None
    return choices


def _precision(recipe: Recipe, device: torch.device, heavy: bool) -> str:
    if recipe.precision == "bf16" and not multiplies_bf16(device):
        raise EtudeError(
            en=f"precision is bf16, which torch {torch.__version__} cannot compute on {device} here; use float32, or auto to "
            "take the best there is.",
            zh=f"precision 为 bf16，但此处的 torch {torch.__version__} 无法在 {device} 上计算 bf16；请用 float32，或用 auto 自动选择。",
        )
    if recipe.precision != "auto":
        return recipe.precision
    if (
        recipe.engine == "plain" or recipe.optimizer == "lbfgs"
    ):  # a line search sees the rounding of bf16 as the function
        return "float32"
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    # a network without large products has nothing to gain: rounding costs more than the products do
    return "bf16" if device.type == "cpu" and heavy and (has_amx_bf16() or has_avx512_bf16()) else "float32"


def _prefetch(recipe: Recipe, data: Any, device: torch.device) -> int:
    """Ahead only where pictures come to a GPU from outside: elsewhere a thread of its own takes what training needs."""
    if recipe.prefetch and data is not None and not isinstance(data, ImageData):
        raise EtudeError(
            en=f"prefetch is {recipe.prefetch}, but only batches of pictures are made ahead by étude: those of a table need no "
            "time, and a DataLoader of your own has num_workers for it. Leave prefetch out.",
            zh=f"prefetch 为 {recipe.prefetch}，但 étude 只为图片提前准备批次：表格的批次不费时间，自己的 DataLoader 可用 num_workers。请去掉 prefetch。",
        )
    if recipe.prefetch is not None:
        return recipe.prefetch
    if device.type != "cuda" or not isinstance(data, ImageData):
        return 0
    return 0 if lie_on(data.train.images, device) else _AHEAD


def _channels_last(recipe: Recipe, suits: bool) -> bool:
    if recipe.memory_format != "auto":
        return recipe.memory_format == "channels_last"
    # torch's L-BFGS lays all gradients end to end, which those with their channels innermost do not allow
    return suits and recipe.optimizer != "lbfgs"


def _rules(recipe: Recipe, device: torch.device, precision: str) -> tuple[str, ...]:
    """On a CPU only: elsewhere the kernels are others, and so is what they are slow at."""
    if recipe.engine == "plain" or recipe.rewrite == "off" or recipe.compile == "on" or device.type != "cpu":
        return ()
    return tuple(name for name in RULES if precision == "bf16" or name not in FOR_BF16)


def _graphs(recipe: Recipe, device: torch.device, fused: bool) -> bool:
    """Captured are updates that the GPU can skip by itself, where a loss is not finite."""
    if device.type != "cuda" or not fused or recipe.optimizer == "adagrad" or recipe.compile == "on":
        return False
    return recipe.cuda_graphs == "auto"
