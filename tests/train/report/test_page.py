"""The page of a report: what it says of runs that are not as usual."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np

from etude.train.report.page import render_report, write_report
from etude.train.report.predictions import Predictions

LABELS = np.array([0, 0, 0, 1, 1, 1])
PREDICTIONS = Predictions(
    LABELS, np.eye(2)[[0, 1, 1, 1, 1, 1]], np.zeros((6, 1, 4, 4), np.uint8), (), ("🐱 a&b", "dog")
)
RUN = {"name": "r", "status": "finished", "results": {"test_accuracy": 4 / 6, "epochs": 1, "best_epoch": 1},
       "recipe": {"optimizer": "adamw", "learning_rate": 0.006, "schedule": "cosine", "batch_size": 128}}  # fmt: skip


def test_the_story_names_the_recipe_the_kept_weights_and_the_commonest_mistake(epoch_records):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # no font has the cat; nobody is bothered with that
        page = render_report(RUN, epoch_records(1), PREDICTIONS, "en")
    assert "Optimiser adamw, learning rate 0.006 (cosine), batch size 128." in page
    assert "those of epoch 1" in page
    assert "Most often 🐱 a&amp;b is taken for dog: 2 times, 67% of that class." in page


def test_a_finished_run_without_a_test_part_shows_its_validation():
    run = {
        "name": "r",
        "status": "finished",
        "data": {"split": {"validation": 50}},
        "results": {"validation_accuracy": 0.5},
    }
    page = render_report(run, [], None, "en")
    assert "50.00%" in page
    assert "50 validation pictures" in page
    assert "etude resume" not in page


def test_an_unfinished_run_says_how_to_carry_on_even_with_an_odd_name(epoch_records):
    page = render_report({"name": "my run; <b>", "status": "running"}, epoch_records(2), None, "en")
    assert "etude resume &#x27;my run; &lt;b&gt;&#x27;" in page


def test_writing_again_replaces_and_leaves_nothing_beside(tmp_path, epoch_records):
    first = write_report(tmp_path, RUN, epoch_records(2), PREDICTIONS, "en").read_bytes()
    again = write_report(tmp_path, RUN, epoch_records(2), PREDICTIONS, "en").read_bytes()
    assert first == again
    assert sorted(p.name for p in tmp_path.iterdir()) == ["figures", "report.html"]


def test_the_commands_reach_the_run_wherever_it_lies(tmp_path, monkeypatch):
    def command(folder):
        folder.mkdir(parents=True)
        page = write_report(folder, {"name": folder.name}, [], None, "en").read_text(encoding="utf-8")
        return re.search("<code>(etude resume .*?)</code>", page).group(1)

    monkeypatch.setenv("ETUDE_RUNS", str(tmp_path / "runs"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert command(tmp_path / "runs" / "a") == "etude resume a"
    assert command(tmp_path / "here" / "out" / "b") == f"etude resume {Path('out/b')}"
    assert command(tmp_path / "far" / "c") == f"etude resume {tmp_path / 'far' / 'c'}"


def test_many_classes_and_a_long_training_make_a_page_of_moderate_size(epoch_records):
    chance = np.random.default_rng(0)
    labels, said = chance.integers(0, 10, (2, 500))
    images = chance.integers(0, 256, (500, 3, 32, 32)).astype(np.uint8)  # noise is the worst to compress
    p = Predictions(labels, np.eye(10)[said], images, (), tuple(f"class {i}" for i in range(10)))
    assert len(render_report(RUN, epoch_records(60), p, "en")) < 1.5e6
