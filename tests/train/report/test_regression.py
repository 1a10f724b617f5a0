"""The report of predicted numbers: its statistics against scikit-learn and SciPy, its figures and page looked into."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from etude.core.plotting import drawing, png
from etude.train.report.compare import compare
from etude.train.report.curves import curves
from etude.train.report.labels import number
from etude.train.report.page import render_report, write_report
from etude.train.report.predictions import RegressionPredictions
from etude.train.report.regression_statistics import bootstrap_intervals, summarise
from etude.train.report.residuals import residuals


def made(count=90, noise=50.0, scale=70.0, mean=150.0, seed=0):
    chance = np.random.default_rng(seed)
    targets = mean + scale * chance.standard_normal(count)
    said = targets + noise * chance.standard_normal(count)
    return RegressionPredictions(
        targets.astype(np.float32), said.astype(np.float32), "progression", np.arange(count)[::-1].copy(), mean
    )


def records(epochs=4, r2=True):
    found = []
    for epoch in range(epochs):
        for step in range(10 * epoch + 1, 10 * epoch + 11):
            found.append(
                {
                    "kind": "step",
                    "step": step,
                    "epoch": epoch,
                    "loss": {"model": 2 / step},
                    "learning_rate": 0.1,
                }
            )
        judged = {"loss": 1 / (epoch + 1), "rmse": 70 / (epoch + 1), "mae": 50.0} | (
            {"r2": 1 - 1 / (epoch + 1)} if r2 else {}
        )
        found.append(
            {
                "kind": "epoch",
                "step": 10 * epoch + 10,
                "epoch": epoch,
                "train": {"loss": 0.1},
                "validation": judged,
            }
        )
    return found  # fmt: skip


RUN = {
    "name": "r", "status": "finished", "model": {"name": "mlp", "parameters": 10},
    "task": {"kind": "regression", "target": "progression", "classes": None, "target_mean": 150.0, "target_std": 70.0},
    "data": {"name": "diabetes", "kind": "table", "split": {"train": 300, "test": 90}},
    "results": {"test_rmse": 54.1234, "test_r2": 0.4567, "test_mae": 40.0, "epochs": 4},
}  # fmt: skip


def test_the_numbers_are_scikit_learn_s():
    p = made()
    found = summarise(p)
    assert found.rmse == pytest.approx(root_mean_squared_error(p.targets, p.predictions), rel=1e-6)
    assert found.mae == pytest.approx(mean_absolute_error(p.targets, p.predictions), rel=1e-6)
    assert found.r2 == pytest.approx(r2_score(p.targets, p.predictions), rel=1e-6)
    mean = np.full(len(p), p.train_mean)
    assert found.baseline_rmse == pytest.approx(root_mean_squared_error(p.targets, mean), rel=1e-6)


@pytest.mark.parametrize("mean", [0.0, 1e6])
def test_the_intervals_are_scipy_s_percentile_bootstrap(mean):
    p = made(mean=mean, scale=700.0, noise=500.0)
    targets, left = p.targets.astype(float), p.residuals

    def r2(y, e, axis=-1):
        return 1 - (e**2).sum(axis) / ((y - y.mean(axis, keepdims=True)) ** 2).sum(axis)

    def rmse(e, axis=-1):
        return np.sqrt((e**2).mean(axis))

    how = {"n_resamples": 4000, "method": "percentile", "vectorized": True}
    wanted = stats.bootstrap((left,), rmse, **how, random_state=np.random.default_rng(1)).confidence_interval
    wanted_r2 = stats.bootstrap(
        (targets, left), r2, paired=True, **how, random_state=np.random.default_rng(1)
    ).confidence_interval
    ours, ours_r2 = bootstrap_intervals(targets, left)
    width, width_r2 = wanted.high - wanted.low, wanted_r2.high - wanted_r2.low
    assert ours == pytest.approx((wanted.low, wanted.high), abs=0.07 * width)
    assert ours_r2 == pytest.approx((wanted_r2.low, wanted_r2.high), abs=0.07 * width_r2)


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    inside = 0
    for seed in range(100):
        (low, high), _ = bootstrap_intervals(
            np.arange(80.0), np.random.default_rng(seed).standard_normal(80), seed
        )
        inside += low <= 1 <= high
    assert stats.binomtest(inside, 100, 0.95).pvalue > 1e-3


def test_few_or_equal_targets_have_no_interval_or_no_r2():
    two = summarise(made(2))
    assert (two.rmse_interval, two.r2_interval) == (None, None)
    same = summarise(
        RegressionPredictions(np.full(9, 0.1, np.float32), np.linspace(0, 1, 9, dtype=np.float32), "y")
    )
    assert (same.r2, same.r2_interval, same.baseline_rmse) == (None, None, None)
    with pytest.raises(ValueError, match="no example"):
        summarise(made(0))


def test_the_largest_errors_come_first():
    p = made()
    errors = np.abs(p.residuals)[p.worst(5)]
    assert errors.tolist() == sorted(np.abs(p.residuals), reverse=True)[:5]


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("count", [1, 2, 90, 6000])
def test_residuals_of_few_and_many_can_be_drawn(count, lang):
    p = made(count)
    with drawing(lang), warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = residuals(p, lang)
        png(figure, dpi=50)
    points = np.asarray(figure.axes[0].collections[0].get_offsets())
    assert len(points) == min(count, 5000)
    left = np.asarray(figure.axes[1].collections[0].get_offsets())
    assert left[:, 0] + left[:, 1] == pytest.approx(points[:, 0], rel=1e-5)  # predicted + residual = measured
    *bars, _ = figure.axes[2].patches  # the last is the band of one RMSE
    assert sum(bar.get_width() for bar in bars) == count
    low, high = figure.axes[1].get_ylim()
    assert low < p.residuals.min() <= p.residuals.max() < high


def test_a_network_that_knows_nothing_is_said_to_be_no_better_than_the_mean():
    p = made(noise=200.0)
    with drawing("en"):
        assert "no better than always saying the mean" in residuals(p, "en").get_suptitle()
        assert "no better" not in residuals(made(), "en").get_suptitle()


@pytest.mark.parametrize("r2", [True, False])
def test_curves_of_a_regression_show_rmse_with_the_best_ringed(r2):
    with drawing("en"):
        axes = curves(records(r2=r2), "en", regression=True).axes
    assert "squared error" in axes[0].get_ylabel()
    lines = {line.get_label(): line.get_xydata() for line in axes[1].lines}
    assert lines["best: 17.5"] == pytest.approx(np.array([[4, 17.5]]))


def test_regressions_are_compared_below_classifiers(epoch_records):
    runs = [("classes", epoch_records(3)), ("numbers", records()), ("no r2", records(r2=False))]
    with drawing("en"):
        figure = compare(runs, "en", [False, True, True])
        png(figure, dpi=50)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles[1] == "Accuracy on the validation part"
    assert titles[3] == "R² on the validation part"
    assert [line.get_label() for line in figure.axes[3].lines if len(line.get_xdata())] == ["numbers"]
    assert {text.get_text() for text in figure.legends[0].get_texts()} == {"classes", "numbers", "no r2"}


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_page_says_how_good_it_is_and_lists_the_largest_errors(lang, tmp_path):
    p = made()
    page = write_report(tmp_path, RUN, records(), p, lang).read_text(encoding="utf-8")
    found = summarise(p)
    assert "RMSE 54.1 · R² 0.46" in page
    low, high = found.rmse_interval
    assert number(low) in page
    assert number(high) in page
    assert number(found.baseline_rmse) in page
    worst = int(p.worst(1)[0])
    assert f'<th scope="row">{p.rows[worst] + 1}</th><td>{number(float(p.targets[worst]))}</td>' in page
    assert "etude predict" in page
    assert ("TABLE.csv" if lang == "en" else "表格.csv") in page
    assert "picture" not in page.lower()
    assert "图片" not in page
    assert {each.name for each in (tmp_path / "figures").iterdir()} == {"curves.png", "residuals.png"}


def test_a_page_without_r2_and_one_measured_elsewhere():
    run = RUN | {"results": {"test_rmse": 2.0}}
    page = render_report(run, [], None, "en")
    assert "R²" not in page
    assert "RMSE 2.00" in page
    page = render_report(RUN | {"measured_on": "new.csv"}, [], made(), "en")
    assert "90 rows of new.csv" in page
    assert "kept apart" not in page


@pytest.mark.parametrize(
    ("value", "words"), [(54.1234, "54.1"), (0.5, "0.500"), (48175.4, "48,175"), (999.96, "1,000"), (0, "0.00"),
                         (1.5e9, "1.50e+09"), (0.00012, "1.20e-04"), (-56.78, "-56.8"), (120.0, "120")]
)  # fmt: skip
def test_numbers_are_short(value, words):
    assert number(value) == words
