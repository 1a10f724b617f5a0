"""The commands as a person uses them, wrong arguments included."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from etude.cli.main import COMMANDS, main

FAST = ["--model", "mlp", "--epochs", "2", "--learning-rate", "0.003"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A finished run on scikit-learn's digits."""
    path = tmp_path_factory.mktemp("runs") / "digits-run"
    assert main(["train", "digits", *FAST, "--epochs", "12", "--run-dir", str(path), "--quiet"]) == 0
    return path


@pytest.fixture
def pets(tmp_path) -> Path:
    """Red and blue pictures, one of them no picture."""
    chance = np.random.default_rng(0)
    for name, colour in (("红", (200, 30, 30)), ("blue", (30, 30, 200))):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for number in range(30):
            noise = chance.integers(-30, 30, (24, 24, 3))
            pixels = np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "pets" / name / f"{number}.png")
    (tmp_path / "pets" / "blue" / "text.jpg").write_text("this is no picture")
    return tmp_path / "pets"


def run_json(capsys, *words: str, code: int = 0) -> dict:
    capsys.readouterr()
    assert main([*words, "--json"]) == code
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_training_leaves_a_run_and_one_json_object(finished, capsys, tmp_path):
    said = run_json(capsys, "train", "digits", *FAST, "--run-dir", str(tmp_path / "run"))
    for name in (
        "run",
        "model",
        "dataset",
        "epochs",
        "steps",
        "seconds",
        "train_seconds",
        "resumed_from_step",
        "test_accuracy",
    ):
        assert name in said, name
    assert (said["dataset"], said["model"], said["epochs"], said["resumed_from_step"]) == (
        "digits",
        "mlp",
        2,
        0,
    )
    assert said["seconds"] >= said["train_seconds"] > 0
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert {
        "run.json",
        "metrics.jsonl",
        "checkpoints",
        "figures",
        "report.html",
        "weights.safetensors",
    } <= names
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["recipe"]["learning_rate"] == 0.003
    assert record["data"]["fingerprint"]
    assert json.loads((finished / "run.json").read_text())["results"]["test_accuracy"] > 0.9


