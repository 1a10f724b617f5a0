"""Tables on the command line: trained on, predicted, evaluated, each against scikit-learn's own numbers and metrics."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_wine
from sklearn.metrics import accuracy_score, log_loss, mean_absolute_error, r2_score, root_mean_squared_error

from etude.cli.main import main
from etude.data.catalog import load_data


def run_json(capsys, *words: str, code: int = 0) -> dict:
    capsys.readouterr()
    assert main([*words, "--json"]) == code
    return json.loads(capsys.readouterr().out.splitlines()[-1])


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    """Finished runs on ``diabetes`` (numbers) and ``wine`` (classes)."""
    folder = tmp_path_factory.mktemp("runs")
    for name in ("diabetes", "wine"):
        words = [
            "train",
            name,
            "--model",
            "mlp",
            "--checkpoint-every",
            "999",
            "--run-dir",
            str(folder / name),
            "--quiet",
        ]
        assert main(words) == 0
    return folder


def write_test_rows(name: str, path: Path) -> list:
    """The test rows of a run with seed 0 as a CSV file, from scikit-learn's own arrays; the targets."""
    data = load_data(name, seed=0)
    bunch = load_diabetes(scaled=False) if name == "diabetes" else load_wine()
    targets = [data.classes[t] if data.classes else float(t) for t in bunch.target[data.test.rows]]
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([data.target, *(column["name"] for column in data.preparation["columns"])])
        writer.writerows([target, *row] for target, row in zip(targets, bunch.data[data.test.rows]))
    return targets


