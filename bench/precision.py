"""Whether bf16 costs accuracy: the same trainings in both number formats, over ten seeds.

``python -m bench.precision --data DIR``: LeNet-5 on MNIST, a small VGG and ResNet-20 on CIFAR-10, each with one seed in
float32 and in bf16, the seeds by as many processes at a time as there are cores, one thread each. Every training that
ends is a line of ``--out``; started again, only what is missing is trained. Prints the differences in test accuracy, bf16
minus float32, with 99 % intervals (Student's), and whether each excludes a loss above its margin.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

MARGINS = {"lenet5": 0.1, "vgg": 0.5, "resnet20": 0.5}
"""Points of accuracy that a loss may not be shown to be within reach of."""

_RECIPES: dict[str, dict[str, Any]] = {
    "lenet5": {"epochs": 6, "batch_size": 128, "optimizer": "adamw", "learning_rate": 6e-3, "ema": 0.999},
    "vgg": {"epochs": 4, "batch_size": 128, "optimizer": "adamw", "learning_rate": 3e-3, "weight_decay": 0.05, "ema": 0.998},
    "resnet20": {"epochs": 4, "batch_size": 128, "optimizer": "sgd", "learning_rate": 0.1, "weight_decay": 5e-4, "ema": 0.998},
}  # fmt: skip
_FORMATS = ("float32", "bf16")


def small_vgg() -> Any:
    """VGG-11 at an eighth of its width, for 32×32 pictures (Simonyan & Zisserman 2015, column A), with batch norms."""
    from torch import nn

    layers: list[Any] = []
    channels = 3
    for width in (32, "pool", 64, "pool", 128, 128, "pool", 128, 128, "pool"):
        if width == "pool":
            layers.append(nn.MaxPool2d(2))
            continue
        layers += [
            nn.Conv2d(channels, int(width), 3, padding=1, bias=False),
            nn.BatchNorm2d(int(width)),
            nn.ReLU(inplace=True),
        ]
        channels = int(width)
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * 4, 10))


def train(work: str, precision: str, seed: int, data: str, epochs: int | None) -> dict[str, Any]:
    """One training; the line that is kept of it."""
    import torch

    import etude
    from etude.core.devices import tune_process

    tune_process()
    settings = _RECIPES[work] | ({} if epochs is None else {"epochs": epochs})
    recipe = etude.Recipe(
        precision=precision, seed=seed, keep="last", augment=work != "lenet5", schedule="one-cycle", **settings
    )
    torch.manual_seed(seed)
    with tempfile.TemporaryDirectory() as folder:
        session = etude.start_run(
            "mnist" if work == "lenet5" else "cifar10",
            small_vgg() if work == "vgg" else work,
            recipe,
            run_dir=Path(folder) / "run",
            load={"data_dir": data, "seed": 0},
        )
        for _ in session:
            pass
        results = session.finish()
    return {
        "work": work,
        "precision": precision,
        "seed": seed,
        "epochs": recipe.epochs,
        "test_accuracy": results["test_accuracy"],
        "seconds": results["train_seconds"],
    }


def intervals(lines: list[dict[str, Any]]) -> list[list[str]]:
    """A row for each network: the accuracies, their difference in points with its interval, whether a loss is excluded."""
    from statistics import mean, stdev

    from scipy.stats import t

    rows = []
    for work, margin in MARGINS.items():
        found = {
            (each["precision"], each["seed"]): 100 * each["test_accuracy"]
            for each in lines
            if each["work"] == work
        }
        seeds = sorted(seed for name, seed in found if name == "bf16" and ("float32", seed) in found)
        if len(seeds) < 2:
            continue
        means = [mean(found[name, seed] for seed in seeds) for name in _FORMATS]
        gains = [found["bf16", seed] - found["float32", seed] for seed in seeds]
        half = t.ppf(0.995, len(seeds) - 1) * stdev(gains) / len(seeds) ** 0.5
        low, high = mean(gains) - half, mean(gains) + half
        rows.append(
            [
                work,
                str(len(seeds)),
                *(f"{each:.2f}" for each in means),
                f"{mean(gains):+.3f} ({low:+.3f} to {high:+.3f})",
                f"{margin:g}",
                "yes" if low > -margin else "**no**",
            ]
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--works", nargs="+", choices=tuple(MARGINS), default=list(MARGINS))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--epochs", type=int, help="of every training (else each network's own)")
    parser.add_argument(
        "--data", default="data", help="the folder with MNIST's files and CIFAR-10 (default: data)"
    )
    parser.add_argument("--out", type=Path, default=Path("bench/precision.jsonl"))
    parser.add_argument("--one", nargs=3, metavar=("WORK", "PRECISION", "SEED"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        work, precision, seed = arguments.one
        print(json.dumps(train(work, precision, int(seed), arguments.data, arguments.epochs)))
        return
    _measure(arguments)
    from bench.speed.numbers import table

    head = [
        "network",
        "seeds",
        "float32, %",
        "bf16, %",
        "bf16 minus float32, points (99 %)",
        "margin",
        "a larger loss excluded",
    ]
    print("\n".join(table(head, intervals(_lines(arguments.out)))))


def _measure(arguments: argparse.Namespace) -> None:
    there = {(each["work"], each["precision"], each["seed"]) for each in _lines(arguments.out)}
    wanted = [
        (work, precision, seed)
        for work in arguments.works
        for seed in range(arguments.seeds)
        for precision in _FORMATS
        if (work, precision, seed) not in there
    ]
    more = ["--data", arguments.data] + (["--epochs", str(arguments.epochs)] if arguments.epochs else [])

    def one(job: tuple[str, str, int]) -> str:
        command = [sys.executable, "-m", "bench.precision", "--one", *map(str, job), *more]
        done = subprocess.run(
            command, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError((done.stderr.strip().splitlines() or ["it ended badly"])[-1])
        return done.stdout.strip().splitlines()[-1]

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for line in pool.map(one, wanted):
            with open(arguments.out, "a", encoding="utf-8") as file:
                file.write(line + "\n")
            print(line, flush=True)


def _lines(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()] if out.exists() else []


if __name__ == "__main__":
    main()
