"""A trained run on rows given as Python objects, and the report of a person's own numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import r2_score
from torch import nn
from torch.utils.data import TensorDataset

from etude.core.errors import EtudeError
from etude.data.catalog import load_data
from etude.train.evaluation import evaluate_run, examples_to_measure
from etude.train.predict import Predictor
from etude.train.start import start_run


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A CSV file with a number to learn, which a third of the rows leave a category out of, and a run on it."""
    folder = tmp_path_factory.mktemp("own")
    chance = np.random.default_rng(0)
    lines = ["size,colour,price"]
    for _ in range(240):
        size, colour = chance.normal(50, 10), chance.choice(["red", "blue", ""])
        lines.append(
            f"{size:.2f},{colour},{2000 + 30 * size + 500 * (colour == 'red') + chance.normal(0, 40):.2f}"
        )
    (folder / "prices.csv").write_text("\n".join(lines))
    session = start_run(folder / "prices.csv", "mlp", run_dir=folder / "run", epochs=40)
    for _ in session:
        pass
    session.finish()
    return folder


def test_rows_as_dictionaries_are_predicted_in_the_unit_of_the_target(table):
    predictor = Predictor(table / "run")
    rows = [{"size": 40, "colour": "red"}, {"colour": "blue", "size": 60.0}, {"size": 60, "colour": None}]
    prepared = predictor.prepare_rows(rows)
    said = predictor.outputs(prepared.features)
    assert said.shape == (3,)
    assert said == pytest.approx([3700, 3800, 3800], abs=200)
    with pytest.raises(EtudeError, match="learnt from a table"):
        predictor.prepare("x.png")


def test_evaluating_a_run_gives_metrics_and_what_was_said_of_every_row(table):
    found = evaluate_run(Predictor(table / "run"))
    p = found.predictions
    own = load_data(table / "prices.csv", seed=0)
    assert np.array_equal(p.rows, own.test.rows)
    assert p.targets == pytest.approx(own.test.targets)
    assert p.target == "price"
    assert p.train_mean == pytest.approx(own.train.targets.mean(), rel=1e-6)
    assert found.metrics["r2"] == pytest.approx(r2_score(p.targets, p.predictions), abs=1e-6)
    assert found.metrics["r2"] > 0.8


def test_a_table_that_changed_is_no_longer_the_run_s_own(table, tmp_path):
    changed = tmp_path / "prices.csv"
    text = (table / "prices.csv").read_text()
    changed.write_text(text.replace("red", "green", 1))
    run = Predictor(table / "run").run
    run.record["data"]["load"]["name_or_path"] = str(changed)
    with pytest.raises(EtudeError, match="no longer what run was trained on"):
        evaluate_run(Predictor(run))


def test_numbers_of_one_s_own_data_have_a_report_too(tmp_path):
    inputs = torch.randn(120, 3, generator=torch.Generator().manual_seed(0))
    data = TensorDataset(inputs, inputs.sum(1))
    session = start_run(
        (data, None, data), nn.Linear(3, 1), task="regression", run_dir=tmp_path / "run", epochs=1
    )
    for _ in session:
        pass
    results = session.finish()
    assert {"test_rmse", "test_r2", "test_mae"} <= results.keys()
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert f"R² {results['test_r2']:.2f}" in page
    assert (tmp_path / "run" / "figures" / "residuals.png").exists()


def test_a_set_without_a_test_part_is_measured_on_what_its_run_held_out(tmp_path):
    session = start_run("digits", "mlp", run_dir=tmp_path / "run", steps=1, seed=3)
    for _ in session:
        pass
    session.finish()
    examples, _, _ = examples_to_measure(Predictor(tmp_path / "run"), "digits")
    assert np.array_equal(examples.rows, load_data("digits", seed=3).test.rows)
    assert not np.array_equal(examples.rows, load_data("digits", seed=0).test.rows)