def test_under_json_stdout_holds_nothing_else(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "etude", "train", "digits", *FAST, "--run-dir", str(tmp_path / "run"), "--json"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert len(done.stdout.splitlines()) == 1
    assert "epoch" in done.stderr


def test_predicting_names_the_classes_of_a_digit(finished, capsys, tmp_path):
    from etude.data.catalog import load_data

    data = load_data("digits")
    files = []
    for place in range(10):
        files.append(str(tmp_path / f"{data.classes[data.train.labels[place]]}-{place}.png"))
        pixels = data.train.pixels()[place, 0]
        Image.fromarray(pixels if place % 2 else 255 - pixels).save(files[-1])  # dark on bright is turned round
    said = run_json(
        capsys, "predict", str(finished), *files, "--figure", str(tmp_path / "seen.png"), "--top", "2"
    )
    right = [Path(each["image"]).name[0] == each["top"][0]["class"] for each in said["predictions"]]
    assert sum(right) >= 9
    assert all(len(each["top"]) == 2 for each in said["predictions"])
    assert (tmp_path / "seen.png").read_bytes().startswith(b"\x89PNG")


def test_evaluating_again_gives_what_training_gave(finished, capsys):
    said = run_json(capsys, "evaluate", str(finished))
    assert said["test_accuracy"] == json.loads((finished / "run.json").read_text())["results"]["test_accuracy"]
    assert sum(row["support"] for row in said["classes"].values()) == said["examples"]


def test_a_folder_of_one_s_own(pets, capsys, tmp_path):
    run = tmp_path / "run"
    capsys.readouterr()
    said = [str(pets), *FAST, "--epochs", "20", "--run-dir", str(run)]
    assert main(["train", *said]) == 0
    captured = capsys.readouterr()
    assert "text.jpg" in captured.err
    assert "Test accuracy 100" in captured.out
    evaluated = run_json(capsys, "evaluate", str(run), str(pets))
    assert set(evaluated["classes"]) == {"红", "blue"}
    assert evaluated["test_accuracy"] > 0.95
    looked = run_json(capsys, "datasets", str(pets), "--figure", str(tmp_path / "grid.png"))
    assert sum(sum(parts.values()) for parts in looked["classes"].values()) == 60
    assert (tmp_path / "grid.png").exists()


def test_runs_are_listed_shown_compared_and_deleted(finished, capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("ETUDE_RUNS", str(tmp_path / "all"))
    for _ in range(2):
        assert main(["train", "digits", *FAST, "--quiet"]) == 0
    runs = run_json(capsys, "runs")["runs"]
    assert len({each["name"] for each in runs}) == 2
    first, second = (each["name"] for each in runs)
    assert run_json(capsys, "runs", "show", "last")["runs"][0]["name"] == second
    figure = tmp_path / "compare.png"
    compared = run_json(capsys, "runs", "compare", first, str(finished), "--figure", str(figure))
    assert compared["differing"] == ["epochs"]
    assert figure.exists()
    assert main(["runs", "delete", first]) == 2
    assert "--yes" in capsys.readouterr().err
    assert main(["runs", "delete", first, "--yes"]) == 0
    assert [each["name"] for each in run_json(capsys, "runs")["runs"]] == [second]


def test_ctrl_c_keeps_everything_and_resume_goes_on(tmp_path):
    run = tmp_path / "run"
    words = [
        sys.executable,
        "-m",
        "etude",
        "train",
        "digits",
        "--model",
        "mlp",
        "--epochs",
        "4000",
        "--run-dir",
        str(run),
    ]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 60
    while not (run / "metrics.jsonl").exists() or (run / "metrics.jsonl").stat().st_size < 5000:
        assert time.monotonic() < until
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "etude resume" in err
    assert "Traceback" not in err
    lines = (run / "metrics.jsonl").read_bytes()
    assert lines.endswith(b"\n")
    step = int((run / "checkpoints" / "latest").read_text().strip().removeprefix("step-").removesuffix("+"))
    assert json.loads(lines.splitlines()[-1])["step"] == step


WRONG = {
    "no such command": (["trian"], "train"),
    "no such data": (["train", "fashon-mnist"], "fashion-mnist"),
    "no such model": (["train", "digits", "--model", "lenet"], "lenet5"),
    "a flag misspelt": (["train", "--batchsize", "3"], "--batchsize"),
    "a flag cut short": (["train", "--batch", "3"], "--batch"),
    "batch size 0": (["train", "digits", "--batch-size", "0"], "batch_size"),
    "a word for a number": (["train", "digits", "--epochs", "ten"], "epochs"),
    "not a number": (["train", "digits", "--learning-rate", "nan"], "learning_rate"),
    "epochs and steps": (["train", "digits", "--epochs", "1", "--steps", "1"], "--steps"),
    "a device that is not there": (["train", "digits", "--device", "cuda:99"], "cuda:99"),
    "an optimiser that is not there": (["train", "digits", "--optimizer", "adamm"], "adam"),
    "too small for the model": (["train", "digits", "--model", "lenet5"], "8"),
    "dropout of 1": (["train", "digits", "--dropout", "1"], "dropout"),
    "a file for a folder": (["train", __file__], "test_commands.py"),
    "no such run": (["resume", "no-such-run"], "no-such-run"),
    "no such run to predict with": (["predict", "no-such-run", "x.png"], "no-such-run"),
    "no run": (["resume"], "RUN"),
    "no such action": (["runs", "shwo"], "show"),
    "runs show without a name": (["runs", "show"], "etude runs"),
    "no such data to list": (["datasets", "mnits"], "mnist"),
    "no such model to show": (["models", "resnet99"], "resnet"),
    "a figure that is no png": (["datasets", "digits", "--figure", "x.bmp"], ".png"),
    "a figure nowhere": (["datasets", "digits", "--figure", "/no/such/folder/x.png"], "/no/such/folder"),
}


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("name", WRONG)
def test_wrong_input_is_one_sentence_and_exit_code_2(name, lang, capsys, tmp_path, monkeypatch):
    words, named = WRONG[name]
    monkeypatch.setenv("ETUDE_RUNS", str(tmp_path / "runs"))
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()
    assert main([*words, "--lang", lang]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (sentence,) = captured.err.splitlines()
    assert named in sentence
    assert sentence.startswith("etude")
    assert bool(re.search("[\u4e00-\u9fff]", sentence)) == (lang == "zh")
    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_is_told(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert main(["train", str(tmp_path / "empty")]) == 2
    assert "empty" in capsys.readouterr().err


def test_a_run_directory_in_use_is_left_alone(finished, capsys):
    before = {path: path.stat().st_mtime_ns for path in finished.rglob("*")}
    assert main(["train", "digits", "--run-dir", str(finished)]) == 2
    assert "not empty" in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in finished.rglob("*")} == before


def test_a_finished_run_resumed_is_not_trained_again(finished, capsys):
    before = (finished / "metrics.jsonl").read_bytes()
    said = run_json(capsys, "resume", str(finished))
    assert said["test_accuracy"] > 0.9
    assert (finished / "metrics.jsonl").read_bytes() == before


def copy_of(finished: Path, target: Path, **changes) -> Path:
    import shutil

    shutil.copytree(finished, target)
    record = json.loads((target / "run.json").read_text())
    (target / "run.json").write_text(json.dumps(record | changes))
    return target


def test_a_run_of_another_version_is_refused(finished, capsys, tmp_path):
    other = copy_of(finished, tmp_path / "other", format=7)
    for words in (["resume"], ["predict"], ["evaluate"]):
        extra = ["x.png"] if words == ["predict"] else []
        assert main([*words, str(other), *extra]) == 2
        assert "format 7" in capsys.readouterr().err


def test_damaged_runs_are_one_sentence(finished, capsys, tmp_path):
    torn = copy_of(finished, tmp_path / "torn")
    (torn / "run.json").write_text((torn / "run.json").read_text()[:100])
    assert main(["evaluate", str(torn)]) == 2
    assert "damaged" in capsys.readouterr().err
    bad = copy_of(finished, tmp_path / "bad")
    (bad / "weights.safetensors").write_bytes(b"nonsense")
    assert main(["evaluate", str(bad)]) == 2
    assert "damaged" in capsys.readouterr().err
    broken = copy_of(finished, tmp_path / "broken", status="training")
    for file in (broken / "checkpoints").glob("*/tensors.safetensors"):
        file.write_bytes(file.read_bytes()[:-10])
    assert main(["resume", str(broken)]) == 2
    (sentence,) = capsys.readouterr().err.splitlines()
    assert "damaged" in sentence


def test_unreadable_pictures_do_not_hide_the_others(finished, capsys, tmp_path):
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    Image.new("L", (8, 8)).save(good)
    bad.write_text("no picture")
    assert main(["predict", str(finished), str(bad), str(good)]) == 0
    captured = capsys.readouterr()
    assert "bad.png" in captured.err
    assert "good.png" in captured.out
    assert main(["predict", str(finished), str(bad)]) == 2
    assert "bad.png" in capsys.readouterr().err


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a file-size limit")
def test_a_full_disk_is_one_sentence(tmp_path):
    """A limit on the size of files stands for a disk without room."""
    limited = f"ulimit -f 400; exec {sys.executable} -m etude train digits --model mlp --epochs 3 --run-dir {tmp_path}/run --quiet"
    done = subprocess.run(["bash", "-c", limited], capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    (sentence,) = done.stderr.splitlines()
    assert "disk is full" in sentence
    assert not list((tmp_path / "run").rglob("*.tmp"))


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command, lang, capsys):
    with pytest.raises(SystemExit) as ended:
        main([command, "--help", "--lang", lang])
    assert ended.value.code == 0
    words = capsys.readouterr().out
    assert f"etude {command}" in words
    assert bool(re.search("[\u4e00-\u9fff]", words)) == (lang == "zh")


def test_headings_of_the_chinese_help_end_in_chinese(capsys):
    with pytest.raises(SystemExit):
        main(["train", "--help", "--lang", "zh"])
    said = capsys.readouterr().out
    assert "选项：\n" in said
    assert not re.search(r"[\u4e00-\u9fff]:", said)
