"""The whole command, with a few pictures: it runs, and says what it found."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import torch
from bench.speed.process import ROOT, Failed, run
from bench.speed.raw_loop import Ready, begin, block, by_hand, make_batches
from bench.speed.step_profile import watch

from etude.train.fit import fit


@pytest.mark.slow
def test_two_ways_from_one_command(tmp_path):
    command = [sys.executable, "-m", "bench", "--quick", "--works", "lenet5-64", "--ways", "raw", "etude"]
    done = subprocess.run([*command, "--out", str(tmp_path / "R.md")], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "results.json").read_text())["lenet5-64"]
    assert set(found["ways"]) == {"raw", "etude"}
    for measured in found["ways"].values():
        assert [len(values) for values in measured.values()] == [1, 1, 1]
        assert 0 < measured["accuracy"][0] <= 1
    assert "hand-tuned torch loop" in (tmp_path / "R.md").read_text(encoding="utf-8")


def test_a_process_starts_with_nobodys_settings(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    tell = (
        "import json, os, sys; print('words'); "
        "print(json.dumps({'threads': os.environ.get('OMP_NUM_THREADS'), 'x': os.environ['X'], 'read': sys.stdin.read()}))"
    )
    ended = run(["-c", tell], {"X": "1"})
    assert ended.answer == {"threads": None, "x": "1", "read": ""}
    assert ended.seconds > 0


def test_a_process_that_fails_says_why():
    with pytest.raises(Failed, match="ZeroDivisionError"):
        run(["-c", "1 / 0"], {})
    with pytest.raises(Failed, match="not done after"):
        run(["-c", "import time; time.sleep(60)"], {}, limit=0.5)


def test_the_loop_by_hand_makes_the_updates_that_fit_makes():

    ours, theirs = begin("lenet5", 8), begin("lenet5", 8)
    batches = make_batches("lenet5", 8, ours)
    block(by_hand(theirs, batches), 25)
    block(fit(ours.task, Ready(batches), state=ours), 25)  # over an epoch's end, which is no step
    for own, other in zip(ours.task.modules["model"].parameters(), theirs.task.modules["model"].parameters()):
        torch.testing.assert_close(own, other)


def test_a_watched_step_is_divided_without_rest():
    state = begin("lenet5", 8)
    seconds, groups = watch(by_hand(state, make_batches("lenet5", 8, state)), 5)
    assert sum(groups.values()) == pytest.approx(seconds, rel=0.05)
    assert groups["products, convolutions"] > 0
