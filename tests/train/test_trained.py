"""The trained networks that come with étude: found by name, whole, read only, and without a word about a machine."""

from __future__ import annotations

import re

import pytest
import torch
from bench.train_shipped import ship

from etude.core.errors import EtudeError
from etude.train import trained
from etude.train.predict import Predictor
from etude.train.pretrained import pretrained_weights
from etude.train.record import rebuild_model
from etude.train.run import open_run
from etude.train.start import start_run
from etude.train.trained import list_trained
from etude.train.weight_files import read_weights
from etude.train.weights import apply_weights

ACCURACY = {"lenet5-mnist": 0.985, "lenet5-fashion-mnist": 0.9, "resnet20-cifar10": 0.85}


def test_some_come_with_etude():
    assert {"lenet5-mnist", "lenet5-fashion-mnist"} <= list_trained().keys()


@pytest.mark.parametrize("name", list_trained())
def test_each_is_a_finished_run_that_tells_nothing_of_a_machine(name, tmp_path, monkeypatch):
    monkeypatch.setenv("ETUDE_RUNS", str(tmp_path))
    run = open_run(name)
    assert run.finished
    assert run.name == run.record["name"] == name
    assert run.results["test_accuracy"] >= ACCURACY[name]
    assert not re.search(r'"[^"]*(/|\\\\)(home|work|tmp|root|Users|mnt)\b', (run.path / "run.json").read_text())
    model = rebuild_model(run)
    assert apply_weights(model, read_weights(name).tensors, name) == []
    assert all(t.isfinite().all() for t in model.state_dict().values())


def test_the_bundled_pictures_are_told_apart_as_its_record_says():
    from etude.data.catalog import load_data

    predictor = Predictor("lenet5-fashion-mnist")
    test = load_data("fashion-mnist").test
    record = predictor.run.results["test_accuracy"]
    assert predictor.measure(test)["accuracy"] == pytest.approx(record, abs=1e-3)  # rounding differs by machine


def test_they_are_not_trained_on_or_deleted(tmp_path, monkeypatch):
    monkeypatch.setenv("ETUDE_RUNS", str(tmp_path))
    run = open_run("lenet5-mnist")
    with pytest.raises(EtudeError, match="--weights lenet5-mnist"), run.locked():
        pass
    with pytest.raises(EtudeError, match="not deleted"):
        run.delete()
    assert (run.path / "run.json").exists()
    assert not (run.path / ".lock").exists()


def test_a_run_of_the_same_name_comes_first(tmp_path, monkeypatch, data, make):
    monkeypatch.setenv("ETUDE_RUNS", str(tmp_path))
    with start_run(data, make.net(), run_dir=tmp_path / "lenet5-mnist", epochs=1):
        pass
    assert open_run("lenet5-mnist").path == tmp_path / "lenet5-mnist"


def test_of_two_that_fit_the_one_that_knows_the_data_is_taken():
    assert pretrained_weights("lenet5", "fashion-mnist").where == "lenet5-fashion-mnist"
    assert pretrained_weights("lenet5", "mnist").where == "lenet5-mnist"
    assert pretrained_weights("lenet5", "digits-of-mine").where == "lenet5-mnist"


def test_what_a_run_needs_is_shipped_without_its_folders(tmp_path, monkeypatch):
    """The script's last step, on a run that took a second."""
    from etude.data.catalog import load_data

    recipe = {"data": "fashion-mnist", "model": "lenet5", "steps": 2}
    monkeypatch.setattr("bench.train_shipped.RECIPES", {"small": recipe})
    data = load_data("fashion-mnist", data_dir=tmp_path)
    with start_run(data, "lenet5", run_dir=tmp_path / "run", steps=2) as session:
        for _ in session:
            pass
        session.finish()
    folder = ship(session.run, "small", tmp_path / "trained")
    assert sorted(path.name for path in folder.iterdir()) == ["run.json", "weights.safetensors"]
    assert str(tmp_path) not in (folder / "run.json").read_text()
    monkeypatch.setattr(trained, "_FOLDER", tmp_path / "trained")
    run = open_run("small")
    assert run.shipped
    assert run.results == session.run.results
    tensors = read_weights("small").tensors
    assert all(torch.equal(t, session.task.model.state_dict()[name]) for name, t in tensors.items())
    monkeypatch.setattr("bench.train_shipped.RECIPES", {"small": recipe | {"model": "mlp"}})
    with pytest.raises(ValueError, match="model"):
        ship(session.run, "small", tmp_path / "other")
