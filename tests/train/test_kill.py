"""A run killed with SIGKILL at random moments, and resumed each time, is the run that was never stopped."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

INTERVAL = 40  # steps between checkpoints
FLAGS = ["--steps", "1300", "--batch-size", "64", "--checkpoint-every", str(INTERVAL), "--augment", "--dropout", "0.2",
         "--ema", "0.99", "--evaluate-every", "300"]  # fmt: skip


def etude(*words: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "etude", *words, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def last_line(process: subprocess.Popen) -> dict:
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return json.loads(out.splitlines()[-1])


def pointed_step(run: Path) -> int:
    try:
        return int((run / "checkpoints" / "latest").read_text().strip().removeprefix("step-").removesuffix("+"))
    except (OSError, ValueError):
        return 0


def wait_for_checkpoint_beyond(run: Path, step: int, process: subprocess.Popen, seconds: float = 120) -> None:
    until = time.monotonic() + seconds
    while pointed_step(run) <= step and process.poll() is None and time.monotonic() < until:
        time.sleep(0.002)


def wait_for_half_a_checkpoint(run: Path, process: subprocess.Popen, seconds: float = 60) -> None:
    """Until a checkpoint is being written: its folder has its temporary name still."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and process.poll() is None:
        if any((run / "checkpoints").glob(".step-*.tmp")):
            return


@pytest.mark.slow
def test_ten_kills_leave_no_trace(tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    expected = last_line(etude("train", "fashion-mnist", "--model", "lenet5", "--run-dir", str(whole), *FLAGS))
    chance = random.Random(1)
    process = etude("train", "fashion-mnist", "--model", "lenet5", "--run-dir", str(broken), *FLAGS)
    kills, resumed = 0, []
    while kills < 10:
        before = pointed_step(broken)
        wait_for_checkpoint_beyond(broken, before, process)
        if kills % 2:
            time.sleep(chance.random() * 0.25)  # a pause of up to an interval's length: wherever it falls
        else:
            wait_for_half_a_checkpoint(broken, process)
        if process.poll() is not None:
            break
        process.send_signal(signal.SIGKILL)
        process.communicate()
        kills += 1
        reached = _steps_seen(broken)
        process = etude("resume", str(broken))
        resumed.append((pointed_step(broken), reached))
    finished = last_line(process)
    assert kills == 10
    assert 0 < finished["resumed_from_step"] < 1300
    assert all(reached - start <= INTERVAL for start, reached in resumed)
    assert (broken / "metrics.jsonl").read_bytes() == (whole / "metrics.jsonl").read_bytes()
    assert (broken / "weights.safetensors").read_bytes() == (whole / "weights.safetensors").read_bytes()
    for name in ("test_accuracy", "test_loss", "validation_accuracy", "epochs", "steps"):
        assert finished[name] == expected[name], name


def _steps_seen(run: Path) -> int:
    """The last step whose metrics reached the disk before the kill (a lower bound of the work done)."""
    lines = (run / "metrics.jsonl").read_bytes().split(b"\n")[:-1]
    return json.loads(lines[-1])["step"] if lines else 0
