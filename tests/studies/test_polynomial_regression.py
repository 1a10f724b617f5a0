"""The polynomial study against what its data are known to be."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from etude.study.catalog import load_study, study_files

STUDY = load_study("polynomial_regression")


@pytest.fixture(scope="module")
def rows():
    return STUDY.run(seeds=2, learning_rate=0.02, tolerance=0.01)


def test_the_data_lie_on_the_curve_of_the_notes():
    torch.manual_seed(0)
    features, y = STUDY._module._examples(50)
    x = features[:, 0].double()
    assert y[:, 0].double().numpy() == pytest.approx(
        (4 * x**3 + 3 * x**2 + 2 * x + 1).numpy(), rel=1e-4, abs=1e-4
    )


def test_the_loss_on_fresh_data_is_that_of_the_coefficients(rows):
    """E[(Σ d_k x^k)²] for x from N(0, 1), whose moments are 1, 0, 1, 0, 3, 0, 15."""
    moments = np.array(
        [[1, 0, 3, 0], [0, 3, 0, 1], [3, 0, 15, 0], [0, 1, 0, 1]], dtype=float
    )  # of x, x², x³, 1
    for course in rows.where(kind="course"):
        away = course["coefficients"] - np.array([2.0, 3.0, 4.0, 1.0])
        expected = np.einsum("ti,ij,tj->t", away, moments, away)
        assert course["fresh_loss"] == pytest.approx(expected, rel=0.35)  # 4,096 examples of heavy-tailed x³


def test_training_stops_where_it_says(rows):
    for seed in range(2):
        (batch,) = rows.where(kind="stop", seed=seed, data="batch")
        (fresh,) = rows.where(kind="stop", seed=seed, data="fresh")
        (course,) = rows.where(kind="course", seed=seed)
        assert batch["loss"] < 0.01
        place = int(np.flatnonzero(course["batches"] == batch["after"])[0])
        assert course["batch_losses"][batch["after"]] == pytest.approx(batch["loss"])
        assert course["fresh_loss"][place] == pytest.approx(fresh["loss"])
        assert all(course["batch_losses"][: batch["after"]] >= 0.01)


def test_each_batch_of_a_training_is_what_plain_torch_computes(rows):
    torch.manual_seed(1)
    net = torch.nn.Linear(3, 1)
    torch.randn(4096, 1)  # the fresh examples
    for expected in rows.where(kind="course", seed=1)[0]["batch_losses"][:50]:
        x = torch.randn(32, 1)
        y = 4 * x**3 + 3 * x**2 + 2 * x + 1
        net.zero_grad()
        loss = (net(torch.cat([x, x**2, x**3], 1)) - y).square().mean()
        assert expected == pytest.approx(loss.item(), rel=1e-3)
        loss.backward()
        with torch.no_grad():
            for parameter in net.parameters():
                parameter -= 0.02 * parameter.grad


def test_beyond_two_over_the_largest_curvature_training_diverges(rows):
    """The Hessian of the expected squared error is twice the matrix of moments of x, x², x³, 1."""
    moments = np.array([[1, 0, 3, 0], [0, 3, 0, 1], [3, 0, 15, 0], [0, 1, 0, 1]], dtype=float)
    assert pytest.approx(2 / np.linalg.eigvalsh(2 * moments).max(), rel=0.01) == STUDY._module.EDGE
    for row in rows.where(kind="rate"):
        assert row["reached"] == (row["rate"] < STUDY._module.EDGE)


def test_fewer_batches_with_larger_steps(rows):
    for seed in range(2):
        reached = rows.where(kind="rate", seed=seed, reached=True)
        needed = [row["batches"] for row in sorted(reached, key=lambda row: row["rate"])]
        assert needed == sorted(needed, reverse=True)
        assert len(set(needed)) > 2


@pytest.mark.parametrize("knobs", [{"learning_rate": 0.05, "batch_size": 1}, {"most_batches": 200}])
def test_a_training_that_diverges_or_does_not_arrive_is_no_crash(knobs):
    some = STUDY.run(seeds=2, **knobs)
    assert STUDY.figure(some, "en")._repr_png_()
    assert STUDY.verdict(some).outcome != "holds"
    assert "polynomial_regression" in study_files()
