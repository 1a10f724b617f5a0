"""Adding a study is adding one file: into a copy of the source, from which listing, flags, report and tests follow."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import etude

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def checkout(tmp_path, toy):
    """A function that copies the source, drops the toy study into chapter 4, and gives what runs commands there."""
    ignore = shutil.ignore_patterns("bundled", "__pycache__")
    shutil.copytree(Path(etude.__file__).parent, tmp_path / "src" / "etude", ignore=ignore)
    shutil.copytree(ROOT / "tests", tmp_path / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    environment = {
        **os.environ,
        "PYTHONPATH": str(tmp_path / "src"),
        "ETUDE_STORE": str(tmp_path / "s.sqlite"),
        "OMP_NUM_THREADS": "1",
    }

    def drop(edits=None):
        path = toy("dropped", edits=edits or {})
        shutil.move(path, tmp_path / "src" / "etude" / "studies" / "ch04_regression" / "dropped.py")

    def call(*words, code=0):
        done = subprocess.run(
            [sys.executable, "-m", *words], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    call.drop = drop
    return call


def test_a_file_that_is_dropped_in_is_everywhere(checkout, tmp_path):
    checkout.drop()
    listed = json.loads(checkout("etude", "studies", "4", "--json").splitlines()[-1])["studies"]
    assert "dropped" in [study["name"] for study in listed]
    assert "--size N" in checkout("etude", "study", "dropped", "--help")
    ran = json.loads(checkout("etude", "study", "dropped", "--size", "9", "--json").splitlines()[-1])
    assert ran["knobs"] == {"size": 9}
    assert ran["verdict"]["outcome"] == "holds"
    checkout("etude", "verify", "dropped", "--report", "seen")
    page = (tmp_path / "seen" / "report.html").read_text(encoding="utf-8")
    assert "On is more than off." in page
    assert page.count("data:image/png") == 1
    said = checkout(
        "pytest", "tests/test_every_study.py", "-k", "dropped", "-q", "-p", "no:cacheprovider", "-rA"
    )
    assert said.count("PASSED") >= 13


@pytest.mark.parametrize(
    ("edits", "test"),
    [
        ({'by="group", greater="on", lesser="off"': 'by="seed", greater=0, lesser=1'}, "found"),
        ({"return paired_difference(\n        rows,": "return paired_difference(\n        [r for r in _ROWS],",
          "def verdict": "_ROWS = [Row(seed=s, group=g, value=(g == 'on') * 9 + s / 9) for s in range(9) for g in ('on', 'off')]\n\n\ndef verdict"}, "permuted"),
        ({"chance.random() + ": "__import__('random').random() + "}, "again_and_alone"),
        ({'zh="开大于关。"': 'zh="On is more than off."'}, "says_what_it_is"),
        ({'"zh": "数值（1）"': '"zh": "value"', '"zh": "数值"': '"zh": "x"', '"zh": "行"': '"zh": "row"'}, "labelled_axes"),
        ({"    axes.plot": "    assert len(rows) > 3\n    axes.plot"}, "not_all_there"),
    ],
    ids=["a contrast of seeds", "a verdict of other rows", "no seed", "one language", "a figure in one language", "a brittle figure"],
)  # fmt: skip
def test_a_bad_study_is_refused_by_the_tests(checkout, edits, test):
    checkout.drop(edits)
    said = checkout(
        "pytest", "tests/test_every_study.py", "-k", "dropped", "-q", "-p", "no:cacheprovider", "-rA", code=1
    )
    assert [line for line in said.splitlines() if line.startswith("FAILED") and test in line], said[-2000:]
