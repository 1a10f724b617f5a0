"""How long a person waits until the first step is done, from Enter; and what of it is torch's own import."""

from __future__ import annotations

from typing import Any

from bench.speed.bench import Bench
from bench.speed.numbers import spread, table
from bench.speed.process import run

WAYS = {
    "python": ("Python itself", ["-c", "pass"]),
    "torch": ("`import torch`", ["-c", "import torch"]),
    "torchvision": ("`import torch, torchvision`", ["-c", "import torch, torchvision"]),
    "help": ("`etude --help`", ["-m", "etude", "--help"]),
    "etude": ("`etude train` to its first step", ["-m", "bench.speed.ways.first_step"]),
}


class FirstStep:
    """``etude train`` with nothing else said, ended by `bench.speed.ways.first_step` as soon as its first step is shown."""

    name = "first-step"
    title = "From Enter to the first step"

    def measure(self, bench: Bench) -> dict[str, Any]:
        found: dict[str, list[float]] = {way: [] for way in WAYS}
        for repeat in range(-1, bench.repeats):  # the first one warms up
            for way, (_, arguments) in WAYS.items():
                place = {"ETUDE_RUNS": str(bench.scratch / f"first-step-{repeat}")}
                ended = run(arguments, bench.environment | place)
                if repeat >= 0:
                    found[way].append(ended.seconds)
        bench.say(f"first-step: {spread(found['etude'])} s")
        return {"kind": "first-step", "seconds": found}

    def show(self, found: dict[str, Any]) -> list[str]:
        rows = [[WAYS[way][0], spread(seconds)] for way, seconds in found["seconds"].items()]
        return ["Fashion-MNIST and LeNet-5; median (least to greatest).", "", *table(["", "s"], rows)]


WORKS = (FirstStep(),)
