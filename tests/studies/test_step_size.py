"""What is known in closed form about gradient descent on a quadratic."""

from __future__ import annotations

import numpy as np
import pytest

from etude.study.catalog import load_study

STUDY = load_study("step_size")


@pytest.fixture(scope="module")
def rows():
    return STUDY.run(seeds=3)


def test_beside_the_edge_the_distance_changes_by_one_minus_twice_the_factor_a_step(rows):
    """Along the steepest axis each step multiplies by 1 - factor·2/λmax·λmax: 0.9 below the edge and 1.1 above."""
    for seed in range(3):
        below, above = (
            rows.where(kind="side", seed=seed, side=side)[0]["distance"] for side in ("below", "above")
        )
        assert above / below == pytest.approx((1.1 / 0.9) ** 60, rel=0.01)


def test_paths_are_those_of_the_closed_form(rows):
    """w_t - w* = (I - ηH)^t (w_0 - w*)."""
    (surface,) = rows.where(kind="surface", seed=1)
    for path in rows.where(kind="path", seed=1):
        shrink = np.eye(2) - path["learning_rate"] * surface["hessian"]
        expected = np.linalg.matrix_power(shrink, 20) @ (surface["start"] - surface["best"])
        assert path["path"][20] - surface["best"] == pytest.approx(expected, rel=1e-6)


def test_the_edge_is_two_over_the_largest_curvature(rows):
    for row in rows.where(kind="edge"):
        assert row["found_over_predicted"] == pytest.approx(1, abs=0.005)


@pytest.mark.parametrize(
    "knobs",
    [
        {"learning_rate": 10.0, "steps": 1000},
        {"condition_number": 1000.0, "steps": 20},
        {"condition_number": 1.0, "examples": 5},
        {"examples": 5, "steps": 20},
    ],
)
def test_a_theorem_holds_whatever_the_knobs(knobs):
    some = STUDY.run(seeds=6, **knobs)
    assert STUDY.figure(some, "en")._repr_png_()
    assert STUDY.verdict(some).outcome == "holds", STUDY.verdict(some).sentence.en
