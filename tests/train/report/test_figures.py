"""The figures of a report, looked into: what is drawn is what is in the data."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from etude.core.plotting import chinese_font, drawing, png
from etude.train.report.compare import compare
from etude.train.report.confusion import confusion
from etude.train.report.curves import curves, smoothed
from etude.train.report.pictures import mistakes, prediction_grid
from etude.train.report.predictions import Predictions


def test_validation_between_epochs_is_drawn_once_and_the_best_is_ringed(epoch_records):
    records = epoch_records(2)
    for record, accuracy in ((records[4], 0.99), (records[9], 0.9)):  # step 10 is the end of the epoch too
        record["validation"] = {"loss": 0.1, "accuracy": accuracy}
    with drawing("en"):
        accuracy_axes = curves(records, "en").axes[1]
    lines = {line.get_label(): line.get_xydata() for line in accuracy_axes.lines}
    assert lines["validation"] == pytest.approx(np.array([[0.5, 99], [1, 90], [2, 95]]))
    assert lines["best: 99.00%"] == pytest.approx(np.array([[0.5, 99]]))


@pytest.mark.parametrize(("last", "scale"), [(0.2, "linear"), (0.002, "log")])
def test_a_loss_that_falls_far_is_drawn_on_a_logarithmic_axis(last, scale):
    records = [
        {"kind": "step", "step": i + 1, "epoch": 0, "loss": {"model": loss}, "learning_rate": 0.1}
        for i, loss in enumerate(np.geomspace(2, last, 100).tolist())
    ]
    with drawing("en"):
        axes = curves(records, "en").axes[0]
    assert axes.get_yscale() == scale
    low, high = axes.get_ylim()
    assert low < last < high


def test_losses_that_are_zero_negative_or_missing_can_be_drawn():
    for losses in ([0.0] * 30, [-1.0 - i for i in range(30)], [2.0, None, 1.0], [None]):
        records = [
            {"kind": "step", "step": i + 1, "epoch": 0, "loss": {"model": loss}, "learning_rate": 0.1}
            for i, loss in enumerate(losses)
        ]
        with drawing("en"), warnings.catch_warnings():
            warnings.simplefilter("error")
            axes = curves(records, "en").axes[0]
        known = [loss for loss in losses if loss is not None]
        if known and min(known) < 0:
            low, high = axes.get_ylim()
            assert low <= min(known)
            assert high >= max(known[2:])


def test_the_smoothed_curve_of_a_straight_line_is_the_line():
    y = np.linspace(3, 1, 200)
    assert smoothed(y) == pytest.approx(y)


def test_the_end_of_a_smoothed_curve_is_the_line_through_the_points_before_it():
    y = np.random.default_rng(0).random(400)
    x = np.arange(391, 400)  # 400 * 0.04 / 2 = 8 neighbours before the last point
    assert smoothed(y)[-1] == pytest.approx(np.polyval(np.polyfit(x, y[x], 1), 399))


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_the_shortest_curves_can_be_smoothed(count):
    assert np.isfinite(smoothed(np.arange(1.0, count + 1))).sum() == count


def test_smoothing_a_steep_fall_stays_above_zero():
    assert smoothed(np.logspace(0, -9, 400)).min() > 0


def test_words_about_a_prediction_lie_above_its_bar_and_inside_their_axes():
    top = [[("a class of a long long name", 0.6), ("dog", 0.4)]]
    with drawing("en"):
        figure = prediction_grid(np.zeros((1, 1, 4, 4), np.uint8), top, "en")
        png(figure, dpi=50)
        axes = figure.axes[1]
        frame, places = axes.get_window_extent(), [text.get_window_extent() for text in axes.texts]
    bars = [bar.get_window_extent() for bar in axes.patches]
    assert all(frame.x0 <= place.x0 and place.x1 <= frame.x1 for place in places)
    assert not any(place.overlaps(bar) for place in places for bar in bars)


def test_the_cells_of_a_confusion_matrix_say_percent_and_count():
    labels = np.array([0] * 8 + [1] * 2)
    predicted = np.array([0] * 6 + [1] * 2 + [1] * 2)
    p = Predictions(labels, np.eye(2)[predicted], np.zeros((10, 1, 4, 4), np.uint8), (), ("cat", "dog"))
    with drawing("en"):
        axes = confusion(p, "en").axes[0]
    cells = {(text.get_position()[0], round(text.get_position()[1]), text.get_text()) for text in axes.texts}
    assert cells == {(0, 0, "75"), (0, 0, "6"), (1, 0, "25"), (1, 0, "2"), (1, 1, "100"), (1, 1, "2")}
    assert [label.get_text() for label in axes.get_yticklabels()] == ["cat", "dog"]


def test_a_rare_mistake_stays_pale_and_a_common_one_does_not():
    def darkness(mistakes_of_1000):
        labels = np.repeat([0, 1], 1000)
        predicted = labels.copy()
        predicted[:mistakes_of_1000] = 1
        p = Predictions(labels, np.eye(2)[predicted], np.zeros((2000, 1, 1, 1), np.uint8), (), ("a", "b"))
        with drawing("en"):
            image = confusion(p, "en").axes[0].images[0]
        return 1 - min(image.to_rgba(image.get_array())[0, 1, :3])

    assert darkness(1) < 0.1
    assert darkness(300) > 0.8


def test_mistakes_say_what_was_taken_for_what_and_how_surely():
    p = Predictions(
        np.array([0, 1]),
        np.array([[0.04, 0.96], [0.0, 1.0]]),
        np.zeros((2, 1, 4, 4), np.uint8),
        (),
        ("boot", "shoe"),
    )
    with drawing("en"):
        (axes,) = mistakes(p, "en").axes
    said, is_really = axes.texts
    assert (said.get_text(), is_really.get_text()) == ("shoe 96%", "is boot")
    (picture,) = axes.images
    left, right, bottom, top = picture.get_extent()
    assert (
        said.get_position()[1] < top < bottom < is_really.get_position()[1]
    )  # one above, one below: y runs downwards
    assert left < said.get_position()[0] < right


def test_pictures_of_mistakes_stand_apart_and_keep_their_proportions():
    labels, count = np.zeros(8, dtype=int), 8
    p = Predictions(labels, np.eye(2)[labels + 1], np.zeros((count, 3, 10, 25), np.uint8), (), ("a", "b"))
    with drawing("en"):
        figure = mistakes(p, "en")
    (axes,) = figure.axes
    renderer = FigureCanvasAgg(figure).get_renderer()
    boxes = [image.get_window_extent(renderer) for image in axes.images]
    assert len(boxes) == count
    assert all(box.width / box.height == pytest.approx(2.5, rel=0.02) for box in boxes)
    assert not any(one.overlaps(other) for place, one in enumerate(boxes) for other in boxes[:place])


@pytest.mark.skipif(not chinese_font(), reason="no installed font has Chinese characters")
def test_a_chinese_class_is_readable_in_an_english_figure():
    labels = np.array([0, 1, 1])
    p = Predictions(labels, np.eye(2)[labels], np.zeros((3, 1, 4, 4), np.uint8), (), ("猫", "dog"))
    with drawing("en"), warnings.catch_warnings():
        warnings.simplefilter("error")
        png(confusion(p, "en"), dpi=50)


def test_more_pictures_than_a_figure_holds_are_cut_and_said_so():
    images, top = np.zeros((100, 1, 4, 4), dtype=np.uint8), [[("cat", 0.9)]] * 100
    with drawing("en"):
        figure = prediction_grid(images, top, "en")
    assert sum(len(axes.images) for axes in figure.axes) == 60
    assert figure.get_suptitle() == "the first 60 of 100 pictures"


@pytest.mark.parametrize("epochs", [1, 2, 3, 8, 20, 200])
def test_epochs_are_marked_at_whole_numbers(epoch_records, epochs):
    records = epoch_records(epochs)
    with drawing("en"):
        figures = [compare([("run", records)], "en")] + ([curves(records, "en")] if epochs >= 3 else [])
        for axes in (axes for figure in figures for axes in figure.axes):
            ticks = axes.get_xticks()
            assert np.array_equal(ticks, ticks.round())
            assert len(ticks) >= 2
