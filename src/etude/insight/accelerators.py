"""The graphics processors: those that torch can use, and those that NVIDIA's driver knows of."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

from etude.insight.hardware import run_program

_QUESTIONS = "name,memory.total,driver_version"


@dataclass(frozen=True)
class NvidiaCard:
    """A card that NVIDIA's driver reports, whether or not torch can use it."""

    name: str
    memory_bytes: int | None
    driver: str


@dataclass(frozen=True)
class Accelerator:
    """A device that torch can use.

    Args:
        device: ``cuda:0``, ``mps`` …
        memory_bytes: its own memory (MPS: what it may take of the main memory); None if it is not told.
        free_bytes: of that, free now; None if it is not told.
        capability: of CUDA, such as ``9.0``; empty elsewhere.
        bf16: computes products in bfloat16 without emulating it.
        error: what a first small computation answered; empty if it came out right.
    """

    device: str
    name: str
    memory_bytes: int | None
    free_bytes: int | None
    capability: str
    bf16: bool
    error: str = ""


@dataclass(frozen=True)
class TorchBuild:
    """What torch was built for: ``cpu``, ``cuda``, ``rocm`` or ``mps``; with the version of CUDA or ROCm.

    ``warning`` is what torch said when it was asked for its devices, such as that the driver is too old.
    """

    kind: str
    version: str
    capability: str
    warning: str = ""


def nvidia_cards() -> list[NvidiaCard]:
    """The cards that ``nvidia-smi`` lists; empty where there is no such program, or no driver."""
    return parse_nvidia_smi(
        run_program(["nvidia-smi", f"--query-gpu={_QUESTIONS}", "--format=csv,noheader,nounits"])
    )


def parse_nvidia_smi(text: str) -> list[NvidiaCard]:
    """The cards in the text of ``nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader,nounits``."""
    cards = []
    for line in text.splitlines():
        words = [word.strip() for word in line.split(",")]
        if len(words) == 3:
            mebibytes = int(words[1]) << 20 if words[1].isdecimal() else None
            cards.append(NvidiaCard(words[0], mebibytes, words[2]))
    return cards


def torch_accelerators() -> tuple[TorchBuild, list[Accelerator]]:
    """What torch was built for, and the devices beside the CPU that it can use.

    Raises:
        ImportError, OSError: torch cannot be imported.
    """
    import torch

    found: list[Accelerator] = []
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        if torch.cuda.is_available():
            found += [_cuda(index) for index in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        recommended = getattr(torch.mps, "recommended_max_memory", None)
        memory = recommended() if recommended else None
        found.append(Accelerator("mps", "Apple GPU", memory, None, "", True, _try("mps")))
    hip = getattr(torch.version, "hip", None)
    kind = "cuda" if torch.version.cuda else "rocm" if hip else "cpu"
    if kind == "cpu" and torch.backends.mps.is_built():
        kind = "mps"
    capability = torch.backends.cpu.get_cpu_capability()
    warning = " ".join(str(said[0].message).split()) if said else ""
    return TorchBuild(kind, torch.version.cuda or hip or "", capability, warning), found


def _cuda(index: int) -> Accelerator:
    import torch

    facts = torch.cuda.get_device_properties(index)
    device = f"cuda:{index}"
    error, free, bf16 = _try(device), None, False
    if not error:
        free = torch.cuda.mem_get_info(index)[0]
        with torch.cuda.device(index):
            bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
    capability = f"{facts.major}.{facts.minor}"
    return Accelerator(device, facts.name, facts.total_memory, free, capability, bf16, error)


def _try(device: str) -> str:
    """What goes wrong with a small computation: a card may be seen and yet be too old for this build of torch."""
    import torch

    try:
        total = torch.ones(4, device=device).add(1).sum().item()
    except RuntimeError as error:
        return str(error).splitlines()[0]
    return "" if total == 8 else f"1 + 1 came out as {total / 4}"
