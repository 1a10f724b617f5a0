"""A worker process: measures one chunk of seeds after another, as JSON lines on its standard input and output.

Started by `etude.study.pool` with one thread for arithmetic. It ends when its input ends, so a parent that is killed
leaves no worker behind.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from typing import Any, TextIO

from etude.core.errors import EtudeError
from etude.core.text import Text
from etude.study.catalog import load_study
from etude.study.rows import encode


def main() -> None:
    """Serve the parent until it closes the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a study prints must not pass for an answer
    for line in sys.stdin:
        _serve(json.loads(line), answers)


def _serve(job: dict[str, Any], answers: TextIO) -> None:
    began = time.monotonic()
    try:
        study = load_study(job["study"])
        for row in study.measure(study.knobs(**job["knobs"]), job["seeds"]):
            _answer(answers, {"row": encode(row)})
        _answer(answers, {"done": time.monotonic() - began})
    except EtudeError as error:
        _answer(answers, {"error": {"en": error.text.en, "zh": error.text.zh}})
    except Exception as error:
        told = _told(error, job)
        _answer(answers, {"error": {"en": told.en, "zh": told.zh}})


def _told(error: Exception, job: dict[str, Any]) -> Text:
    """What went wrong, and in which line of the study's own file."""
    path, line, trace = None, None, error.__traceback__
    file = str(load_study(job["study"]).path)
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == file:
            path, line = file, trace.tb_lineno
        trace = trace.tb_next
    where = f"{path}, line {line}: " if path else ""
    place = f"{path} 第 {line} 行：" if path else ""
    said = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}".rstrip(": ")
    return Text(
        en=f"{job['study']} could not be measured: {where}{said}.",
        zh=f"{job['study']} 无法测量：{place}{said}。",
    )


def _answer(answers: TextIO, content: dict[str, Any]) -> None:
    answers.write(json.dumps(content, ensure_ascii=False) + "\n")
    answers.flush()


if __name__ == "__main__":
    try:
        main()
    except BrokenPipeError:
        os._exit(0)
