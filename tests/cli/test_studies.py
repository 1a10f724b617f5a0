"""The commands about studies, as a person types them."""

from __future__ import annotations

import json

import pytest

from etude.cli.main import main
from etude.study import recorded
from etude.study.catalog import study_files
from etude.study.store import Store

FACTS = "view_reshape_resize"


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ETUDE_STORE", str(tmp_path / "store.sqlite"))


def call(capsys, *argv, code=0):
    assert main(list(argv)) == code
    return capsys.readouterr()


def facts_of(captured):
    return json.loads(captured.out.splitlines()[-1])


def test_a_study_runs_saves_its_figure_and_is_recalled(capsys, tmp_path):
    said = call(capsys, "study", FACTS).out
    assert "HOLDS" in said
    assert (tmp_path / "figures" / f"{FACTS}.png").read_bytes().startswith(b"\x89PNG")
    again = facts_of(call(capsys, "study", FACTS, "--json"))
    assert again["recalled"] == 1
    assert again["verdict"]["outcome"] == "holds"
    assert again["rows"]
    assert facts_of(call(capsys, "study", FACTS, "--json", "--fresh"))["recalled"] == 0


@pytest.mark.parametrize(("ending", "start"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")])
def test_the_figure_is_of_the_kind_asked_for(capsys, tmp_path, ending, start):
    call(capsys, "study", FACTS, "--lang", "zh", "--figure", f"x{ending}")
    assert (tmp_path / f"x{ending}").read_bytes().startswith(start)


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["study"], "required"),
        (["study", "stepsize"], "did you mean step_size"),
        (["study", "./none.py"], "There is no file"),
        (["study", "step_size", "--learning-rate", "-1"], "learning_rate is -1"),
        (["study", "step_size", "--learning-rat", "1"], "--learning-rat"),
        (["study", "step_size", "--seeds", "0"], "--seeds is 0"),
        (["study", "step_size", "--seeds", "many"], "invalid int value"),
        (["study", "step_size", "--jobs", "0"], "--jobs is 0"),
        (["study", "step_size", "--figure", "x.gif"], ".png, .svg, .pdf"),
        (["study", "step_size", "--figure", "nowhere/x.png"], "folder that exists"),
        (["studies", "99"], "chapter with studies"),
        (["studies", "x"], "invalid int value"),
        (["verify", "99"], "chapter with studies"),
        (["verify", "nothing"], "There is no study"),
        (["verify", "3", "--quick", "--record"], "full runs"),
        (["copy"], "required"),
        (["copy", "nothing"], "There is no study"),
        (["copy", "step_size", "x.txt"], "ends in .py"),
        (["copy", "step_size", "nowhere/x.py"], "folder that exists"),
        (["store", "eat"], "There is no action"),
        (["store", "clear", "nothing", "--yes"], "no study in the store"),
        (["store", "clear"], "--yes"),
        (["lesson", "99"], "99"),
    ],
    ids=" ".join,
)
def test_wrong_arguments_are_one_sentence_in_each_language(capsys, argv, said):
    told = call(capsys, *argv, code=2)
    assert said in told.err
    assert len(told.err.strip().splitlines()) == 1
    chinese = call(capsys, *argv, "--lang", "zh", code=2).err
    assert any("\u4e00" <= letter <= "\u9fff" for letter in chinese)


def test_the_help_of_a_study_shows_its_knobs_with_default_and_bounds(capsys):
    for lang, bound in (("en", " to "), ("zh", " 至 ")):
        with pytest.raises(SystemExit) as left:
            main(["study", "step_size", "--help", "--lang", lang])
        assert left.value.code == 0
        said = capsys.readouterr().out
        assert "--learning-rate X" in said
        assert bound in said


def test_the_list_shows_the_last_verdict_and_says_when_it_is_stale(capsys, monkeypatch):
    call(capsys, "study", FACTS)
    found = {study["name"]: study for study in facts_of(call(capsys, "studies", "--json"))["studies"]}
    assert set(found) == set(study_files())
    assert (found[FACTS]["outcome"], found[FACTS]["stale"]) == ("holds", False)
    monkeypatch.setattr("etude.study.fingerprint._FORMAT", 0)
    (again,) = [s for s in facts_of(call(capsys, "studies", "3", "--json"))["studies"] if s["name"] == FACTS]
    assert again["stale"] is True
    assert "(stale)" in call(capsys, "studies", "3").out


def test_a_turned_knob_does_not_become_the_last_verdict(capsys):
    call(capsys, "study", FACTS, "--rows", "3")
    assert Store().verdicts() == {}


def test_a_copy_is_a_study_of_ones_own(capsys, tmp_path):
    call(capsys, "copy", FACTS, "mine.py")
    path = tmp_path / "mine.py"
    assert path.read_bytes() == study_files()[FACTS].read_bytes()
    assert "already" in call(capsys, "copy", FACTS, "mine.py", code=2).err
    path.write_text(path.read_text(encoding="utf-8").replace("TITLE = Text(en=", "TITLE = Text(en='Mine: ' + "))
    assert "Mine: " in call(capsys, "study", "./mine.py").out


def test_verify_writes_a_report_and_its_exit_code_is_about_what_was_recorded(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(recorded, "recorded", lambda: {FACTS: {"outcome": "holds"}})
    found = facts_of(call(capsys, "verify", FACTS, "--json"))
    assert found["verdicts"][0]["outcome"] == "holds"
    page = (tmp_path / "verify" / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/png") == 1
    assert found["verdicts"][0]["verdict"]["sentence"]["en"] in page
    assert json.loads((tmp_path / "verify" / "verdicts.json").read_text())["verdicts"] == found["verdicts"]
    monkeypatch.setattr(recorded, "recorded", lambda: {FACTS: {"outcome": "fails"}})
    told = call(capsys, "verify", FACTS, code=1)
    assert "recorded verdict is 'fails'" in told.err
    assert call(capsys, "verify", FACTS, "--quick").err == ""  # a quick run decides nothing
    monkeypatch.setattr(recorded, "recorded", dict)
    call(capsys, "verify", FACTS)  # a new study has nothing recorded


def test_verify_exits_with_1_when_a_part_does_not_run(capsys, toy, tmp_path):
    told = call(
        capsys,
        "verify",
        str(toy(edits={"    figure = Figure()": "    raise ValueError('no paint')"})),
        "--quick",
        code=1,
    )
    assert "figure raised ValueError: no paint" in told.err
    assert "no paint" in (tmp_path / "verify" / "report.html").read_text()
    told = call(capsys, "verify", str(toy(edits={"    import random\n": "    1 / 0\n"})), code=1)
    assert "ZeroDivisionError" in told.err


def test_the_store_is_shown_and_cleared(capsys):
    call(capsys, "study", FACTS)
    shown = facts_of(call(capsys, "store", "--json"))
    assert shown["studies"][FACTS]["seeds"] == 1
    assert shown["bytes"] > 0
    call(capsys, "store", "clear", "--yes")
    assert facts_of(call(capsys, "store", "--json"))["studies"] == {}


def test_lessons_are_listed_and_read(capsys):
    listed = facts_of(call(capsys, "lesson", "--json"))["lessons"]
    assert {3, 4, 5} <= {lesson["chapter"] for lesson in listed}
    assert "etude study step_size" in call(capsys, "lesson", "4").out
    assert "第 4 章" in call(capsys, "lesson", "4", "--lang", "zh").out
