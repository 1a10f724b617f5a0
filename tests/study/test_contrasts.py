"""Intervals and verdicts against scipy's own tests and against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from etude.core.text import Text
from etude.study import (
    Row,
    all_of,
    equivalence,
    facts,
    level,
    paired_difference,
    paired_ratio,
    trend,
    unpaired_difference,
    unpaired_ratio,
)
from etude.study.verdict import holm

WHAT = Text(en="effect", zh="效应")
RNG = np.random.default_rng(0)
A, B = RNG.normal(2.0, 0.3, 12), RNG.normal(1.0, 0.5, 12)


def rows(a=A, b=B, **more):
    pairs = [("a", a), ("b", b)]
    return [
        Row(seed=seed, group=name, value=float(value), **more)
        for name, values in pairs
        for seed, value in enumerate(values)
    ]


def contrast(verdict):
    (found,) = verdict.contrasts
    return found


def compare(function, data, margin, **more):
    return function(data, "value", by="group", greater="a", lesser="b", margin=margin, what=WHAT, **more)


def test_paired_difference_is_the_paired_t_interval():
    found = contrast(compare(paired_difference, rows(), 0.5))
    expected = stats.ttest_rel(A, B).confidence_interval(0.99)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert found.estimate == pytest.approx((A - B).mean())
    assert found.p_holds == pytest.approx(stats.ttest_1samp(A - B, 0.5, alternative="greater").pvalue)
    assert found.p_fails == pytest.approx(stats.ttest_1samp(A - B, 0.5, alternative="less").pvalue)


def test_unpaired_difference_is_welchs_interval():
    found = contrast(compare(unpaired_difference, rows(), 0.1))
    expected = stats.ttest_ind(A, B, equal_var=False).confidence_interval(0.99)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_ratios_are_differences_of_logarithms():
    paired = contrast(compare(paired_ratio, rows(A, np.abs(B)), 1.5))
    expected = stats.ttest_rel(np.log(A), np.log(np.abs(B))).confidence_interval(0.99)
    assert (paired.low, paired.high) == pytest.approx((math.exp(expected.low), math.exp(expected.high)))
    unpaired = contrast(compare(unpaired_ratio, rows(A, np.abs(B)), 1.5))
    welch = stats.ttest_ind(np.log(A), np.log(np.abs(B)), equal_var=False).confidence_interval(0.99)
    assert (unpaired.low, unpaired.high) == pytest.approx((math.exp(welch.low), math.exp(welch.high)))


def test_a_level_is_the_one_sample_interval():
    found = contrast(level(rows(b=[]), "value", above=1.0, what=WHAT))
    expected = stats.ttest_1samp(A, 0).confidence_interval(0.99)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize("falling", [False, True])
def test_a_trend_is_the_interval_of_least_squares_slopes(falling):
    x = np.array([1.0, 10, 100, 1000])
    sign = -1 if falling else 1
    slopes = sign * RNG.normal(0.5, 0.05, 9)
    data = [
        Row(seed=seed, n=float(a), value=float(a**slope * math.exp(RNG.normal(0, 0.1))))
        for seed, slope in enumerate(slopes)
        for a in x
    ]
    verdict = trend(data, "value", by="n", margin=0.3, what=WHAT, falling=falling, log_x=True, log_y=True)
    fitted = [
        np.polyfit(np.log10(x), np.log10([r["value"] for r in data if r["seed"] == seed]), 1)[0]
        for seed in range(9)
    ]
    expected = stats.ttest_1samp(fitted, 0).confidence_interval(0.99)
    assert (contrast(verdict).low, contrast(verdict).high) == pytest.approx((expected.low, expected.high))
    assert verdict.outcome == "holds"


def test_equivalence_is_two_one_sided_tests():
    same = A + RNG.normal(0, 0.02, 12)
    verdict = equivalence(rows(A, same), "value", by="group", first="a", second="b", within=0.1, what=WHAT)
    lower = stats.ttest_1samp(A - same, -0.1, alternative="greater").pvalue
    upper = stats.ttest_1samp(A - same, 0.1, alternative="less").pvalue
    assert contrast(verdict).p_holds == pytest.approx(max(lower, upper))
    assert verdict.outcome == "holds"
    apart = equivalence(rows(A, A + 1), "value", by="group", first="a", second="b", within=0.1, what=WHAT)
    assert apart.outcome == "fails"
    ratio = equivalence(rows(A, 1.001 * A), "value", by="group", first="a", second="b", within=1.1, what=WHAT, ratio=True)  # fmt: skip
    assert ratio.outcome == "holds"


@pytest.mark.parametrize(("shift", "outcome"), [(1.0, "holds"), (0.0, "fails"), (0.5, "unclear")])
def test_the_outcome_is_where_the_interval_lies(shift, outcome):
    noise = RNG.normal(0, 0.1, 10)
    assert (
        compare(paired_difference, rows(B[:10] + shift + noise - noise.mean(), B[:10]), 0.5).outcome == outcome
    )


@pytest.mark.parametrize(
    "broken",
    [
        rows(A[:1], B[:1]),
        rows(A, []),
        rows([], []),
        [*rows(), Row(seed=3, group="a", value=math.nan)],
        [*rows(), Row(seed=3, group="b", value=math.inf)],
    ],
    ids=["one seed", "a missing group", "nothing", "NaN", "infinity"],
)
@pytest.mark.parametrize("function", [paired_difference, paired_ratio, unpaired_difference, unpaired_ratio])
def test_what_cannot_be_judged_is_unclear_and_says_why(function, broken):
    verdict = compare(function, broken, 0.0001)
    assert verdict.outcome == "unclear"
    assert contrast(verdict).problem is not None
    assert contrast(verdict).problem.zh in verdict.sentence.zh


def test_a_ratio_of_values_that_are_not_positive_is_unclear():
    assert compare(paired_ratio, rows(A, -B), 0.01).outcome == "unclear"


def test_seeds_without_both_conditions_are_left_out_of_a_paired_contrast():
    assert contrast(compare(paired_difference, rows(A, B[:7]), 0.5)).seeds == 7


def test_several_values_of_a_seed_count_once():
    twice = [*rows(), *rows()]
    assert contrast(compare(paired_difference, twice, 0.5)) == contrast(compare(paired_difference, rows(), 0.5))


def test_effects_without_spread_are_judged_by_their_value():
    assert compare(paired_difference, rows([2.0] * 3, [1.0] * 3), 0.5).outcome == "holds"
    assert compare(paired_difference, rows([2.0] * 3, [1.0] * 3), 1.5).outcome == "fails"


def test_holm_is_the_step_down_procedure():
    # the example of Holm's method in Wright (1992), Biometrics 48, table 1: p 0.01, 0.02, 0.03, 0.04, 0.05
    assert holm([0.01, 0.04, 0.03, 0.02, 0.05]) == pytest.approx([0.05, 0.09, 0.09, 0.08, 0.09])
    assert holm([0.004]) == [0.004]


def test_several_contrasts_must_all_hold_after_holm():
    strong = compare(paired_difference, rows(), 0.0)
    edge = level(rows(b=[]), "value", above=float(A.mean() - 3.2 * A.std(ddof=1) / math.sqrt(12)), what=WHAT)
    assert 0.0025 < contrast(edge).p_holds < 0.005  # holds alone; among two it may just not
    assert edge.outcome == "holds"
    weak = level(rows(b=[]), "value", above=float(A.mean() - 3.2 * A.std(ddof=1) / math.sqrt(12)), what=WHAT)
    assert all_of(edge, weak).outcome == "unclear"
    assert all_of(strong, edge).outcome == "holds"
    failing = compare(paired_difference, rows(), 100.0)
    assert all_of(strong, failing).outcome == "fails"
    assert all_of(strong, failing).sentence.en.count("99% interval") == 2


def test_facts_hold_together_or_not_at_all():
    good = [Row(fact="shares", holds=True), Row(fact="copies", holds=True)]
    assert facts(good).outcome == "holds"
    bad = facts([*good, Row(fact="raises", holds=False)], names={"raises": Text(en="it raises", zh="会报错")})
    assert bad.outcome == "fails"
    assert "it raises" in bad.sentence.en
    assert "会报错" in bad.sentence.zh
    assert facts([]).outcome == "unclear"
    assert all_of(facts(good), compare(paired_difference, rows(), 0.0)).outcome == "holds"
    assert all_of(bad, compare(paired_difference, rows(), 0.0)).outcome == "fails"


def test_the_sentence_has_the_numbers_and_goes_on_with_the_lesson():
    verdict = compare(paired_difference, rows(), 0.5, unit=Text(en="points", zh="个百分点"), scale=100)
    low, high = 100 * contrast(verdict).low, 100 * contrast(verdict).high
    assert f"{low:+.3g} to {high:+.3g}" in verdict.sentence.en
    assert f"{low:+.3g} 至 {high:+.3g}" in verdict.sentence.zh
    said = verdict.saying(holds=Text(en="So it helps.", zh="可见有用。"), fails=Text(en="no", zh="否"))
    assert said.sentence.en.endswith("So it helps.")
    assert said.outcome == verdict.outcome
    assert verdict.to_json()["contrasts"][0]["at_most"] is None  # infinity is not JSON
