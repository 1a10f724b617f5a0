"""``etude inspect`` as a person uses it, wrong arguments included."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from etude.cli.inspect import run
from etude.cli.main import main
from etude.core.errors import EtudeError


def train(folder: Path, *words: str) -> Path:
    assert main(["train", *words, "--run-dir", str(folder), "--quiet"]) == 0
    return folder


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    """A residual network after a few steps on scikit-learn's digits."""
    folder = tmp_path_factory.mktemp("runs") / "small"
    return train(folder, "digits", "--model", "resnet20", "--steps", "12")


@pytest.fixture(scope="module")
def connected(tmp_path_factory) -> Path:
    """A fully connected network on scikit-learn's digits."""
    folder = tmp_path_factory.mktemp("runs") / "connected"
    return train(folder, "digits", "--model", "mlp", "--epochs", "4", "--learning-rate", "0.003")


def run_json(capsys, *words: str) -> dict:
    capsys.readouterr()
    assert run([*map(str, words), "--json"], "en") == 0
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_it_works_with_nothing_but_a_run(small, capsys):
    said = run_json(capsys, small)
    assert set(said["figures"]) == {"filters", "feature-maps", "receptive-field", "saliency"}
    for name, path in said["figures"].items():
        assert Path(path) == small / "inspect" / f"{name}.png"
        with Image.open(path) as image:
            assert image.width > 500
    assert said["image"].startswith("digits:test:")
    sizes = {each["layer"]: each["size"] for each in said["receptive_fields"]}
    assert sizes["conv1"] == [3, 3]
    assert sizes["stage1.2"] == [15, 15]
    assert sum(each["probability"] for each in said["top"]) <= 1.0001


def test_a_picture_a_class_a_layer_and_a_folder_of_ones_own(small, tmp_path, capsys):
    Image.fromarray(np.eye(20, dtype=np.uint8) * 255).save(tmp_path / "line.png")
    said = run_json(
        capsys, small, "--image", tmp_path / "line.png", "--class", "7", "--layer", "stage2.0.conv1",
        "--output", tmp_path / "new" / "figures",
    )  # fmt: skip
    assert (said["class"], said["layer"]) == ("7", "stage2.0.conv1")
    assert said["image"] == str(tmp_path / "line.png")
    (field,) = [each for each in said["receptive_fields"] if each["layer"] == "stage2.0.conv1"]
    assert (field["size"], field["jump"]) == ([17, 17], [2, 2])
    assert {path.name for path in (tmp_path / "new" / "figures").iterdir()} == {
        "filters.png", "feature-maps.png", "receptive-field.png", "saliency.png"
    }  # fmt: skip


def test_the_test_picture_shown_is_of_the_class_asked_for_and_got_right(connected, capsys):
    from etude.train.evaluation import examples_to_measure
    from etude.train.predict import Predictor

    said = run_json(capsys, connected, "--class", "3")
    predictor = Predictor(connected)
    examples = examples_to_measure(predictor, None)[0]
    place = int(said["image"].rsplit(":")[-1])
    assert examples.labels[place] == 3
    probabilities = predictor.probabilities(examples.pixels()[place : place + 1])[0]
    assert said["top"][0]["class"] == "3"
    assert said["probability"] == pytest.approx(float(probabilities[3]), abs=1e-4)


def test_a_network_without_maps_says_so_and_shows_its_weights(connected, capsys):
    capsys.readouterr()
    assert run([str(connected)], "en") == 0
    said = capsys.readouterr().out
    assert "no feature maps" in said
    assert {path.name for path in (connected / "inspect").iterdir()} == {"filters.png", "saliency.png"}
    assert run([str(connected), "--lang", "zh"], "zh") == 0
    assert "没有特征图" in capsys.readouterr().out


def test_a_run_that_cannot_be_written_to_leaves_its_figures_beside_the_person(
    connected, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("etude.train.run.Run.shipped", True)
    said = run_json(capsys, connected)
    assert Path(said["figures"]["saliency"]) == Path("connected-inspect/saliency.png")
    assert (tmp_path / "connected-inspect" / "saliency.png").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--layer", "stage4.0"], "no layer named 'stage4.0'; did you mean stage"),
        (["--layer", "fc"], "fc puts out no maps and its weights are no pictures; choose one of: conv1"),
        (["--class", "seven"], "no class named 'seven'"),
        (["--image", "nothing.png"], "nothing.png"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(small, words, sentence, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(EtudeError, match=sentence) as caught:
        run([str(small), *words], "en")
    assert "\n" not in caught.value.text.en
    assert caught.value.text.zh


def test_a_run_on_a_table_is_refused(tmp_path):
    folder = train(tmp_path / "table", "iris", "--model", "mlp", "--epochs", "1")
    with pytest.raises(EtudeError, match="trained on a table"):
        run([str(folder)], "en")
