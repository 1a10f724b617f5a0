"""étude beside its peers on the same work: ``python -m bench``. See ``bench/README.md``."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.speed.bench import Bench
from bench.speed.machine import describe_machine, describe_moment
from bench.speed.prepare import NotAtHand
from bench.speed.process import ROOT, Failed, run
from bench.speed.report import read_results, render, write_results
from bench.speed.sizes import measure_sizes
from bench.speed.ways import WAYS
from bench.speed.works import list_works

OUT = ROOT / "bench" / "RESULTS.md"


def main(argv: list[str] | None = None) -> int:
    if str(ROOT / "src") not in sys.path:
        sys.path.insert(0, str(ROOT / "src"))  # the étude of this checkout, installed or not
    works = list_works()
    arguments = _parse(argv, list(works))
    results = {} if arguments.quick else read_results(_out(arguments).parent / "results.json")
    machine = describe_machine()
    with tempfile.TemporaryDirectory(prefix="etude-bench-") as scratch:
        bench = Bench(
            Path(scratch),
            arguments.data,
            1 if arguments.quick else arguments.repeats,
            arguments.quick,
            arguments.threads,
            arguments.accuracy,
            tuple(arguments.ways or ()),
        )
        peak: dict[str, Any] | None = None
        for name in _chosen(arguments, list(works)):
            about: dict[str, Any] = {
                "machine": machine,
                "moment": describe_moment(),
                "threads": arguments.threads,
                "quick": arguments.quick,
            }
            try:
                found = measure_sizes(bench, _out(arguments)) if name == "sizes" else works[name].measure(bench)
            except (NotAtHand, Failed) as error:
                print(f"{name} is left out: {error}.", file=sys.stderr)
                continue
            if found["kind"] in ("training", "profile") and not arguments.quick:
                peak = peak or run(["-m", "bench.speed.peak"], bench.environment).answer
                about["peak"] = peak
            results[name] = about | found
            if not arguments.quick or arguments.out:
                write_results(results, _out(arguments))  # after every work: what is measured stays
    print("\n".join(render(results)))
    return 0 if results else 1


def _parse(argv: list[str] | None, works: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m bench", description=__doc__)
    parser.add_argument(
        "--works", nargs="+", choices=works, metavar="NAME", help=f"of {', '.join(works)} (all)"
    )
    ways = [*WAYS, "folder_0", "folder_2"]
    parser.add_argument("--ways", nargs="+", choices=ways, metavar="NAME", help=f"of {', '.join(ways)} (all)")
    parser.add_argument("--repeats", type=int, default=5, help="of each measurement (5)")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="a few pictures, once, to see that it runs; nothing is written without --out",
    )
    parser.add_argument(
        "--accuracy",
        type=int,
        default=0,
        nargs="?",
        const=3,
        metavar="SEEDS",
        help="also train long enough to tell the accuracies apart, with so many seeds (3)",
    )
    parser.add_argument(
        "--sizes",
        action="store_true",
        help="étude alone: cost against images, depth, batch and folder; table and figure",
    )
    parser.add_argument(
        "--data",
        type=Path,
        default=os.environ.get("ETUDE_DATA"),
        metavar="DIR",
        help="holds mnist/, cifar10/ (or cifar10-jpg.tar) and photos/ (or photos.tar); $ETUDE_DATA",
    )
    parser.add_argument("--threads", type=int, help="of every process (their own defaults)")
    parser.add_argument("--out", type=Path, help="the report (bench/RESULTS.md); results.json goes beside it")
    arguments = parser.parse_args(argv)
    arguments.data = Path(arguments.data).absolute() if arguments.data else None
    return arguments  # fmt: skip


def _out(arguments: argparse.Namespace) -> Path:
    return arguments.out.absolute() if arguments.out else OUT


def _chosen(arguments: argparse.Namespace, works: list[str]) -> list[str]:
    """The works to be measured; the sizes alone where nothing else is named with them."""
    named = arguments.works or ([] if arguments.sizes else works)
    return [*named, *(["sizes"] if arguments.sizes else [])]


if __name__ == "__main__":
    sys.exit(main())
