"""Training until an accuracy is reached: when it stops, what it says, and that a resume changes nothing."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import norm

import etude
from etude.core.errors import EtudeError
from etude.train.fit import Epoch, fit
from etude.train.recipe import Recipe
from etude.train.recommended import recommend
from etude.train.schedule import learning_rate_at
from etude.train.target import AT_LEAST, AT_MOST, at_least, at_most, cycle_ends, reaches


@pytest.mark.parametrize(("right", "count"), [(4950, 5000), (261, 270), (50, 50), (1, 10), (0, 10)])
def test_the_bound_is_where_a_score_test_at_ten_percent_turns(right, count):
    """Wilson's interval holds the shares p that a score test does not reject: (x - p) / √(p (1 - p) / n) < z."""
    bound = at_least(right / count, count)
    if right == 0:
        assert bound == pytest.approx(0, abs=1e-12)
        return
    assert (right / count - bound) / math.sqrt(bound * (1 - bound) / count) == pytest.approx(norm.ppf(0.9))


def test_nine_times_in_ten_the_truth_is_above_the_bound():
    chance = np.random.default_rng(0)
    right = chance.binomial(5000, 0.99, size=4000)
    covered = np.mean([at_least(each / 5000, 5000) <= 0.99 for each in right])
    assert 0.88 < covered < 0.93


def test_the_two_bounds_are_mirror_images():
    assert at_most(0.97, 400) == pytest.approx(1 - at_least(0.03, 400))
    assert at_most(1.0, 50) == pytest.approx(1.0)


def test_within_a_cycle_the_lower_bound_decides_and_at_its_end_the_upper():
    recipe = Recipe(to_accuracy=0.9)
    near = {"accuracy": 0.895, AT_LEAST: 0.885, AT_MOST: 0.905}
    assert not reaches(near, recipe, cycle_ended=False)
    assert reaches(near, recipe, cycle_ended=True)
    assert reaches({"accuracy": 0.92, AT_LEAST: 0.901, AT_MOST: 0.93}, recipe, cycle_ended=False)
    assert not reaches({"accuracy": 0.88, AT_LEAST: 0.87, AT_MOST: 0.89}, recipe, cycle_ended=True)
    assert not reaches(near, Recipe(), cycle_ended=True)


def test_cycles_double_and_each_is_torchs_one_cycle():
    recipe = Recipe(to_accuracy=0.9, epochs=14, learning_rate=0.02)
    assert cycle_ends(140, recipe, 10) == [20, 60, 140]
    rates = [learning_rate_at(step, 140, recipe, 10) for step in range(140)]
    expected = []
    for length in (20, 40, 80):
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.1)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, 0.02, total_steps=length, cycle_momentum=False
        )
        for _ in range(length):
            expected.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            if len(expected) not in (20, 60, 140):
                schedule.step()
    assert rates == pytest.approx(expected)


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe(epochs=14),
        Recipe(epochs=6, to_accuracy=0.9),
        Recipe(epochs=14, to_accuracy=0.9, schedule="cosine"),
    ],
)
def test_without_a_target_or_in_a_short_run_or_another_schedule_there_is_one_cycle(recipe):
    assert cycle_ends(recipe.epochs * 10, recipe, 10) == [recipe.epochs * 10]


@pytest.mark.parametrize(("model", "size"), [("mlp", 55_000), ("resnet20", 45_000), ("lenet5", 1_000)])
def test_the_recommended_recipe_begins_with_a_third_of_the_usual_epochs(model, size):
    usual, soon = recommend(model, size), recommend(model, size, {"to_accuracy": 0.9})
    first, *_ = cycle_ends(soon.epochs * 10, soon, 10)
    assert first == 10 * math.ceil(usual.epochs / 3)
    assert (soon.batch_size, soon.learning_rate) == (usual.batch_size, usual.learning_rate)


def test_what_a_person_sets_beside_the_target_takes_precedence():
    given = {"epochs": 5, "label_smoothing": 0.0, "batch_size": 32, "schedule": "constant"}
    recipe = recommend("lenet5", 55_000, {"to_accuracy": 0.99, **given})
    assert {name: getattr(recipe, name) for name in given} == given


