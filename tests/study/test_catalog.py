"""Finding studies, and saying what is wrong with a file that is none."""

from __future__ import annotations

import subprocess
import sys

import pytest

import etude
from etude.core.errors import EtudeError
from etude.study import catalog
from etude.study.catalog import load_study


def test_a_name_misspelt_is_told_with_the_nearest():
    with pytest.raises(EtudeError, match="did you mean step_size"):
        etude.load_study("stepsize")


@pytest.mark.parametrize(
    ("edits", "said"),
    [
        ({"TITLE =": "HEADING ="}, "it needs TITLE, a Text"),
        ({"BUDGET_S = 5": "BUDGET_S = 'long'"}, "it needs BUDGET_S, a number"),
        ({"def verdict": "def judgement"}, "the function verdict"),
        ({"class Knobs(BaseKnobs)": "class Knobs"}, r"class Knobs\(BaseKnobs\)"),
        ({'PREDICTED = "holds"': 'PREDICTED = "yes"'}, "PREDICTED, one of"),
        ({'QUICK = {"size": 2}': 'QUICK = {"sice": 2}'}, "did you mean size"),
        ({'QUICK = {"size": 2}': 'QUICK = {"size": 99}'}, "at most 50"),
        ({"BUDGET_S = 5": "BUDGET_S = ="}, r"line \d+, SyntaxError"),
        ({"BUDGET_S = 5": "BUDGET_S = 5 / 0"}, r"line \d+, ZeroDivisionError"),
        ({"from etude.core.text": "from etude.core.texts"}, r"line \d+, ModuleNotFoundError"),
    ],
)
def test_a_file_that_is_no_study_is_told_what_it_lacks(toy, edits, said):
    with pytest.raises(EtudeError, match=said) as told:
        load_study(toy(edits=edits))
    assert "\n" not in str(told.value)


def test_a_file_that_is_not_there_and_a_name_that_cannot_be(tmp_path, toy):
    with pytest.raises(EtudeError, match="There is no file"):
        load_study(tmp_path / "none.py")
    with pytest.raises(EtudeError, match="letters, digits"):
        load_study(toy("my-study"))


def test_the_object_runs_draws_and_judges(toy):
    study = load_study(toy())
    rows = study.run(seeds=4, size=5)
    assert len(rows) == 8
    assert study.verdict(rows).outcome == "holds"
    assert study.figure(rows)._repr_png_().startswith(b"\x89PNG")
    for shown in (study, rows, study.verdict(rows)):
        assert shown._repr_html_().startswith("<")
    with pytest.raises(EtudeError, match="size is 0"):
        study.run(size=0)
    with pytest.raises(EtudeError, match="needs at least one"):
        study.run(seeds=0)


COUNT = "__import__('torch').get_num_threads()"


def test_a_study_computes_with_one_thread_and_leaves_the_callers_as_they_were(toy):
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        study = load_study(toy(edits={"value=chance.random()": f"value={COUNT}"}))
        rows = study.measure(study.knobs(size=1), [0])
        assert next(rows)["value"] == 1 + 1  # one thread, and the size that "on" adds
        assert torch.get_num_threads() == 2  # between rows too
        rows.close()
    finally:
        torch.set_num_threads(before)


def test_a_study_that_loads_torch_leaves_it_every_core(toy):
    path = toy(edits={"value=chance.random()": f"value={COUNT}"})
    code = (
        "import os, sys; from etude.study.catalog import load_study; os.environ.pop('OMP_NUM_THREADS', None)\n"
        f"rows = load_study({str(path)!r}).run(1); assert 'torch' in sys.modules\n"
        "import torch; from etude.core.core_use import usable_cores\n"
        "assert (rows[1]['value'], torch.get_num_threads()) == (1, usable_cores()), (rows, torch.get_num_threads())\n"
        "assert 'OMP_NUM_THREADS' not in os.environ\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_two_studies_of_one_name_are_refused(toy, tmp_path, monkeypatch):
    for folder in ("ch01_a", "ch02_b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "same.py").write_text("")
    monkeypatch.setattr(catalog, "studies_dir", lambda: tmp_path)
    with pytest.raises(EtudeError, match="Two studies are named 'same'"):
        catalog.study_files()


def test_a_chapter_without_studies_is_told():
    with pytest.raises(EtudeError, match="chapter with studies"):
        catalog.study_files((99,))
