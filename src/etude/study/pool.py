"""Worker processes: some chunks of seeds at a time, their rows as they come."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import etude
from etude.core.text import Text
from etude.study.knobs import BaseKnobs
from etude.study.rows import Row, Rows, decode
from etude.study.study import Study


@dataclass(frozen=True)
class Job:
    """One chunk: a study, its knobs, some seeds."""

    study: Study
    knobs: BaseKnobs
    seeds: tuple[int, ...]


@dataclass(frozen=True)
class Measured:
    """A row came."""

    job: Job
    row: Row


@dataclass(frozen=True)
class Finished:
    """All rows of a job are there."""

    job: Job
    rows: Rows
    seconds: float


@dataclass(frozen=True)
class Failed:
    """A job ended without its rows; the reason in one sentence."""

    job: Job
    reason: Text


Event = Measured | Finished | Failed


def run_jobs(jobs: Sequence[Job], workers: int) -> Iterator[Event]:
    """Measure ``jobs``, at most ``workers`` at a time. Leaving the loop ends the workers."""
    waiting = deque(jobs)
    answers: queue.Queue[tuple[_Worker, str | None]] = queue.Queue()
    crew = [_Worker(answers) for _ in range(min(workers, len(jobs)))]
    try:
        busy = 0
        for worker in crew:
            worker.give(waiting.popleft())
            busy += 1
        while busy:
            worker, line = answers.get()
            event = worker.understand(line)
            if event is not None:
                yield event
            if event is None or isinstance(event, Measured):
                continue
            if line is None:  # it died: a new one takes its place
                worker.end()
                crew.remove(worker)
                if waiting:
                    worker = _Worker(answers)
                    crew.append(worker)
            if waiting:
                worker.give(waiting.popleft())
            else:
                busy -= 1
    finally:
        for worker in crew:
            worker.end()


class _Worker:
    def __init__(self, answers: queue.Queue[tuple[_Worker, str | None]]) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `end`
        # -P: a file of the reader's own, in the current folder, must not be taken for a library
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "etude.study.worker"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, env=_environment(), encoding="utf-8",
        )  # fmt: skip
        self._job: Job | None = None
        self._rows = Rows()
        threading.Thread(target=self._listen, args=(answers,), daemon=True).start()

    def give(self, job: Job) -> None:
        self._job, self._rows = job, Rows()
        study = job.study.name if job.study.chapter is not None else str(job.study.path)
        order = {"study": study, "knobs": job.knobs.model_dump(), "seeds": list(job.seeds)}
        with contextlib.suppress(OSError):  # it has died; the thread that listens says so
            self._process.stdin.write(json.dumps(order) + "\n")  # type: ignore[union-attr]
            self._process.stdin.flush()  # type: ignore[union-attr]

    def understand(self, line: str | None) -> Event | None:
        """What a line of the worker means; None for the end of one that had nothing to do."""
        job = self._job
        if job is None:
            return None
        if line is None:
            return Failed(job, self._died(job))
        answer: dict[str, Any] = json.loads(line)
        if "row" in answer:
            row = decode(answer["row"])
            self._rows.append(row)
            return Measured(job, row)
        self._job = None
        if "error" in answer:
            return Failed(job, Text(**answer["error"]))
        return Finished(job, self._rows, answer["done"])

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()  # type: ignore[union-attr]
        self._errors.close()

    def _listen(self, answers: queue.Queue[tuple[_Worker, str | None]]) -> None:
        with contextlib.suppress(ValueError, OSError):  # closed by `end`
            for line in self._process.stdout:  # type: ignore[union-attr]
                answers.put((self, line))
        answers.put((self, None))

    def _died(self, job: Job) -> Text:
        code = self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        said = f" ({lines[-1][:200]})" if lines else ""
        said_zh = f"（{lines[-1][:200]}）" if lines else ""
        return Text(
            en=f"{job.study.name}: the process that measured it ended with {code}{said}; was there enough memory?",
            zh=f"{job.study.name}：测量进程以 {code} 结束{said_zh}；内存是否不足？",
        )


def _environment() -> dict[str, str]:
    one = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    here = Path(next(iter(etude.__path__))).parent
    if here.name in (
        "site-packages",
        "dist-packages",
    ):  # found there anyway, and not before the standard library
        return {**os.environ, **one, "PYTHONUTF8": "1"}
    path = os.pathsep.join([str(here), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, **one, "PYTHONPATH": path, "PYTHONUTF8": "1"}
