"""A process that is timed from Enter to its end: started afresh, with nobody's settings and nothing to read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
_KEPT = ("PATH", "HOME", "USER", "LANG", "TMPDIR", "LD_LIBRARY_PATH", "SYSTEMROOT", "TEMP", "TMP")


class Failed(Exception):
    """A process ended badly; the message is the last line that it wrote."""


@dataclass(frozen=True)
class Ended:
    """A process that ended well.

    Args:
        seconds: from its start to its end.
        answer: the JSON object on the last line of its output; empty if there is none.
    """

    seconds: float
    answer: dict[str, Any]


def run(arguments: list[str], environment: dict[str, str], limit: float = 3600.0) -> Ended:
    """Run ``python ARGUMENTS`` in the checkout.

    Args:
        arguments: what follows ``python``.
        environment: beside the few variables that every process needs.
        limit: seconds after which it is stopped.

    Raises:
        Failed: it did not end with 0, or not in time.
    """
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    paths = {"PYTHONPATH": os.pathsep.join((str(ROOT / "src"), str(ROOT)))}
    began = time.perf_counter()
    try:
        done = subprocess.run(
            [sys.executable, *arguments],
            env=kept | paths | environment,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=limit,
        )
    except subprocess.TimeoutExpired:
        raise Failed(f"it was not done after {limit:g} s") from None
    seconds = time.perf_counter() - began
    if done.returncode:
        words = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        raise Failed(words[-1].strip().rstrip(".") if words else f"it ended with {done.returncode}")
    return Ended(seconds, _last_object(done.stdout))


def _last_object(output: str) -> dict[str, Any]:
    for line in reversed(output.splitlines()):
        if line.startswith("{"):
            return json.loads(line)
    return {}
