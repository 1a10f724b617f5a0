"""``etude train --to-accuracy`` and ``--explain`` as a person uses them, in both languages."""

import json
import re
from html import unescape

import pytest

from etude import load_data
from etude.cli.main import main
from etude.train.choices import choices_from_json
from etude.train.explain import explain
from etude.train.recipe import Recipe
from etude.train.start import start_run

HALF_WIDTH = re.compile(r"[一-鿿] ?[,;:?!()]|[,;:?!()] ?[一-鿿]")


def test_reaching_it_is_told_and_stands_in_the_json(tmp_path, capsys):
    code = main(["train", "digits", "--to-accuracy", "0.85", "--run-dir", str(tmp_path / "run"), "--json"])
    said = capsys.readouterr()
    found = json.loads(said.out.splitlines()[-1])
    assert code == 0
    assert found["reached"] is True
    assert found["choices"] == json.loads((tmp_path / "run" / "run.json").read_text())["choices"]
    assert f"Reached 0.85 after step {found['steps']}" in said.err
    assert f"{found['validation_accuracy']:.2%}" in said.err
    report = unescape((tmp_path / "run" / "report.html").read_text(encoding="utf-8"))
    assert f"Reached 0.85 after step {found['steps']}" in report[: report.index("</header>")]


@pytest.mark.parametrize(("lang", "words"), [("en", "Not reached: 0.98"), ("zh", "未达到 0.98")])
def test_not_reaching_it_is_told_even_quietly_and_is_no_error(lang, words, tmp_path, capsys):
    arguments = ["digits", "--to-accuracy", "0.98", "--epochs", "1", "--run-dir", str(tmp_path / "run")]
    assert main(["train", *arguments, "--quiet", "--lang", lang]) == 0
    said = capsys.readouterr().err
    assert words in said
    if lang == "zh":
        assert not HALF_WIDTH.search(said)
    report = unescape((tmp_path / "run" / "report.html").read_text(encoding="utf-8"))
    assert words in report[: report.index("</header>")]


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize(
    "words",
    [
        ["diabetes", "--to-accuracy", "0.9"],
        ["digits", "--to-accuracy", "99"],
        ["digits", "--to-accuracy", "much"],
        ["digits", "--to-accuracy", "0.9999"],
    ],
)
def test_what_cannot_be_reached_is_refused_in_a_sentence(words, lang, tmp_path, capsys):
    assert main(["train", *words, "--run-dir", str(tmp_path / "run"), "--lang", lang]) == 2
    said = capsys.readouterr().err
    assert "to_accuracy" in said
    assert "Traceback" not in said
    assert not (tmp_path / "run").exists()
    if lang == "zh":
        assert not HALF_WIDTH.search(said)


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("command", ["train", "resume"])
def test_what_the_engine_chose_is_told_before_training_and_in_the_report(command, lang, tmp_path, capsys):
    run = tmp_path / "run"
    if command == "resume":
        start_run("digits", steps=2, run_dir=run).close()
        arguments = ["resume", str(run)]
    else:
        arguments = ["train", "digits", "--steps", "2", "--run-dir", str(run)]
    assert main([*arguments, "--explain", "--lang", lang]) == 0
    said, record = capsys.readouterr().out, json.loads((run / "run.json").read_text())
    reasons = explain(choices_from_json(record["choices"]), Recipe(**record["recipe"]), load_data("digits"))
    assert reasons
    before, report = said[: said.index("1/1")], unescape((run / "report.html").read_text())
    for reason in reasons:
        assert reason.to(lang) in before
        assert reason.to(lang) in report
        if lang == "zh":
            assert not HALF_WIDTH.search(reason.zh)


def test_without_the_flag_nothing_is_explained(tmp_path, capsys):
    assert main(["train", "digits", "--steps", "1", "--run-dir", str(tmp_path / "run")]) == 0
    said = capsys.readouterr().out
    for reason in json.loads((tmp_path / "run" / "run.json").read_text())["reasons"]:
        assert reason["en"] not in said


@pytest.mark.parametrize("given", ["0", "100000", "1.5", "many"])
def test_threads_that_cannot_be_are_refused_before_one_starts(given, tmp_path, capsys, monkeypatch):
    import torch

    def fail(_):
        raise AssertionError("threads were set")

    monkeypatch.setattr(torch, "set_num_threads", fail)
    assert main(["train", "digits", "--threads", given, "--run-dir", str(tmp_path / "run")]) == 2
    assert f"threads is {given}" in capsys.readouterr().err.replace("'", "")
    assert not (tmp_path / "run").exists()
