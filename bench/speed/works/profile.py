"""Where a step's time goes, and what of it the products alone would take at the machine's peak."""

from __future__ import annotations

from typing import Any

from bench.speed.bench import Bench
from bench.speed.numbers import significant, table
from bench.speed.process import run

CASES = (("lenet5", 64), ("mnistnet", 64), ("resnet20", 128), ("resnet18", 128))


class Profile:
    """étude's step of each network under torch's profiler, without the making of batches (`bench.speed.step_profile`)."""

    name = "profile"
    title = "Where the time of a step goes"

    def measure(self, bench: Bench) -> dict[str, Any]:
        cases = {}
        for net, batch_size in CASES[:1] if bench.quick else CASES:
            arguments = ["-m", "bench.speed.step_profile", f"--net={net}", f"--batch-size={batch_size}"]
            found = run([*arguments, f"--seconds={0.1 if bench.quick else 8}"], bench.environment).answer
            cases[f"{net}, batch {batch_size}"] = {"net": net, "batch_size": batch_size, **found}
            bench.say(f"profile: {net}, batch {batch_size}: {1e3 * found['step']:.1f} ms a step")
        return {"kind": "profile", "cases": cases}

    def show(self, found: dict[str, Any]) -> list[str]:
        peak = found.get("peak")
        groups = list(dict.fromkeys(group for case in found["cases"].values() for group in case["groups"]))
        rows = []
        for name, case in found["cases"].items():
            row = [name, significant(1e3 * case["step"])]
            if peak:
                least = peak["flops"][case["net"]] * case["batch_size"] / (peak["bf16"] * 1e12)
                row.append(significant(1e3 * least))
            row += [f"{100 * case['groups'].get(group, 0) / case['watched']:.0f} %" for group in groups]
            rows.append(row)
        head = ["", "a step, ms", *(["its products at the bf16 peak, ms"] if peak else []), *groups]
        return [
            "étude's step without the making of its batch, median; then the share of each kind of operation while torch's profiler "
            "watches (that makes small operations slower: of LeNet-5 it is a rough picture). Formats, copies: to bf16 and back, "
            "and from one memory layout to another.",
            "",
            *table(head, rows),
        ]


WORKS = (Profile(),)
