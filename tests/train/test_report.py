"""The report: its statistics against scikit-learn, its page as a browser would take it, its figures looked into."""

from __future__ import annotations

import warnings
from html.parser import HTMLParser

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from etude.core.plotting import chinese_font, drawing, png
from etude.train.report.compare import compare
from etude.train.report.confusion import confusion
from etude.train.report.curves import curves, smoothed, thinned
from etude.train.report.page import render_report, write_report
from etude.train.report.pictures import mistakes, prediction_grid
from etude.train.report.predictions import Predictions
from etude.train.report.statistics import (
    calibration_error,
    commonest_confusions,
    confusion_counts,
    per_class_table,
    wilson_interval,
)


def make_predictions(
    count=300, classes=("cat", "dog", "<script>alert(1)</script>", "鸟 $x$"), seed=0, wrong=0.3
):
    chance = np.random.default_rng(seed)
    labels = chance.integers(0, len(classes), count)
    said = np.where(chance.random(count) < wrong, chance.integers(0, len(classes), count), labels)
    scores = chance.random((count, len(classes))) + 3 * np.eye(len(classes))[said]
    images = chance.integers(0, 256, (count, 3, 8, 8)).astype(np.uint8)
    probabilities = (scores / scores.sum(1, keepdims=True)).astype(np.float32)
    return Predictions(labels, probabilities, images, (), tuple(classes))


def make_records(epochs=3, steps=10, validation=True):
    records, step = [], 0
    for epoch in range(epochs):
        for _ in range(steps):
            step += 1
            records.append(
                {
                    "kind": "step",
                    "step": step,
                    "epoch": epoch,
                    "loss": {"model": 2 / step},
                    "learning_rate": 0.1,
                }
            )
        judged = {"loss": 2.5 / step, "accuracy": 1 - 1 / step} if validation else None
        records.append(
            {"kind": "epoch", "step": step, "epoch": epoch, "train": {"loss": 2 / step}, "validation": judged}
        )
    return records


RUN = {
    "name": "my-run", "status": "finished", "model": {"name": "lenet5", "parameters": 61706},
    "data": {"name": "pets & co", "split": {"train": 700, "test": 300}, "findings": [{"en": "One <b>file</b>", "zh": "一个文件"}]},
    "results": {"test_accuracy": 0.7, "epochs": 3, "train_seconds": 1.5}, "recipe": {"epochs": 3}, "choices": {"device": "cpu"},
}  # fmt: skip


def test_the_class_table_is_scikit_learn_s():
    p = make_predictions()
    precision, recall, f1, support = precision_recall_fscore_support(p.labels, p.predicted)
    rows = per_class_table(p.labels, p.predicted, p.classes)
    assert [r.support for r in rows] == support.tolist()
    assert [r.precision for r in rows] == pytest.approx(precision.tolist())
    assert [r.recall for r in rows] == pytest.approx(recall.tolist())
    assert [r.f1 for r in rows] == pytest.approx(f1.tolist())
    assert np.array_equal(confusion_counts(p.labels, p.predicted, 4), confusion_matrix(p.labels, p.predicted))


def test_what_cannot_be_divided_is_none():
    (a, b, c) = per_class_table(np.array([0, 0]), np.array([0, 1]), ("a", "b", "c"))
    assert (a.precision, a.recall) == (1.0, 0.5)
    assert (b.precision, b.recall) == (0.0, None)
    assert (c.support, c.precision, c.recall, c.f1) == (0, None, None, None)


@pytest.mark.parametrize(("right", "count"), [(0, 10), (5, 10), (10, 10), (9104, 10_000)])
def test_the_interval_holds_just_the_shares_that_the_score_test_does_not_reject(right, count):
    low, high = wilson_interval(right, count)
    for share in (low, high):
        if 0 < share < 1:
            z = abs(right / count - share) / np.sqrt(share * (1 - share) / count)
            assert z == pytest.approx(1.959964, rel=1e-5)
    assert low <= right / count <= high


def test_calibration_error_is_its_definition():
    confidence = np.array([0.95, 0.95, 0.95, 0.55], dtype=np.float64)
    correct = np.array([True, True, False, True])
    assert calibration_error(confidence, correct, bins=10) == pytest.approx(
        0.75 * abs(2 / 3 - 0.95) + 0.25 * 0.45
    )


def test_the_commonest_confusions_come_first():
    counts = np.array([[9, 3, 0], [5, 9, 1], [0, 0, 9]])
    assert commonest_confusions(counts, 10) == [(1, 0, 5), (0, 1, 3), (1, 2, 1)]


