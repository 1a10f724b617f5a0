"""Calibration and the classes: against scikit-learn, and what is drawn is what is in the data."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import precision_recall_fscore_support

from etude.core.plotting import chinese_font, drawing, png
from etude.train.report.calibration import calibration
from etude.train.report.page import render_report
from etude.train.report.per_class import per_class
from etude.train.report.predictions import Predictions
from etude.train.report.statistics import calibration_error, reliability, wilson_interval


def made(count=500, classes=5, sharpness=1.0, seed=0, images=False):
    """Labels drawn from the probabilities: calibrated; ``sharpness`` above 1 makes the stated ones too sure."""
    chance = np.random.default_rng(seed)
    logits = 2 * chance.standard_normal((count, classes))
    honest = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = (honest.cumsum(1) > chance.random((count, 1))).argmax(1)
    said = np.exp(sharpness * logits)
    said /= said.sum(1, keepdims=True)
    pixels = np.zeros((count, 1, 4, 4), np.uint8) if images else None
    rows = None if images else np.arange(count) + 1000
    return Predictions(
        labels, said.astype(np.float32), pixels, (), tuple(f"class {i}" for i in range(classes)), rows
    )


@pytest.mark.parametrize("bins", [10, 15])
def test_the_reliability_bins_are_scikit_learn_s(bins):
    p = made()
    correct = p.predicted == p.labels
    true, said = calibration_curve(correct, p.confidence, n_bins=bins)
    found = reliability(p.confidence, correct, bins)
    assert [each.accuracy for each in found] == pytest.approx(true.tolist())
    assert [each.confidence for each in found] == pytest.approx(said.tolist(), rel=1e-5)
    assert sum(each.count for each in found) == len(p)


def test_the_calibration_error_is_the_weighted_gap_of_scikit_learn_s_curve():
    p = made(sharpness=3)
    correct = p.predicted == p.labels
    true, said = calibration_curve(correct, p.confidence, n_bins=15)
    weights = np.histogram(p.confidence, bins=np.linspace(0, 1, 16))[0]
    gap = np.average(np.abs(true - said), weights=weights[weights > 0])
    assert calibration_error(p.confidence, correct) == pytest.approx(gap, rel=1e-4)


def test_confidences_at_the_edges_are_counted():
    found = reliability(np.array([0.0, 1.0, 0.2]), np.array([False, True, True]), 5)
    assert [(each.count, each.confidence) for each in found] == [(2, pytest.approx(0.1)), (1, 1.0)]


@pytest.mark.parametrize(
    ("sharpness", "words"), [(1, "No sign of false confidence"), (4, "Too sure"), (0.3, "Too modest")]
)
def test_the_title_of_the_calibration_figure_is_what_was_found(sharpness, words):
    with drawing("en"):
        axes = calibration(made(2000, sharpness=sharpness), "en").axes[0]
    assert axes.get_title(loc="left").startswith(words)


def test_the_points_of_the_calibration_figure_are_the_bins():
    p = made()
    with drawing("en"):
        top, below = calibration(p, "en").axes
    found = reliability(p.confidence, p.predicted == p.labels)
    points = [tuple(dots.get_offsets()[0]) for dots in top.collections if len(dots.get_offsets()) == 1]
    for each in found:
        assert any(np.allclose(point, (100 * each.confidence, 100 * each.accuracy)) for point in points)
    assert [bar.get_height() for bar in below.patches] == [each.count for each in found]
    for bar, each in zip(below.patches, found):
        assert bar.get_x() < 100 * each.confidence <= bar.get_x() + 100 / 15 + 1e-9


@pytest.mark.parametrize("count", [1, 2, 500])
@pytest.mark.parametrize("classes", [2, 5, 100])
def test_calibration_and_classes_of_few_and_many_can_be_drawn(count, classes):
    p = made(count, classes)
    for lang in ("en", "zh") if chinese_font() else ("en",):
        with drawing(lang), warnings.catch_warnings():
            warnings.simplefilter("error")
            png(calibration(p, lang), dpi=50)
            png(per_class(p, lang), dpi=50)


def marks(axes, marker):
    return {round(float(line.get_ydata()[0])): float(line.get_xdata()[0]) for line in axes.lines
            if line.get_marker() == marker and len(line.get_xdata())}  # fmt: skip


def test_the_figure_of_the_classes_has_scikit_learn_s_recall_and_precision_the_worst_first():
    p = made(sharpness=2)
    precision, recall, _, support = precision_recall_fscore_support(p.labels, p.predicted)
    with drawing("en"):
        axes = per_class(p, "en").axes[0]
    order = np.argsort(recall, kind="stable")
    assert marks(axes, "o") == pytest.approx({height: 100 * recall[i] for height, i in enumerate(order)})
    assert marks(axes, "D") == pytest.approx({height: 100 * precision[i] for height, i in enumerate(order)})
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == [f"class {i}  ({support[i]})" for i in order]
    low, high = wilson_interval(round(recall[order[0]] * support[order[0]]), int(support[order[0]]))
    spans = [tuple(line.get_xdata()) for line in axes.lines if len(line.get_xdata()) == 2]
    assert any(np.allclose(span, (100 * low, 100 * high)) for span in spans)


def test_a_class_without_examples_has_no_recall_and_one_never_said_no_precision():
    p = Predictions(np.array([0, 0, 1]), np.eye(3)[[0, 2, 0]], None, (), ("a", "b", "c"))
    with drawing("en"):
        axes = per_class(p, "en").axes[0]
    names = [label.get_text()[0] for label in axes.get_yticklabels()]
    assert names == ["b", "a", "c"]
    assert marks(axes, "o") == {0: 0.0, 1: 50.0}
    assert marks(axes, "D") == {1: 50.0, 2: 0.0}


def test_of_many_classes_the_hardest_are_drawn_and_it_is_said():
    with drawing("en"):
        axes = per_class(made(3000, 100), "en").axes[0]
    assert len(axes.get_yticklabels()) == 30
    assert "the 30 hardest of 100 classes" in axes.get_title(loc="left")


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_page_of_a_table_lists_the_rows_that_are_mistaken_and_speaks_of_no_picture(lang):
    p = made(60)
    run = {"name": "r", "status": "finished", "task": {"kind": "classification", "classes": list(p.classes)},
           "data": {"name": "wine", "kind": "table", "split": {"train": 100}}, "results": {"test_accuracy": 0.8}}  # fmt: skip
    page = render_report(run, [], p, lang)
    worst = int(p.worst(1)[0])
    assert f'<th scope="row">{p.rows[worst] + 1:,}</th><td>{p.classes[p.predicted[worst]]}</td>' in page
    assert "picture" not in page.lower()
    assert "图片" not in page
    assert page.count("data:image/png") == 3


def test_a_table_without_a_mistake_says_so():
    p = Predictions(np.array([0, 1]), np.eye(2), None, (), ("a", "b"), np.arange(2))
    run = {"data": {"kind": "table"}, "results": {"test_accuracy": 1.0}}
    assert "No row is mistaken." in render_report(run, [], p, "en")