def test_it_stops_at_the_first_evaluation_that_shows_it(tmp_path):
    session = etude.start_run("digits", to_accuracy=0.9, run_dir=tmp_path / "run")
    epochs = [record for record in session if isinstance(record, Epoch)]
    results = session.finish()
    ends = cycle_ends(session.state.total_steps, session.state.recipe, session.state.steps_per_epoch)
    shown = [
        each.validation[AT_LEAST] >= 0.9 or (each.step in ends and each.validation[AT_MOST] >= 0.9)
        for each in epochs
    ]
    assert shown == [False] * (len(epochs) - 1) + [True]
    assert results["reached"] is True
    assert results["steps"] == epochs[-1].step < session.state.total_steps
    assert results["validation_accuracy"] >= results["validation_accuracy_at_least"]


def test_what_is_not_reached_is_told_and_the_run_is_finished_all_the_same(tmp_path):
    session = etude.start_run("digits", to_accuracy=0.99, epochs=2, run_dir=tmp_path / "run")
    assert sum(isinstance(record, Epoch) for record in session) == 2
    results = session.finish()
    assert results["reached"] is False
    assert session.run.finished


def test_a_run_without_a_target_says_nothing_of_it(tmp_path):
    session = etude.start_run("digits", epochs=1, run_dir=tmp_path / "run")
    records = list(session)
    assert AT_LEAST not in records[-1].validation
    assert "reached" not in session.finish()


def test_resumed_it_stops_at_the_same_step_with_the_same_weights(tmp_path):
    whole = etude.start_run("digits", to_accuracy=0.9, run_dir=tmp_path / "whole")
    list(whole)
    expected = whole.finish()
    stopped = etude.start_run("digits", to_accuracy=0.9, run_dir=tmp_path / "stopped")
    with stopped:
        for record in stopped:
            if record.step == 17:
                break
    resumed = etude.resume_run(tmp_path / "stopped")
    list(resumed)
    results = resumed.finish()
    assert {**results, "train_seconds": 0} == {**expected, "train_seconds": 0}
    assert (tmp_path / "stopped" / "metrics.jsonl").read_bytes() == (
        tmp_path / "whole" / "metrics.jsonl"
    ).read_bytes()
    weights = [(tmp_path / name / "weights.safetensors").read_bytes() for name in ("whole", "stopped")]
    assert weights[0] == weights[1]


@pytest.mark.parametrize(
    ("data", "target", "words"),
    [
        ("diabetes", 0.9, "has no accuracy"),
        ("digits", 0.9999, "cannot show more than"),
        ("digits", 99, "less than 1"),
        ("digits", 0, "greater than 0"),
    ],
)
def test_a_target_that_cannot_be_reached_is_refused_before_anything_is_written(data, target, words, tmp_path):
    with pytest.raises(EtudeError, match=words) as raised:
        etude.start_run(data, to_accuracy=target, run_dir=tmp_path / "run")
    assert "to_accuracy" in raised.value.text.zh
    assert not (tmp_path / "run").exists()


def test_a_validation_part_of_unknown_size_is_refused():
    class Stream(torch.utils.data.IterableDataset):
        def __iter__(self):
            yield torch.zeros(3), 0

    class Batches:
        def __iter__(self):
            yield torch.zeros(8, 3), torch.zeros(8, dtype=torch.long)

        def __len__(self):
            return 1

    train = torch.utils.data.TensorDataset(torch.randn(8, 3), torch.zeros(8, dtype=torch.long))
    task = etude.Classification(torch.nn.Linear(3, 2))
    for validation in (Stream(), torch.utils.data.DataLoader(Stream()), Batches()):
        with pytest.raises(EtudeError, match="how many examples"):
            next(fit(task, (train, validation), Recipe(to_accuracy=0.9)))


def test_without_a_validation_part_it_is_refused():
    data = torch.utils.data.TensorDataset(torch.randn(8, 3), torch.zeros(8, dtype=torch.long))
    task = etude.Classification(torch.nn.Linear(3, 2))
    with pytest.raises(EtudeError, match="no validation part"):
        next(fit(task, data, Recipe(to_accuracy=0.9)))
