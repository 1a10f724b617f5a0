"""What étude costs as the work grows: images, depth, batch size, files in a folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.speed.bench import Bench
from bench.speed.job import Job
from bench.speed.numbers import significant, table
from bench.speed.prepare import NotAtHand, cifar10, mnist, photo_files, write_job_data, write_photos
from bench.speed.process import run

AXES = {
    "images": ("Images in the training part", "seconds an epoch", "LeNet-5, batch 64"),
    "depth": ("Layers of the ResNet", "milliseconds an image", "ResNet for 32×32, batch 128"),
    "batch": ("Batch size", "microseconds an image", "LeNet-5"),
    "folder, first epoch": ("Photographs in the folder", "seconds an epoch", "first epoch, decoding"),
    "folder, later epochs": ("Photographs in the folder", "seconds an epoch", "later epochs, from the cache"),
}
DEPTHS = (20, 32, 44, 56, 110)

Points = list[tuple[float, float]]


def measure_sizes(bench: Bench, out: Path) -> dict[str, Any]:
    """Points (size, cost) for each axis; draws ``figures/sizes.png`` beside ``out``.

    Costs are marginal, as everywhere in the bench: what a process of more epochs takes longer than one of fewer.
    """
    from bench.speed.sizes_figure import draw

    points: dict[str, Points] = {axis: [] for axis in AXES}
    for axis, measured in (*_images(bench), *_depths(bench), *_batches(bench), *_folders(bench)):
        points[axis].append(measured)
        bench.say(f"sizes: {axis} {measured[0]:,}: {significant(measured[1])} {AXES[axis][1]}")
    figure = out.parent / "figures" / "sizes.png"
    draw(points, figure)
    return {"kind": "sizes", "points": points}


def show_sizes(found: dict[str, Any]) -> list[str]:
    """The table and the figure."""
    rows = []
    for axis, points in found["points"].items():
        _, unit, what = AXES[axis]
        sizes = ", ".join(f"{size:,.0f}" for size, _ in points)
        costs = ", ".join(significant(cost) for _, cost in points)
        if points:
            rows.append([axis, what, sizes, f"{costs} ({unit})"])
    return [*table(["grows", "of", "sizes", "cost"], rows), "", "![Cost against size](figures/sizes.png)"]


def _images(bench: Bench) -> Iterator[tuple[str, tuple[float, float]]]:
    source, job = mnist(bench.data), Job("", "lenet5", 64)
    for images in (300, 600) if bench.quick else (1_000, 2_000, 4_000, 8_000, 15_000, 30_000, 60_000):
        folder = bench.scratch / f"images-{images}"
        kept = write_job_data(source, folder, images, 100)
        epochs = 2 if bench.quick else max(2, 100_000 // kept)  # a few seconds, whatever the size
        yield "images", (kept, _epoch_seconds(bench, replace(job, folder=str(folder)), epochs))


def _depths(bench: Bench) -> Iterator[tuple[str, tuple[float, float]]]:
    try:
        source = cifar10(bench.data, 2_000)
    except NotAtHand as error:
        bench.say(f"sizes: depth is left out: {error}")
        return
    folder = bench.scratch / "depth"
    kept = write_job_data(source, folder, 150 if bench.quick else 603, 100)  # 512: whole batches
    for depth in DEPTHS[:1] if bench.quick else DEPTHS:
        job = Job(str(folder), f"resnet{depth}", 128, optimizer="sgd", learning_rate=0.05, augment=True)
        yield "depth", (depth, 1e3 * _epoch_seconds(bench, job, 2 if bench.quick else 6) / kept)


def _batches(bench: Bench) -> Iterator[tuple[str, tuple[float, float]]]:
    folder = bench.scratch / "batch"
    kept = write_job_data(mnist(bench.data), folder, 400 if bench.quick else 20_000, 100)
    for batch_size in (16, 64) if bench.quick else (16, 32, 64, 128, 256, 512, 1024, 2048, 4096):
        job = Job(str(folder), "lenet5", batch_size)
        yield "batch", (batch_size, 1e6 * _epoch_seconds(bench, job, 2 if bench.quick else 6) / kept)


def _epoch_seconds(bench: Bench, job: Job, epochs: int) -> float:
    """Seconds an epoch: of ``repeats`` pairs of a process of one epoch and one of ``epochs`` more, the median."""
    from statistics import median

    times = []
    for _ in range(bench.repeats):
        short, long = (
            run(
                ["-m", "bench.speed.ways.etude", *replace(job, epochs=each).to_arguments()], bench.environment
            ).seconds
            for each in (1, 1 + epochs)
        )
        times.append((long - short) / epochs)
    return median(times)


def _folders(bench: Bench) -> Iterator[tuple[str, tuple[float, float]]]:
    try:
        photos = photo_files(bench.data)
    except NotAtHand as error:
        bench.say(f"sizes: folder is left out: {error}")
        return
    module = ["-m", "bench.speed.ways.photos_etude"]
    for images in (16, 32) if bench.quick else (300, 1_000, 3_000, 10_000, 30_000):
        folder, cache = bench.scratch / "folder", bench.scratch / "folder-cache"
        write_photos(photos, folder, images)
        later = max(1, 3_000 // images)
        times = []
        for epochs in (0, 1, 1 + later):  # once: the large ones take minutes
            where = bench.environment | {"ETUDE_CACHE": str(cache)}
            times.append(run([*module, f"--folder={folder}", f"--epochs={epochs}"], where).seconds)
            shutil.rmtree(cache, ignore_errors=True)
        shutil.rmtree(folder)
        yield "folder, first epoch", (images, times[1] - times[0])
        yield "folder, later epochs", (images, (times[2] - times[1]) / later)
