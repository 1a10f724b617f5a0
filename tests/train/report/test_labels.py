"""Names and shares in figures: short, and never saying more than is so."""

from __future__ import annotations

import pytest

from etude.train.report.labels import share, shortened


@pytest.mark.parametrize(
    ("probability", "words"),
    [
        (0, "0%"),
        (1, "100%"),
        (0.9996, ">99.9%"),
        (0.995, "99.5%"),
        (0.98996, "99.0%"),
        (0.62, "62%"),
        (0.034, "3.4%"),
        (0.0004, "<0.1%"),
    ],
)
def test_a_share_is_as_exact_as_it_is_telling(probability, words):
    assert share(probability) == words


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("cat", "cat"),
        ("a very long class 17", "a very…ass 17"),
        ("一二三四五六七八九十", "一二三…八九十"),
        ("a $x$", r"a \$x\$"),
    ],
)
def test_long_names_keep_both_ends(name, words):
    assert shortened(name) == words
