"""``etude datasets`` as it is typed."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from etude.cli.main import main
from etude.data.catalog import list_datasets


def run(capsys, *argv):
    code = main(["datasets", *map(str, argv)])
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture
def pets(tmp_path, monkeypatch):
    """A folder with a class of 3, one of 20, a picture in both, and 7 files that are no pictures."""
    monkeypatch.setenv("ETUDE_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "pets"
    chance = np.random.default_rng(0)
    for kind, count in (("cat", 20), ("newt", 3)):
        (folder / kind).mkdir(parents=True)
        for number in range(count):
            pixels = chance.integers(0, 256, (12, 12, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / kind / f"{number}.png")
    shutil.copy(folder / "cat" / "0.png", folder / "newt" / "copy.png")
    for number in range(7):
        (folder / "cat" / f"text{number}.jpg").write_text("no picture")
    return folder


def test_the_list_tells_every_data_set_and_where_it_is(capsys, tmp_path):
    code, out, _ = run(capsys, "--data-dir", tmp_path)
    assert code == 0
    lines = {line.split()[0]: line for line in out.splitlines() if line.split()}
    assert set(list_datasets()) <= set(lines)
    assert "bundled" in lines["fashion-mnist"]
    assert "60,000" in lines["fashion-mnist"]
    assert "to be downloaded" in lines["mnist"]


def test_the_list_finds_mnist_where_it_lies(capsys, real_data):
    code, out, err = run(capsys, "--data-dir", real_data, "--json")
    assert code == 0
    facts = {each["name"]: each for each in json.loads(out)["datasets"]}
    assert facts["mnist"]["where"] == str(real_data / "mnist")
    assert facts["digits"]["where"] == "bundled"
    assert "fashion-mnist" in err  # what a person reads went out of the way


def test_one_data_set_class_by_class(capsys):
    from sklearn.datasets import load_digits

    code, out, err = run(capsys, "digits", "--json")
    assert code == 0
    assert len(out.splitlines()) == 1
    facts = json.loads(out)
    assert facts["input_shape"] == [1, 8, 8]
    in_all = [sum(facts["classes"][str(label)].values()) for label in range(10)]
    assert in_all == np.bincount(load_digits().target).tolist()
    for part in ("train", "validation", "test"):
        assert sum(each[part] for each in facts["classes"].values()) == facts["split"][part]
        assert f"{facts['split'][part]:,}" in err
    assert facts["figure"] is None


def test_a_folder_is_looked_over(capsys, pets):
    code, out, _ = run(capsys, pets)
    assert code == 0
    assert "newt" in out
    assert "7 files could not be read" in out
    assert "cat/text0.jpg" in out
    assert "cat/0.png = newt/copy.png" in out.replace("\n", " ")
    code, out, _ = run(capsys, pets, "--json", "--quiet")
    facts = json.loads(out)
    assert facts["unreadable"] == [f"cat/text{number}.jpg" for number in range(7)]
    assert sum(facts["classes"]["newt"].values()) == 4


def test_the_figure_is_a_picture_and_only_made_when_asked_for(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(capsys, "digits")[0] == 0
    assert list(tmp_path.iterdir()) == []
    code, out, _ = run(capsys, "digits", "--figure", "look.png", "--lang", "zh")
    assert code == 0
    assert "look.png" in out
    assert [each.name for each in tmp_path.iterdir()] == ["look.png"]
    with Image.open(tmp_path / "look.png") as picture:
        assert picture.format == "PNG"
        assert min(picture.size) > 500


def test_the_words_are_chinese_when_asked(capsys):
    code, out, _ = run(capsys, "digits", "--lang", "zh")
    assert code == 0
    for word in ("类别", "训练", "验证", "测试", "均值", "标准差"):
        assert word in out
    assert "training" not in out


def test_quiet_prints_nothing(capsys):
    assert run(capsys, "digits", "--quiet") == (0, "", "")


@pytest.mark.parametrize(
    "argv",
    [["nothing"], [""], ["~nobody-of-that-name/x"], ["digits", "--figure", "x.jpg"],
     ["digits", "--figure", "no/such/folder/x.png"], ["digits", "--figur"], ["digits", "mnist"], [__file__]],
)  # fmt: skip
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_mistakes_get_one_sentence_and_exit_code_2(capsys, tmp_path, monkeypatch, argv, lang):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, *argv, "--lang", lang)
    assert code == 2
    assert out == ""
    assert err.startswith("etude: ")
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_nothing_is_one_sentence(capsys, tmp_path):
    code, out, err = run(capsys, tmp_path)
    assert code == 2
    assert out == ""
    assert str(tmp_path) in err
    assert err.count("\n") == 1
