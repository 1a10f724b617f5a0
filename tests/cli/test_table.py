"""``etude datasets`` with a table, as it is typed."""

from __future__ import annotations

import json
import random

import pytest
from PIL import Image
from sklearn.datasets import load_diabetes

from etude.cli.main import main


def run(capsys, *argv):
    code = main(["datasets", *map(str, argv)])
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture
def flats(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    chance = random.Random(0)
    rows = [
        f"{n},{chance.gauss(80, 20):.1f},{chance.choice(['甲', '乙', ''])},{chance.choice('abc')},{chance.gauss(3, 1):.3f}"
        for n in range(100)
    ]
    path = tmp_path / "flats.csv"
    path.write_text("\n".join(["id,area,city,heating,price", *rows]), "utf-8")
    return path


def test_a_table_is_looked_over_column_by_column(capsys, flats):
    code, out, _ = run(capsys, flats)
    assert code == 0
    lines = {line.split()[0]: line for line in out.splitlines() if line.split()}
    assert "left out" in lines["id"]
    assert "number" in lines["area"]
    assert "甲" in lines["city"]
    assert "%" in lines["city"]
    assert "to be learnt" in lines["price"]
    assert "it numbers the rows" in out
    assert "the last one, 'price'" in out


def test_a_target_and_json(capsys, flats):
    code, out, err = run(capsys, flats, "--target", "heating", "--json")
    assert code == 0
    facts = json.loads(out)
    assert (facts["kind"], facts["target"]) == ("classification", "heating")
    assert list(facts["classes"]) == ["a", "b", "c"]
    columns = {each["name"]: each for each in facts["columns"]}
    assert columns["id"]["why"] == "numbering"
    assert columns["heating"]["role"] == "target"
    text = flats.read_text("utf-8").splitlines()[1:]
    missing = sum(line.split(",")[2] == "" for line in text) / 100
    assert columns["city"]["missing"] == pytest.approx(missing)
    assert columns["area"]["least"] == min(float(line.split(",")[1]) for line in text)
    assert sum(columns["heating"]["categories"].values()) == 100
    assert sum(count for each in facts["classes"].values() for count in each.values()) == 100
    assert "features" in err


def test_a_task(capsys, flats):
    code, out, _ = run(capsys, flats, "--target", "id", "--task", "regression", "--json", "--quiet")
    assert code == 0
    assert json.loads(out)["classes"] is None


def test_a_table_of_the_catalogue_tells_what_its_columns_mean(capsys):
    code, out, _ = run(capsys, "diabetes")
    assert code == 0
    assert "body mass index (kg/m²)" in out
    bmi = load_diabetes(scaled=False).data[:, 2]
    assert f"{bmi.min():g} … {bmi.max():g}" in out
    code, out, _ = run(capsys, "diabetes", "--lang", "zh")
    for word in ("年龄（岁）", "要学习的列", "训练", "数值", "含义"):
        assert word in out
    assert "training" not in out


def test_the_figure_is_a_picture(capsys, flats):
    code, out, _ = run(capsys, flats, "--figure", "look.png", "--lang", "zh")
    assert code == 0
    assert "look.png" in out
    with Image.open("look.png") as picture:
        assert picture.format == "PNG"
        assert min(picture.size) > 400
    assert sorted(each.name for each in flats.parent.iterdir()) == ["flats.csv", "look.png"]


@pytest.mark.parametrize(
    "argv",
    [["flats.csv", "--target", "prise"], ["flats.csv", "--task", "guess"], ["flats.csv", "--target", "city", "--task", "regression"],
     ["digits", "--target", "x"], ["no.csv"], ["flats.csv", "--figure", "x.jpg"]],
)  # fmt: skip
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_mistakes_get_one_sentence_and_exit_code_2(capsys, flats, argv, lang):
    code, out, err = run(capsys, *argv, "--lang", lang)
    assert (code, out) == (2, "")
    assert err.startswith("etude: ")
    assert err.count("\n") == 1


def test_the_list_has_the_tables(capsys):
    _, out, _ = run(capsys, "--json", "--quiet")
    facts = {each["name"]: each for each in json.loads(out)["datasets"]}
    assert facts["wine"]["kind"] == "table"
    assert facts["wine"]["num_classes"] == 3
    assert (facts["diabetes"]["num_classes"], facts["diabetes"]["target"]) == (0, "progression")
    assert facts["digits"]["kind"] == "pictures"
    _, out, _ = run(capsys)
    lines = {line.split()[0]: line for line in out.splitlines() if line.split()}
    assert "a number" in lines["diabetes"]
    assert "13 columns" in lines["wine"]
