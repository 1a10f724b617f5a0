"""From requests to rows: what the store has is taken from it, the rest is measured and kept, chunk by chunk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from etude.core.errors import EtudeError
from etude.core.text import Text
from etude.study.fingerprint import rows_key
from etude.study.knobs import BaseKnobs
from etude.study.pool import Failed, Finished, Job, Measured, run_jobs
from etude.study.rows import Row, Rows, check_uniform
from etude.study.store import Store
from etude.study.study import Study


@dataclass
class Request:
    """The rows of one study that somebody wants, and how far they have come.

    Attributes:
        key: the hash of what the rows depend on, taken before anything is measured.
        rows: by seed, of the seeds that are whole.
        recalled: how many seeds the store had.
        seconds: that measuring the others took, over all workers.
        failure: why it cannot be completed, or None.
    """

    study: Study
    knobs: BaseKnobs
    seeds: tuple[int, ...]
    key: str = ""
    rows: dict[int, Rows] = field(default_factory=dict)
    recalled: int = 0
    seconds: float = 0.0
    failure: Text | None = None

    @property
    def complete(self) -> bool:
        """Whether every seed is there."""
        return len(self.rows) == len(self.seeds)

    def all_rows(self) -> Rows:
        """The rows of all seeds that are whole, in the order of the seeds."""
        return Rows(row for seed in self.seeds if seed in self.rows for row in self.rows[seed])


@dataclass(frozen=True)
class Progress:
    """Something came: one row (``row``), or whole seeds, or the end of a request."""

    request: Request
    row: Row | None = None


def collect(requests: Sequence[Request], store: Store | None, workers: int) -> Iterator[Progress]:
    """Complete ``requests``, a `Progress` for whatever comes. What is measured is kept as soon as a chunk is whole.

    Args:
        store: where rows are looked up and kept; None measures all anew and keeps nothing.
        workers: processes at a time.
    """
    owners: dict[Job, Request] = {}
    for request in requests:
        request.key = rows_key(request.study, request.knobs)
        if store:
            request.rows = store.rows(request.key, request.seeds)
            request.recalled = len(request.rows)
        if request.complete:
            yield Progress(request)
        for job in _chunks(request):
            owners[job] = request
    for event in run_jobs(list(owners), workers):
        request = owners[event.job]
        if isinstance(event, Measured):
            yield Progress(request, event.row)
            continue
        if isinstance(event, Failed):
            request.failure = event.reason
        else:
            _take(request, event, store)
        yield Progress(request)


def _take(request: Request, event: Finished, store: Store | None) -> None:
    try:
        check_uniform([*request.all_rows(), *event.rows])
    except EtudeError as error:
        request.failure = Text(
            en=f"{request.study.name}: {error.text.en}", zh=f"{request.study.name}：{error.text.zh}"
        )
        return
    found = _by_seed(event)
    if store:
        store.put_rows(request.study.name, request.key, found, event.seconds)
    request.rows |= found
    request.seconds += event.seconds


def _chunks(request: Request) -> Iterator[Job]:
    missing = [seed for seed in request.seeds if seed not in request.rows]
    size = request.study.chunk
    for start in range(0, len(missing), size):
        yield Job(request.study, request.knobs, tuple(missing[start : start + size]))


def _by_seed(event: Finished) -> dict[int, Rows]:
    """The rows of each seed; what belongs to none goes with the first."""
    found = {seed: Rows() for seed in event.job.seeds}
    for row in event.rows:
        found[row["seed"] if row.get("seed") in found else event.job.seeds[0]].append(row)
    return found
