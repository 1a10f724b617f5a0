"""What is measured: each file has ``WORKS``."""

from __future__ import annotations

from bench.speed.bench import Work
from bench.speed.works import first_step, overhead, photos, profile, to_accuracy, training


def list_works() -> dict[str, Work]:
    """Every work by its name, in the order in which they are shown."""
    files = (training, photos, to_accuracy, first_step, overhead, profile)
    return {work.name: work for file in files for work in file.WORKS}
