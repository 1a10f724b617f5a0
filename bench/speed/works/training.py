"""Training a network: seconds for an image, by the whole time of a long process less that of a short one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from bench.speed.bench import Bench
from bench.speed.job import Job
from bench.speed.numbers import left_out_lines, per_image, percent, ratios, spread, table
from bench.speed.prepare import cifar10, mnist, write_job_data
from bench.speed.process import Ended, Failed, run
from bench.speed.ways import WAYS

DIGITS = tuple(WAYS)
COLOURS = ("plain", "lightning", "raw", "etude", "etude_float32", "etude_plain")


@dataclass(frozen=True)
class TrainingWork:
    """One network at one batch size.

    Args:
        name, title: of the work.
        job: what is trained; the folder and the epochs are filled in.
        source: ``mnist`` or ``cifar10``.
        images: read, of which 15 % are held out for validation; so many that the slowest takes a quarter of a minute.
        epochs: of the short and of the long process.
        test: pictures of the test part.
        ways: those that it is measured with.
        to_show: images and epochs of the runs that only show the accuracy (``--accuracy``).
    """

    name: str
    title: str
    job: Job
    source: str
    images: int
    epochs: tuple[int, int]
    test: int
    ways: tuple[str, ...]
    to_show: tuple[int, int]

    def measure(self, bench: Bench) -> dict[str, Any]:
        work = replace(self, images=256, epochs=(1, 2), test=100) if bench.quick else self
        folder = bench.scratch / work.name
        source = {"mnist": mnist, "cifar10": cifar10}[work.source](bench.data)
        kept = write_job_data(source, folder, work.images, work.test)
        ways, left_out = present(bench.ways or work.ways, work.ways)
        found: dict[str, dict[str, list[float]]] = {}
        for way in ways:
            try:
                bench.say(f"{work.name}: {way}, a first time")
                work.train(way, folder, work.epochs[0], 0, bench)
                found[way] = {"short": [], "long": [], "accuracy": []}
            except Failed as error:
                left_out[way] = str(error)
        for repeat in range(bench.repeats):
            for way in list(found):
                try:
                    work.time(way, found[way], folder, kept, repeat, bench)
                except Failed as error:
                    left_out[way] = str(error)
                    del found[way]
        return {
            "kind": "training",
            "net": work.job.net,
            "batch_size": work.job.batch_size,
            "images": kept,
            "epochs": list(work.epochs),
            "ways": found,
            "left_out": left_out,
            "shown": work.show_accuracy(source, list(found), bench) if bench.seeds else None,
        }

    def time(
        self, way: str, measured: dict[str, list[float]], folder: Path, kept: int, repeat: int, bench: Bench
    ) -> None:
        """One repeat of one way: a short process and a long one, added to ``measured``."""
        short = self.train(way, folder, self.epochs[0], repeat, bench)
        long = self.train(way, folder, self.epochs[1], repeat, bench)
        measured["short"].append(short.seconds)
        measured["long"].append(long.seconds)
        measured["accuracy"].append(long.answer["accuracy"])
        each = (long.seconds - short.seconds) / self.more(kept)
        bench.say(
            f"{self.name}: {way}, {repeat + 1} of {bench.repeats}: {1e6 * each:,.1f} µs an image, "
            f"accuracy {long.answer['accuracy']:.2%}"
        )

    def more(self, kept: int) -> int:
        """The images that the long process sees and the short one does not."""
        return kept * (self.epochs[1] - self.epochs[0])

    def train(self, way: str, folder: Path, epochs: int, seed: int, bench: Bench) -> Ended:
        job = replace(self.job, folder=str(folder), epochs=epochs, seed=seed)
        return run(["-m", f"bench.speed.ways.{way}", *job.to_arguments()], bench.environment)

    def show_accuracy(self, source: Any, ways: list[str], bench: Bench) -> dict[str, Any]:
        """The accuracy after a training long enough to tell the ways apart."""
        images, epochs = (300, 1) if bench.quick else self.to_show
        folder = bench.scratch / f"{self.name}-accuracy"
        kept = write_job_data(source, folder, images, 10_000)
        found: dict[str, list[float]] = {way: [] for way in ways}
        for seed in range(bench.seeds):
            for way in ways:
                found[way].append(self.train(way, folder, epochs, seed, bench).answer["accuracy"])
                bench.say(f"{self.name}: {way}, seed {seed}, {epochs} epochs: accuracy {found[way][-1]:.2%}")
        return {"images": kept, "epochs": epochs, "accuracy": found}

    def show(self, found: dict[str, Any]) -> list[str]:
        more = found["images"] * (found["epochs"][1] - found["epochs"][0])
        times = {way: per_image(measured, more) for way, measured in found["ways"].items()}
        shown = found.get("shown")
        rows = []
        for way, seconds in times.items():
            if min(seconds) <= 0:
                rows.append([WAYS[way].title, "too short to tell"])
                continue
            row = [
                WAYS[way].title,
                spread([1e6 * each for each in seconds]),
                f"{1 / median(seconds):,.0f}",
                spread(ratios(seconds, times["etude"])) if min(times.get("etude", [0])) > 0 else "–",
                percent(found["ways"][way]["accuracy"]),
                *([percent(shown["accuracy"][way]) if way in shown["accuracy"] else "–"] if shown else []),
                *(f"{100 * share:.1f} %" for share in shares(found, median(seconds))),
            ]
            rows.append(row)
        head = ["", "µs an image", "images/s", "times étude's", "test accuracy, %"]
        head += [f"… of {shown['images']:,} images, {shown['epochs']} epochs"] if shown else []
        head += ["of the bf16 peak", "of the float32 peak"] if found.get("peak") else []
        count, (short, long) = (
            len(next(iter(found["ways"].values()))["short"]) if found["ways"] else 0,
            found["epochs"],
        )
        return [
            f"{found['images']:,} images an epoch, batch size {found['batch_size']}; the time of {long} epochs less that of "
            f"{short}, median (least to greatest) of {count}.",
            "",
            *table(head, rows),
            *left_out_lines({WAYS[way].title: why for way, why in found["left_out"].items()}),
        ]


def shares(found: dict[str, Any], seconds: float) -> list[float]:
    """The share of the bf16 and of the float32 peak that a way comes to, which takes ``seconds`` for an image."""
    peak = found.get("peak")
    if not peak:
        return []
    speed = peak["flops"][found["net"]] / seconds / 1e12
    return [speed / peak["bf16"], speed / peak["float32"]]


def present(asked: Any, known: tuple[str, ...]) -> tuple[list[str], dict[str, str]]:
    """Those ways whose packages are installed; why the others are left out."""
    ways, left_out = [], {}
    for way in known:
        if way not in asked:
            continue
        if WAYS[way].missing:
            left_out[way] = f"{', '.join(WAYS[way].missing)} is not installed"
        else:
            ways.append(way)
    return ways, left_out


_LENET = Job("", "lenet5")
_RESNET = Job("", "resnet20", 128, optimizer="sgd", learning_rate=0.05, augment=True)

WORKS = (
    TrainingWork("lenet5-64", "LeNet-5, batch 64", _LENET, "mnist", 12_000, (4, 9), 10_000, DIGITS, (60_000, 3)),
    TrainingWork(
        "lenet5-256", "LeNet-5, batch 256", replace(_LENET, batch_size=256), "mnist", 24_000, (4, 9), 10_000, DIGITS, (60_000, 3)
    ),
    TrainingWork(
        "mnistnet-64", "pytorch/examples' MNIST net, batch 64", replace(_LENET, net="mnistnet"), "mnist", 2_000, (4, 9), 2_000, DIGITS,
        (60_000, 2),
    ),
    # sizes of which 85 % are whole batches
    TrainingWork("resnet20-128", "ResNet-20, 32×32, batch 128", _RESNET, "cifar10", 1_205, (4, 9), 1_000, COLOURS, (10_000, 5)),
    TrainingWork(
        "resnet18-128", "ResNet-18, 32×32, batch 128", replace(_RESNET, net="resnet18"), "cifar10", 301, (2, 5), 500, COLOURS, (5_000, 3)
    ),
)  # fmt: skip
