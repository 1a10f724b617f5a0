"""What makes a result stale, and what does not: on a copy of the package whose files are edited."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import etude
from etude.study import fingerprint
from etude.study.catalog import load_study

MEASURING = {
    "    import random\n": "    import random\n    from etude.train.schedule import learning_rate_at\n",
}


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A copy of étude's source that the fingerprints are taken of."""
    root = tmp_path / "etude"
    shutil.copytree(Path(etude.__file__).parent, root, ignore=shutil.ignore_patterns("bundled", "__pycache__"))
    monkeypatch.setattr(fingerprint, "_ROOT", root)
    return root


def keys(study):
    return fingerprint.rows_key(study, study.knobs()), fingerprint.verdict_key(study, study.knobs())


def edit(path, text="\nEDITED = 1\n"):
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")


def test_a_helper_that_is_imported_makes_it_stale_and_another_module_does_not(copy, toy):
    study = load_study(toy(edits=MEASURING))
    before = keys(study)
    edit(copy / "train" / "fit.py")
    edit(copy / "cli" / "runs.py")
    assert keys(study) == before
    edit(copy / "train" / "schedule.py")
    rows, verdict = keys(study)
    assert rows != before[0]
    assert verdict != before[1]


def test_a_helper_of_a_helper_makes_it_stale(copy, toy):
    study = load_study(toy(edits=MEASURING))
    before = keys(study)
    edit(copy / "core" / "settings.py")  # schedule imports recipe, recipe imports settings
    assert keys(study) != before


def test_what_is_imported_for_type_checkers_alone_does_not_count(copy, toy):
    edits = {
        "QUICK =": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from etude.train import fit\nQUICK ="
    }
    study = load_study(toy(edits=edits))
    before = keys(study)
    edit(copy / "train" / "fit.py")
    assert keys(study) == before


@pytest.mark.parametrize(
    "line",
    [
        "from etude import fit",
        "import etude; etude.fit",
        "import etude.train.fit",
        "from etude.train import fit",
    ],
)
def test_every_way_of_importing_is_seen(copy, toy, line):
    study = load_study(toy(edits={"    import random\n": f"    import random\n    {line}\n"}))
    for module in ("fit.py", "recipe.py"):  # what is imported, and what that imports
        before = keys(study)
        edit(copy / "train" / module)
        rows, verdict = keys(study)
        assert rows != before[0]
        assert verdict != before[1]


def test_the_contract_makes_the_verdict_stale_but_keeps_the_rows(copy, toy):
    study = load_study(toy())
    before = keys(study)
    edit(copy / "study" / "contrasts.py")
    rows, verdict = keys(study)
    assert rows == before[0]
    assert verdict != before[1]


def test_editing_the_figure_or_the_words_keeps_the_rows(toy):
    before = keys(load_study(toy()))
    after = keys(
        load_study(toy(edits={"a number": "another", "margin=1.0": "margin=2.0", 'zh="玩具"': 'zh="玩物"'}))
    )
    assert after[0] == before[0]
    assert after[1] != before[1]


@pytest.mark.parametrize(
    "edits",
    [
        {"chance.random()": "2 * chance.random()"},
        {"knob(3,": "knob(4,"},
        {"def measure": "FACTOR = 2\n\n\ndef measure", "chance.random()": "FACTOR * chance.random()"},
    ],
    ids=["measure", "a knob", "a constant that measure uses"],
)
def test_editing_what_measures_does_not(toy, edits):
    before = keys(load_study(toy()))
    assert keys(load_study(toy(edits=edits)))[0] != before[0]


def test_a_constant_that_measure_uses_counts(toy):
    first = {"def measure": "FACTOR = 2\n\n\ndef measure", "chance.random()": "FACTOR * chance.random()"}
    second = {**first, "def measure": "FACTOR = 3\n\n\ndef measure"}
    assert keys(load_study(toy(edits=first)))[0] != keys(load_study(toy(edits=second)))[0]


def test_knobs_and_data_count(copy, toy):
    study = load_study(toy())
    assert fingerprint.rows_key(study, study.knobs()) != fingerprint.rows_key(study, study.knobs(size=9))
    with_data = load_study(toy(edits={"BUDGET_S = 5": "BUDGET_S = 5\nDATA = ('fashion-mnist',)"}))
    before = keys(with_data)
    assert before[0] != keys(study)[0]
    edit(copy / "data" / "named" / "fashion_mnist.py")
    assert keys(with_data)[0] != before[0]
