"""Photographs on their way to a network: random resized crops of 224 pixels, mirrored, normalised, float32."""

from __future__ import annotations

import shutil
from pathlib import Path
from statistics import median
from typing import Any

from bench.speed.bench import Bench
from bench.speed.numbers import left_out_lines, ratios, spread, table
from bench.speed.prepare import photo_files, write_photos
from bench.speed.process import Failed, run

WAYS = {
    "folder_0": ("torchvision's ImageFolder, DataLoader", ["bench.speed.ways.photos_folder", "--workers=0"]),
    "folder_2": ("the same with 2 workers", ["bench.speed.ways.photos_folder", "--workers=2"]),
    "etude": ("étude", ["bench.speed.ways.photos_etude"]),
}
LATER = 4  # epochs after the first


class Photos:
    """Images a second in the first epoch and in later ones; étude begins each time with an empty cache.

    A process that ends before the first epoch, one that ends after it, and one that goes on: what each takes longer
    than the one before is the time of those epochs.
    """

    name = "photos"
    title = "Photographs (JPEG), random resized crop 224, float32 into the network"

    def measure(self, bench: Bench) -> dict[str, Any]:
        images = 32 if bench.quick else 3_540
        folder = bench.scratch / "photographs"
        write_photos(photo_files(bench.data), folder, images)
        asked = [way for way in WAYS if not bench.ways or way in bench.ways]
        found: dict[str, dict[str, list[float]]] = {
            way: {"start": [], "first": [], "later": []} for way in asked
        }
        left_out: dict[str, str] = {}
        for repeat in range(-1, bench.repeats):  # the first one warms up
            for way in list(found):
                try:
                    times = _processes(way, folder, images, repeat + 1, bench)
                except Failed as error:
                    left_out[way] = str(error)
                    del found[way]
                    continue
                if repeat < 0:
                    continue
                for name, seconds in zip(("start", "first", "later"), times):
                    found[way][name].append(seconds)
                bench.say(
                    f"photos: {way}, {repeat + 1} of {bench.repeats}: first epoch {images / (times[1] - times[0]):,.0f} "
                    f"images/s, later {images * LATER / (times[2] - times[1]):,.0f}"
                )
        return {"kind": "photos", "images": images, "later": LATER, "ways": found, "left_out": left_out}

    def show(self, found: dict[str, Any]) -> list[str]:
        first, later = speeds(found)
        rows = [
            [
                WAYS[way][0],
                spread(first[way]),
                spread(later[way]),
                spread(ratios(first["etude"], first[way])) if "etude" in first else "–",
                spread(ratios(later["etude"], later[way])) if "etude" in later else "–",
            ]
            for way in first
        ]
        head = ["", "first epoch, images/s", "later epochs, images/s", "étude's first ÷", "étude's later ÷"]
        return [
            f"{found['images']:,} files, batch size 32; median (least to greatest). The data's way only: no network.",
            "",
            *table(head, rows),
            *left_out_lines({WAYS[way][0]: why for way, why in found["left_out"].items()}),
        ]


def _processes(way: str, folder: Path, images: int, seed: int, bench: Bench) -> list[float]:
    """Seconds of the three processes of one way: without an epoch, with one, and with more.

    Raises:
        Failed: one did not end well, or did not give every picture once an epoch.
    """
    module, *flags = WAYS[way][1]
    cache, times = bench.scratch / "photo-cache", []
    for epochs in (0, 1, 1 + LATER):
        arguments = ["-m", module, *flags, f"--folder={folder}", f"--epochs={epochs}", f"--seed={seed}"]
        ended = run(arguments, bench.environment | {"ETUDE_CACHE": str(cache)})
        shutil.rmtree(cache, ignore_errors=True)
        if ended.answer["images"] != images * epochs:
            raise Failed(f"it gave {ended.answer['images']} images, not {images * epochs}")
        times.append(ended.seconds)
    return times


def speeds(found: dict[str, Any]) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Images a second of every way, in the first epoch and in later ones."""
    images, more = found["images"], found["images"] * found["later"]
    first, later = {}, {}
    for way, times in found["ways"].items():
        first[way] = [images / (one - none) for none, one in zip(times["start"], times["first"])]
        later[way] = [more / (many - one) for one, many in zip(times["first"], times["later"])]
    return first, later


def ratio_to_workers(found: dict[str, Any], place: int) -> float:
    """How many times as many images a second étude gives as two workers do: in the first epoch (0), in later ones (1)."""
    speed = speeds(found)[place]
    return median(ratios(speed["etude"], speed["folder_2"]))


WORKS = (Photos(),)