def test_the_worst_are_the_most_confident_mistakes():
    p = make_predictions()
    worst = p.worst(5)
    assert (p.predicted[worst] != p.labels[worst]).all()
    wrong = p.confidence[p.predicted != p.labels]
    assert p.confidence[worst].tolist() == sorted(wrong, reverse=True)[:5]


def test_thinning_and_smoothing_keep_means():
    y = np.random.default_rng(0).random(10_000)
    x, thin = thinned(np.arange(10_000.0), y, most=400)
    assert len(x) == 400
    assert thin.mean() == pytest.approx(y.mean(), rel=1e-9)
    assert smoothed(np.full(50, 3.0)) == pytest.approx(np.full(50, 3.0))


class Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.words, self.links, self.open = [], [], [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)
        self.links += [value for name, value in attributes if name in ("src", "href")]
        if tag == "img":
            assert dict(attributes)["alt"]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_page_is_whole_and_needs_nothing_else(lang, tmp_path):
    predictions = make_predictions()
    path = write_report(tmp_path, RUN, make_records(), predictions, lang)
    page = path.read_text(encoding="utf-8")
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    assert "script" not in reader.tags
    assert reader.links
    assert all(link.startswith("data:image/png;base64,") for link in reader.links)
    words = " ".join(reader.words)
    assert "<script>alert(1)</script>" in words  # as text, not as a tag
    assert "70.00%" in words
    assert ("训练图片" if lang == "zh" else "test pictures") in words or lang == "zh"
    assert ("最自信的错误" if lang == "zh" else "Its most confident mistakes") in words
    assert ("一个文件" if lang == "zh" else "One <b>file</b>") in words
    names = ("curves", "confusion", "per_class", "calibration", "mistakes")
    assert {p.name for p in (tmp_path / "figures").iterdir()} == {f"{name}.png" for name in names}


def test_a_run_of_which_nothing_is_known_has_a_page_too():
    page = render_report({}, [], None, "en")
    assert "Not finished" in page


DEGENERATE = {
    "one epoch": make_records(epochs=1),
    "one step": make_records(epochs=1, steps=1),
    "no validation": make_records(validation=False),
    "many": make_records(epochs=200, steps=60),
    "stopped before the first epoch's end": make_records(epochs=1)[:-1],
    "nothing": [],
}


@pytest.mark.parametrize("name", DEGENERATE)
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_curves_of_any_run_can_be_drawn(name, lang):
    with drawing(lang), warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = curves(DEGENERATE[name], lang)
        assert png(figure).startswith(b"\x89PNG")
    english = lang == "en" or not chinese_font()
    ended = any(r["kind"] == "epoch" for r in DEGENERATE[name])
    words = (
        ("epochs trained" if english else "已训练轮数")
        if ended
        else ("steps trained" if english else "已训练步数")
    )
    assert all(axes.get_xlabel() == words for axes in figure.axes)
    assert all(axes.get_ylabel() for axes in figure.axes)


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("classes", [2, 10, 25, 100])
def test_confusion_of_few_and_many_classes(classes, lang):
    names = tuple(f"class {i}" for i in range(classes))
    with drawing(lang), warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = confusion(make_predictions(400, names), lang)
        png(figure, dpi=50)
    assert len(figure.axes[0].get_xticklabels()) <= 20
    assert len(figure.axes) == (1 if classes <= 20 else 2)


@pytest.mark.parametrize("wrong", [0.0, 0.02, 1.0])
def test_mistakes_none_few_many(wrong):
    with drawing("en"):
        figure = mistakes(make_predictions(wrong=wrong), "en")
        png(figure, dpi=50)
    titles = [text.get_text() for axes in figure.axes for text in axes.texts if "%" in text.get_text()]
    assert (len(titles) == 0) == (wrong == 0.0)
    assert len(titles) <= 24


@pytest.mark.parametrize("count", [1, 2, 7])
def test_predictions_beside_their_pictures(count):
    images = np.zeros((count, 1, 8, 8), dtype=np.uint8)
    with drawing("zh"):
        figure = prediction_grid(images, [[("cat", 0.9), ("dog", 0.1)]] * count, "zh")
        png(figure, dpi=50)
    words = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert words.count("cat  90%") == count


def test_runs_are_compared_by_name():
    with drawing("en"):
        figure = compare([("first", make_records()), ("second", make_records(validation=False))], "en")
        png(figure, dpi=50)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "first",
        "second (training loss)",
    ]
