"""``results.json``, the raw numbers, and ``RESULTS.md``, made from them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench.speed.numbers import significant
from bench.speed.sizes import show_sizes
from bench.speed.targets import targets_table
from bench.speed.works import list_works


def read_results(path: Path) -> dict[str, Any]:
    """What was measured before, by the name of the work; empty if nothing was."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def write_results(results: dict[str, Any], out: Path) -> None:
    """Write ``out`` and, beside it, ``results.json``."""
    out.parent.mkdir(parents=True, exist_ok=True)
    (out.parent / "results.json").write_text(
        json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    out.write_text("\n".join(render(results)) + "\n", encoding="utf-8")


def render(results: dict[str, Any]) -> list[str]:
    """The whole of ``RESULTS.md``."""
    works = list_works()
    measured = [name for name in works if name in results]
    lines = [
        "# How fast étude is, beside what learners use today",
        "",
        "Written by `python -m bench` (see [README.md](README.md)); the raw numbers are in `results.json`.",
        "",
        "**How it is measured.** Every time is that of a whole process, from Enter to its end. The time for an image is what a long "
        "process takes longer than a short one, by the images that it sees more: loading, training and the validation after each "
        "epoch count, imports and the end do not. All ways take turns, and a first round does not count. The peers are written as "
        "their own examples are (`bench/speed/ways/`), with their defaults, malloc and threads included. Networks, optimiser, "
        "batches, and the number of pictures trained on and validated are the same; the test accuracy stands beside each time.",
        "",
        *_targets(results, measured),
    ]
    machine: Any = None
    for name in [*measured, *(["sizes"] if "sizes" in results else [])]:
        found = results[name]
        title = works[name].title if name in works else "Cost against size"
        lines += ["", f"## {title}", ""]
        if found["machine"] != machine:
            machine = found["machine"]
            lines += [*describe(machine), ""]
        lines += [_when(found), ""]
        lines += works[name].show(found) if name in works else show_sizes(found)
    return lines


def describe(machine: dict[str, Any]) -> list[str]:
    """The machine, in a few lines."""
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    has = ", ".join(machine["has"]) or "none of the known extensions"
    lacks = f"; without {', '.join(machine['has not'])}" if machine["has not"] else ""
    return [
        f"Machine: {machine['processor']}, {machine['cores']} cores, with {has}{lacks}; "
        f"{machine['gpu'] or 'no GPU'}; {machine['system']}.",
        f"Python {machine['python']}, {versions}.",
    ]


def _when(found: dict[str, Any]) -> str:
    moment, peak = found["moment"], found.get("peak")
    words = f"{moment['date']}, load before it {moment['load']}"
    if peak:
        words += f"; peak of a matrix product {significant(peak['bf16'])} TFLOP/s in bf16, {significant(peak['float32'])} in float32"
    if found["threads"]:
        words += f"; {found['threads']} thread{'s' if found['threads'] > 1 else ''} asked for"
    return words + "."


def _targets(results: dict[str, Any], measured: list[str]) -> list[str]:
    """The table of targets; a few pictures measured once say nothing of them."""
    full = [name for name in measured if not results[name].get("quick")]
    if not full:
        return ["(Only tried, with a few pictures: the times below mean nothing.)"]
    return [
        "## What was to be reached",
        "",
        "The targets were set on two cores with AMX (bf16 peak 2.2 TFLOP/s, float32 0.41); what is read here was measured on "
        f"{_machine_names(results, full)}.",
        "",
        *targets_table({name: results[name] for name in full}),
        "",
        "*Limit of this machine*: the ratio if étude took only as long as the products and convolutions of a step take at the peak "
        "that was measured here, in the faster of the two formats, and no time for anything else. A target above it is out of reach on "
        "this machine; one near it, too.",
    ]


def _machine_names(results: dict[str, Any], measured: list[str]) -> str:
    machines = [results[name]["machine"] for name in measured]
    return "; ".join(
        dict.fromkeys(
            f"{m['cores']} cores of {m['processor']} ({'with' if 'AMX bf16' in m['has'] else 'without'} AMX)"
            for m in machines
        )
    )
