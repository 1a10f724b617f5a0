"""``etude models`` as it is typed."""

from __future__ import annotations

import json

import pytest

from etude.cli.main import main
from etude.models.catalog import list_models


def run(capsys, *argv):
    code = main(["models", *argv])
    out, err = capsys.readouterr()
    return code, out, err


def test_list_names_every_model_with_its_size(capsys):
    code, out, _ = run(capsys)
    assert code == 0
    for name in list_models():
        assert f" {name} " in out
    assert "61,706" in out
    assert "11,689,512" in out  # torchvision's ResNet-18
    assert "one multiply-add counts as 2" in out


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_list_fits_a_hundred_columns(capsys, lang):
    cells = pytest.importorskip("rich.cells")
    _, out, _ = run(capsys, "--lang", lang)
    rows = [line.rstrip() for line in out.splitlines() if line.strip()]
    assert max(cells.cell_len(line) for line in rows) <= 102
    assert len([line for line in rows if line.split()[0] in list_models()]) == len(
        list_models()
    )  # nothing is folded


def test_list_as_json_is_one_object_on_stdout(capsys):
    code, out, err = run(capsys, "--json")
    assert code == 0
    models = {model["name"]: model for model in json.loads(out)["models"]}
    assert list(models) == list(list_models())
    assert models["mlp"]["flops"] == 2 * (784 * 512 + 512 * 256 + 256 * 10)
    assert "lenet5" in err  # what a person reads went out of the way


def test_layer_table(capsys):
    code, out, _ = run(capsys, "lenet5")
    assert code == 0
    lines = {line.split()[0]: line for line in out.splitlines() if line.split()}
    assert "Conv2d 5×5" in lines["conv2"]
    assert "16×10×10" in lines["conv2"]
    assert "2,416" in lines["conv2"]
    assert "61,706" in lines["total,"]


def test_layer_table_in_chinese(capsys):
    code, out, _ = run(capsys, "lenet5", "--lang", "zh")
    assert code == 0
    assert "参数量" in out
    assert "出处：" in out


def test_other_images_classes_and_settings(capsys):
    code, out, _ = run(
        capsys,
        "mlp",
        "--input",
        "3x8x8",
        "--classes",
        "5",
        "--setting",
        "widths=7",
        "--setting",
        "dropout=0.5",
        "--json",
    )
    assert code == 0
    facts = json.loads(out.splitlines()[-1])
    assert facts["parameters"] == 192 * 7 + 7 + 7 * 5 + 5
    assert facts["input_shape"] == [3, 8, 8]
    assert facts["settings"]["widths"] == [7]
    assert facts["settings"]["dropout"] == 0.5
    assert sum(layer["flops"] for layer in facts["layers"]) == facts["flops"]


def test_a_table_and_a_number(capsys):
    code, out, _ = run(capsys, "mlp", "--input", "13", "--classes", "1", "--setting", "widths=8", "--json")
    assert code == 0
    facts = json.loads(out.splitlines()[-1])
    assert facts["input_shape"] == [13]
    assert facts["parameters"] == 13 * 8 + 8 + 8 + 1
    assert facts["flops"] == 2 * (13 * 8 + 8)


def test_what_runs_in_training_only_is_said(capsys):
    _, out, _ = run(capsys, "googlenet")
    lines = {line.split()[0]: line for line in out.splitlines() if line.split()}
    assert "in training only" in lines["aux1.fc1"]
    assert "2,098,176" in lines["aux1.fc1"]
    assert "in training only" not in lines["fc"]


def test_quiet_prints_nothing(capsys):
    assert run(capsys, "lenet5", "--quiet") == (0, "", "")


@pytest.mark.parametrize(
    "argv",
    [
        ["lenet6"],
        ["lenet5", "--input", "28"],
        ["mlp", "--input", "3x28"],
        ["mlp", "--input", "0"],
        ["alexnet", "--input", "3x32x32"],
        ["logistic", "--classes", "1"],
        ["lenet5", "--input", "1x4x4"],
        ["lenet5", "--input", "0x28x28"],
        ["lenet5", "--classes", "1"],
        ["lenet5", "--classes", "x"],
        ["lenet5", "--setting", "dropout"],
        ["lenet5", "--setting", "dropout=2"],
        ["lenet5", "--setting", "widths=3"],
        ["--input", "1x28x28"],
        ["lenet5", "--clases", "3"],
    ],
)
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_mistakes_get_one_sentence_and_exit_code_2(capsys, argv, lang):
    code, out, err = run(capsys, *argv, "--lang", lang)
    assert code == 2
    assert out == ""
    assert err.startswith("etude: ")
    assert err.count("\n") == 1
