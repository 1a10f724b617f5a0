"""What étude is to reach, and whether it does: the table of the issue that this bench was made for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

from bench.speed.numbers import per_image, ratios, significant, table
from bench.speed.works.overhead import worst
from bench.speed.works.photos import ratio_to_workers
from bench.speed.works.training import shares

Found = dict[str, Any]


@dataclass(frozen=True)
class Target:
    """One number to be reached.

    Args:
        what: in words.
        work: the measurement that it is read off.
        read: gives the number, or None where a way was not measured.
        must, aim: the least, or the most where ``less`` is true.
        unit: of the number.
        less: whether less is better.
        limit: gives what could not be bettered on the machine it was measured on, or None where that is not known.
    """

    what: str
    work: str
    read: Callable[[Found], float | None]
    must: float
    aim: float | None
    unit: str = "times"
    less: bool = False
    limit: Callable[[Found], float | None] | None = None

    def reached(self, value: float, goal: float | None) -> str:
        if goal is None:
            return "–"
        return "yes" if (value <= goal if self.less else value >= goal) else "**no**"


def _against(peer: str) -> Callable[[Found], float | None]:
    def read(found: Found) -> float | None:
        if not {peer, "etude"} <= found["ways"].keys():
            return None
        more = found["images"] * (found["epochs"][1] - found["epochs"][0])
        return median(ratios(*(per_image(found["ways"][way], more) for way in (peer, "etude"))))

    return read


def _limit(peer: str) -> Callable[[Found], float | None]:
    """The ratio if étude took no longer than its products at the peak of the machine take, and nothing else."""

    def read(found: Found) -> float | None:
        if peer not in found["ways"] or not found.get("peak"):
            return None
        more = found["images"] * (found["epochs"][1] - found["epochs"][0])
        seconds = median(per_image(found["ways"][peer], more))
        return 1 / min(shares(found, seconds)) if seconds > 0 else None

    return read


def _compared(what: str, work: str, peer: str, must: float, aim: float) -> Target:
    return Target(what, work, _against(peer), must, aim, limit=_limit(peer))


def _bf16_share(found: Found) -> float | None:
    if "etude" not in found["ways"] or not found.get("peak"):
        return None
    more = found["images"] * (found["epochs"][1] - found["epochs"][0])
    return 100 * shares(found, median(per_image(found["ways"]["etude"], more)))[0]


def _photos(place: int) -> Callable[[Found], float | None]:
    def read(found: Found) -> float | None:
        return ratio_to_workers(found, place) if {"etude", "folder_2"} <= found["ways"].keys() else None

    return read


def _seconds(found: Found) -> float | None:
    return median(found["seconds"]) if found["seconds"] else None


TARGETS = (
    _compared("LeNet-5, batch 64, against the pytorch/examples loop", "lenet5-64", "plain", 2.6, 4),
    _compared("… against Lightning", "lenet5-64", "lightning", 3.5, 5),
    _compared("LeNet-5, batch 256, against the pytorch/examples loop", "lenet5-256", "plain", 3.3, 5),
    _compared("… against Lightning", "lenet5-256", "lightning", 4.4, 6),
    _compared("pytorch/examples' net, batch 64, against its loop", "mnistnet-64", "plain", 4.5, 6),
    _compared("… against Lightning", "mnistnet-64", "lightning", 5.5, 7),
    _compared("ResNet-20, batch 128, against the float32 DataLoader loop", "resnet20-128", "plain", 3.4, 5),
    _compared("ResNet-18, batch 128, against the float32 DataLoader loop", "resnet18-128", "plain", 3.2, 4.5),
    Target("ResNet-18, share of the bf16 matrix peak", "resnet18-128", _bf16_share, 32, 50, "%"),
    Target("photographs against two workers, first epoch", "photos", _photos(0), 1.5, 2),
    Target("… later epochs", "photos", _photos(1), 2.2, 4),
    Target("MNIST to 99 % from Enter, median of the seeds", "to-accuracy", _seconds, 12, 8, "s", less=True),
    Target(
        "`etude train` to its first step, from Enter",
        "first-step",
        lambda found: median(found["seconds"]["etude"]),
        4, 2.5, "s", less=True,
    ),
    Target("`fit` against the same loop by hand (the worst network)", "overhead", worst, 1.02, None, less=True),
)  # fmt: skip


def targets_table(works: dict[str, Found]) -> list[str]:
    """Each target, what was measured, and whether it is reached."""
    rows = []
    for target in TARGETS:
        found = works.get(target.work)
        value = target.read(found) if found else None
        sign = "≤ " if target.less else ""
        goals = [f"{sign}{target.must:g}", "–" if target.aim is None else f"{sign}{target.aim:g}"]
        if found is None or value is None:
            rows.append([target.what, *goals, "not measured", "–", "–", "–"])
            continue
        limit = target.limit(found) if target.limit else None
        digits = 4 if target.aim is None else 3
        reached = [target.reached(value, goal) for goal in (target.must, target.aim)]
        bound = "–" if limit is None else significant(limit, 2)
        rows.append([target.what, *goals, f"{significant(value, digits)} {target.unit}", *reached, bound])
    return table(
        ["", "must", "aim", "measured here", "must reached", "aim reached", "limit of this machine"], rows
    )
