"""Ratios, medians and the table of targets, from numbers written by hand."""

from __future__ import annotations

import pytest
from bench.speed.numbers import per_image, ratios, significant, spread, table
from bench.speed.report import read_results, render, write_results
from bench.speed.step_profile import group_of
from bench.speed.targets import targets_table
from bench.speed.works import list_works

MACHINE = {
    "processor": "A processor",
    "cores": 2,
    "has": ["AVX2"],
    "has not": ["AMX bf16"],
    "gpu": None,
    "system": "Linux",
    "python": "3.11",
    "versions": {"torch": "2.9"},
}
ABOUT = {"machine": MACHINE, "moment": {"date": "today", "load": 0.0}, "threads": None, "quick": False}


def training(plain: float, etude: float, **more):
    """A measurement in which an image takes so many microseconds in each way, in every repeat."""
    images, epochs = 1_000, [4, 9]
    seconds = {"plain": plain * 1e-6, "etude": etude * 1e-6}
    ways = {
        way: {"short": [3 + 4_000 * each] * 3, "long": [3 + 9_000 * each] * 3, "accuracy": [0.98, 0.985, 0.99]}
        for way, each in seconds.items()
    }
    return ABOUT | {
        "kind": "training", "net": "lenet5", "batch_size": 64, "images": images, "epochs": epochs, "ways": ways,
        "left_out": {"fastai": "fastai is not installed"}, "shown": None, **more,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1234.5, "1,230"),
        (12.345, "12.3"),
        (9.996, "10.0"),
        (0.04567, "0.0457"),
        (2, "2.00"),
        (0, "0"),
        (-3.14159, "-3.14"),
    ],
)
def test_three_significant_digits(value, text):
    assert significant(value) == text


def test_the_start_of_a_process_does_not_count():
    way = {"short": [10.0, 11.0], "long": [15.0, 17.0]}
    assert per_image(way, 1000) == [0.005, 0.006]
    assert ratios([6.0, 9.0], [2.0, 3.0]) == [3.0, 3.0]
    assert spread([1.0, 3.0, 2.0]) == "2.00 (1.00 to 3.00)"


def test_a_row_that_is_too_short_is_filled_up():
    assert table(["a", "b"], [["1"]]) == ["| a | b |", "| --- | --- |", "| 1 |  |"]


@pytest.mark.parametrize(
    ("plain", "must", "aim"), [(300, "yes", "**no**"), (200, "**no**", "**no**"), (500, "yes", "yes")]
)
def test_a_target_is_judged_by_the_median_ratio(plain, must, aim):
    rows = targets_table({"lenet5-64": training(plain, 100)})
    row = next(row for row in rows if row.startswith("| LeNet-5, batch 64"))
    assert row.split(" | ")[3] == f"{plain / 100:.2f} times"
    assert row.split(" | ")[4:6] == [must, aim]
    assert sum("not measured" in row for row in rows) == len(rows) - 3  # the head, its rule, and that one


def test_the_limit_is_the_time_that_the_products_take_at_the_peak():
    peak = {"bf16": 0.5, "float32": 0.1, "flops": {"lenet5": 2e6}}
    row = next(
        row
        for row in targets_table({"lenet5-64": training(300, 100, peak=peak)})
        if "batch 64, against the" in row
    )
    assert row.endswith("| 75 |")  # 2 MFLOP take 4 µs at 0.5 TFLOP/s
    slow = {"bf16": 0.02, "float32": 0.1, "flops": {"lenet5": 2e6}}  # a processor that only emulates bf16
    row = next(
        row
        for row in targets_table({"lenet5-64": training(300, 100, peak=slow)})
        if "batch 64, against the" in row
    )
    assert row.endswith("| 15 |")


@pytest.mark.parametrize(
    ("operation", "group"),
    [
        ("aten::mkldnn_convolution", "products, convolutions"),
        ("aten::convolution_backward", "products, convolutions"),
        ("aten::addmm", "products, convolutions"),
        ("aten::native_batch_norm_backward", "batch norm"),
        ("aten::max_pool2d_with_indices", "pooling"),
        ("aten::copy_", "formats, copies"),
        ("aten::add_", "ReLU, sums, loss"),
        ("aten::_fused_sgd_", "update"),
    ],
)
def test_an_operation_belongs_to_its_group(operation, group):
    assert group_of(operation) == group


def test_less_is_better_for_seconds():
    found = ABOUT | {
        "kind": "to-accuracy",
        "goal": 0.99,
        "seconds": [9.0, 10.0, 30.0],
        "accuracy": [0.99, 0.991, 0.989],
    }
    row = next(row for row in targets_table({"to-accuracy": found}) if "MNIST to 99 %" in row)
    assert "10.0 s | yes | **no**" in row
    assert "2 of 3 at 99% or above" in "\n".join(list_works()["to-accuracy"].show(found))


def test_the_share_of_the_peak_is_flops_by_time():
    peak = {"bf16": 0.5, "float32": 0.1, "flops": {"lenet5": 2e6}}
    shown = "\n".join(list_works()["lenet5-64"].show(training(400, 100, peak=peak)))
    # 2 MFLOP in 100 µs are 0.02 TFLOP/s
    etude = next(line for line in shown.splitlines() if line.startswith("| étude"))
    assert etude.endswith("| 4.0 % | 20.0 % |")
    assert "4.00 (4.00 to 4.00)" in shown
    assert "98.50 (98.00 to 99.00)" in shown
    assert "Left out: fastai, fastai is not installed." in shown


def test_a_time_that_drowned_in_noise_is_not_shown_as_one():
    shown = list_works()["lenet5-64"].show(training(-1, 100))
    assert any("too short to tell" in line for line in shown)
    assert not any("-0.01" in line for line in shown)


def test_results_are_kept_beside_the_report_and_read_again(tmp_path):
    results = {"lenet5-64": training(300, 100)}
    write_results(results, tmp_path / "RESULTS.md")
    assert read_results(tmp_path / "results.json") == results
    report = (tmp_path / "RESULTS.md").read_text(encoding="utf-8")
    assert report.splitlines() == render(results)
    assert "2 cores of A processor (without AMX)" in report
    assert read_results(tmp_path / "nothing.json") == {}


def test_what_was_only_tried_reaches_no_target():
    words = "\n".join(render({"lenet5-64": training(1000, 100) | {"quick": True}}))
    assert "must reached" not in words
    assert "mean nothing" in words