def read_csv(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_training_on_numbers_says_rmse_and_r2_and_no_accuracy(runs, capsys):
    said = run_json(capsys, "resume", str(runs / "diabetes"))
    assert {"test_rmse", "test_r2", "test_mae", "test_loss"} <= said.keys()
    assert "test_accuracy" not in said
    assert said["test_r2"] > 0.3
    said = run_json(capsys, "resume", str(runs / "wine"))
    assert said["test_accuracy"] > 0.9
    assert "test_rmse" not in said


def test_predicted_numbers_score_what_the_run_said(runs, capsys, tmp_path):
    targets = write_test_rows("diabetes", tmp_path / "new.csv")
    said = run_json(
        capsys,
        "predict",
        str(runs / "diabetes"),
        str(tmp_path / "new.csv"),
        "--output",
        str(tmp_path / "out.csv"),
    )
    rows = read_csv(tmp_path / "out.csv")
    assert [int(row["row"]) for row in rows] == list(range(1, len(targets) + 1))
    predicted = [float(row["prediction"]) for row in rows]
    assert [each["value"] for each in said["predictions"]] == pytest.approx(predicted)
    results = json.loads((runs / "diabetes" / "run.json").read_text())["results"]
    assert results["test_r2"] == pytest.approx(r2_score(targets, predicted), abs=1e-5)
    assert results["test_rmse"] == pytest.approx(root_mean_squared_error(targets, predicted), rel=1e-5)
    assert results["test_mae"] == pytest.approx(mean_absolute_error(targets, predicted), rel=1e-5)


def test_predicted_classes_score_what_the_run_said(runs, capsys, tmp_path):
    targets = write_test_rows("wine", tmp_path / "new.csv")
    said = run_json(
        capsys, "predict", str(runs / "wine"), str(tmp_path / "new.csv"), "--output", str(tmp_path / "out.csv")
    )
    rows = read_csv(tmp_path / "out.csv")
    results = json.loads((runs / "wine" / "run.json").read_text())["results"]
    assert results["test_accuracy"] == accuracy_score(targets, [row["prediction"] for row in rows])
    chances = [{each["class"]: each["probability"] for each in one["top"]} for one in said["predictions"]]
    classes = sorted(set(targets))
    probabilities = np.array([[chance[name] for name in classes] for chance in chances])
    probabilities /= probabilities.sum(1, keepdims=True)  # of float32 they add up to 1 but for rounding
    assert results["test_loss"] == pytest.approx(log_loss(targets, probabilities, labels=classes), rel=1e-4)
    assert [float(row["probability"]) for row in rows] == pytest.approx(probabilities.max(1).tolist(), rel=1e-5)


@pytest.mark.parametrize("name", ["diabetes", "wine"])
def test_evaluating_the_own_test_part_or_the_same_rows_in_a_file_gives_what_training_gave(
    name, runs, capsys, tmp_path
):
    results = json.loads((runs / name / "run.json").read_text())["results"]
    write_test_rows(name, tmp_path / "new.csv")
    own = run_json(capsys, "evaluate", str(runs / name))
    named = run_json(capsys, "evaluate", str(runs / name), name)
    new = run_json(capsys, "evaluate", str(runs / name), str(tmp_path / "new.csv"))
    for metric in ("test_rmse", "test_r2", "test_mae") if name == "diabetes" else ("test_accuracy",):
        assert own[metric] == pytest.approx(results[metric])
        assert named[metric] == own[metric]
        assert new[metric] == pytest.approx(results[metric], rel=1e-5)
    assert new["dataset"] == "new.csv"
    assert new["examples"] == own["examples"]


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("name", ["diabetes", "wine"])
def test_evaluating_writes_a_report_and_a_figure(name, lang, runs, capsys, tmp_path):
    write_test_rows(name, tmp_path / "new.csv")
    report, figure = tmp_path / "report.html", tmp_path / "figure.png"
    words = [
        str(runs / name),
        str(tmp_path / "new.csv"),
        "--lang",
        lang,
        "--report",
        str(report),
        "--figure",
        str(figure),
    ]
    said = run_json(capsys, "evaluate", *words)
    assert (said["report"], said["figure"]) == (str(report), str(figure))
    page = report.read_text(encoding="utf-8")
    assert "new.csv" in page
    assert ("RMSE" if name == "diabetes" else f"{said['test_accuracy']:.2%}") in page
    assert figure.read_bytes().startswith(b"\x89PNG")


def test_the_words_of_evaluating_name_the_intervals_and_the_baseline(runs, capsys):
    assert main(["evaluate", str(runs / "diabetes"), "--lang", "en"]) == 0
    words = capsys.readouterr().out
    assert re.search(r"RMSE [\d.]+ \(95% interval [\d.]+ to [\d.]+\); R² [\d.]+ \(95% interval", words)
    assert "always saying the mean: RMSE" in words


def test_runs_of_both_kinds_are_listed_and_compared(runs, capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("ETUDE_RUNS", str(runs))
    assert main(["runs", "--lang", "en"]) == 0
    words = capsys.readouterr().out
    assert "RMSE" in words
    assert "accuracy" in words
    figure = tmp_path / "compare.png"
    said = run_json(capsys, "runs", "compare", "diabetes", "wine", "--figure", str(figure))
    assert [("test_rmse" in each, "test_accuracy" in each) for each in said["runs"]] == [
        (True, False),
        (False, True),
    ]
    assert figure.exists()


def test_a_long_table_is_printed_in_part(runs, capsys, tmp_path):
    count = len(write_test_rows("diabetes", tmp_path / "new.csv"))
    assert main(["predict", str(runs / "diabetes"), str(tmp_path / "new.csv"), "--lang", "en"]) == 0
    assert f"the first 10 of {count} rows; --output FILE.csv saves all" in capsys.readouterr().out


WRONG = {
    "a picture": (["predict", "{run}", "x.png"], "x.png"),
    "two tables": (["predict", "{run}", "{new}", "{new}"], "2"),
    "no such table": (["predict", "{run}", "nothing.csv"], "nothing.csv"),
    "a figure of a table": (["predict", "{run}", "{new}", "--figure", "x.png"], "--output"),
    "over the input": (["predict", "{run}", "{new}", "--output", "{new}"], "--output"),
    "output that is no csv": (["predict", "{run}", "{new}", "--output", "x.txt"], ".csv"),
    "a column is missing": (["predict", "{run}", "{other}"], "bmi"),
    "a set of pictures": (["evaluate", "{run}", "digits"], "digits"),
    "no such file": (["evaluate", "{run}", "nothing.csv"], "nothing.csv"),
    "no target to measure by": (["evaluate", "{run}", "{blind}"], "progression"),
    "a report that is no page": (["evaluate", "{run}", "--report", "x.pdf"], ".html"),
}


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("name", WRONG)
def test_wrong_input_is_one_sentence(name, lang, runs, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.png").write_bytes(b"")
    write_test_rows("diabetes", tmp_path / "new.csv")
    write_test_rows("wine", tmp_path / "other.csv")
    lines = (tmp_path / "new.csv").read_text().splitlines()
    (tmp_path / "blind.csv").write_text("\n".join(line.partition(",")[2] for line in lines))
    files = {each: str(tmp_path / f"{each}.csv") for each in ("new", "other", "blind")}
    words, named = WRONG[name]
    capsys.readouterr()
    assert main([*(word.format(run=runs / "diabetes", **files) for word in words), "--lang", lang]) == 2
    (sentence,) = capsys.readouterr().err.splitlines()
    assert named in sentence
    assert bool(re.search("[\u4e00-\u9fff]", sentence)) == (lang == "zh")
    assert (tmp_path / "new.csv").read_text().splitlines() == lines
    assert {each.name for each in tmp_path.iterdir()} == {"new.csv", "other.csv", "blind.csv", "x.png"}


def test_a_table_given_to_a_run_on_pictures_is_one_sentence(capsys, tmp_path):
    run = tmp_path / "run"
    assert main(["train", "digits", "--model", "mlp", "--steps", "3", "--run-dir", str(run), "--quiet"]) == 0
    write_test_rows("wine", tmp_path / "new.csv")
    for command in ("predict", "evaluate"):
        capsys.readouterr()
        assert main([command, str(run), str(tmp_path / "new.csv"), "--lang", "en"]) == 2
        (sentence,) = capsys.readouterr().err.splitlines()
        assert "pictures" in sentence
        assert "table" in sentence
    capsys.readouterr()
    words = ["predict", str(run), str(tmp_path / "x.png"), "--output", str(tmp_path / "out.csv")]
    from PIL import Image

    Image.new("L", (8, 8)).save(tmp_path / "x.png")
    assert main(words) == 0
    (row,) = read_csv(tmp_path / "out.csv")
    assert row["image"] == str(tmp_path / "x.png")
    assert row["prediction"] in "0123456789"
