"""How a measurement is to be made: what was asked for on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True)
class Bench:
    """What was asked for.

    Args:
        scratch: a temporary folder.
        data: the folder with the data sets, or None.
        repeats: of every measurement, after one that does not count.
        quick: a few pictures, to see that it runs.
        threads: of every process; None: their own defaults.
        seeds: of the runs that only show the accuracy; 0: none.
        ways: those asked for; empty: all.
    """

    scratch: Path
    data: Path | None = None
    repeats: int = 5
    quick: bool = False
    threads: int | None = None
    seeds: int = 0
    ways: Sequence[str] = field(default=())

    @property
    def environment(self) -> dict[str, str]:
        """Of every process: its own caches and runs, and threads only where they were asked for."""
        places = {f"ETUDE_{name}": str(self.scratch / name.lower()) for name in ("CACHE", "RUNS", "STORE")}
        return places | ({} if self.threads is None else {"OMP_NUM_THREADS": str(self.threads)})

    def say(self, words: str) -> None:
        print(words, flush=True)


class Work(Protocol):
    """Something to be measured.

    Attributes:
        name: what it is asked for by.
        title: what it is, in a heading.
    """

    name: str
    title: str

    def measure(self, bench: Bench) -> dict[str, Any]:
        """The raw numbers, as JSON.

        Raises:
            NotAtHand: the data is missing.
        """
        ...

    def show(self, found: dict[str, Any]) -> list[str]:
        """Lines of Markdown from what `measure` gave."""
        ...
