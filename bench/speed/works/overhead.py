"""What ``fit`` costs over the same loop written by hand: the same network, tricks and batches, in one process."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Any

from bench.speed.bench import Bench
from bench.speed.numbers import spread, table
from bench.speed.process import run

CASES = (("lenet5", 64), ("mnistnet", 64), ("resnet20", 128))


@dataclass(frozen=True)
class Overhead:
    """Blocks of steps of `etude.train.fit.fit` and of the raw loop take turns (`bench.speed.raw_loop`)."""

    name: str = "overhead"
    title: str = "`fit` against the same loop written by hand"

    def measure(self, bench: Bench) -> dict[str, Any]:
        cases = {}
        for net, batch_size in CASES[:1] if bench.quick else CASES:
            blocks = "2" if bench.quick else "30"
            arguments = [
                "-m",
                "bench.speed.raw_loop",
                f"--net={net}",
                f"--batch-size={batch_size}",
                f"--blocks={blocks}",
            ]
            cases[f"{net}, batch {batch_size}"] = run(arguments, bench.environment).answer
            bench.say(
                f"overhead: {net}, batch {batch_size}: {overhead(cases[f'{net}, batch {batch_size}']):.4f}"
            )
        return {"kind": "overhead", "cases": cases}

    def show(self, found: dict[str, Any]) -> list[str]:
        rows = [
            [
                case,
                spread([1e6 * each for each in times["raw"]], 4),
                spread([1e6 * each for each in times["fit"]], 4),
                f"{overhead(times):.4f}",
            ]
            for case, times in found["cases"].items()
        ]
        return [
            "One process; the same batches, executed network, autocast, memory format and fused optimiser in both. Blocks of steps "
            "take turns; the ratio is the median over pairs of blocks.",
            "",
            *table(["", "by hand, µs a step", "fit, µs a step", "fit ÷ by hand"], rows),
        ]


def overhead(times: dict[str, list[float]]) -> float:
    """How many times as long ``fit`` takes: the median over pairs of neighbouring blocks."""
    return median(fit / raw for fit, raw in zip(times["fit"], times["raw"]))


def worst(found: dict[str, Any]) -> float:
    return max(overhead(times) for times in found["cases"].values())


WORKS = (Overhead(),)
