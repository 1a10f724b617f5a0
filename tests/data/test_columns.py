"""What a column holds, found out from its cells."""

from __future__ import annotations

import math

import numpy as np
import pytest

from etude.data.columns import as_categories, as_numbers, infer_column, name_of, parse_number


def infer(cells, decimal_comma=False, at_a_time=7):
    chunks = [cells[start : start + at_a_time] for start in range(0, len(cells), at_a_time)]
    return infer_column("c", lambda: chunks, decimal_comma)


@pytest.mark.parametrize(
    ("cell", "comma", "number"),
    [
        ("1", False, 1), (" -2.5e3 ", False, -2500), ("+.5", False, 0.5), ("1,234.5", False, 1234.5), ("1,234", False, 1234),
        ("12,34", False, math.nan), ("1,5", True, 1.5), ("1.234,5", True, 1234.5), ("1,2,3", True, math.nan), ("1.5", True, 1.5),
        ("", False, math.nan), ("nan", False, math.nan), ("x", False, math.nan), ("1_000", False, math.nan), ("inf", False, math.inf),
        ("0x1A", False, math.nan), ("1 2", False, math.nan),
    ],
)  # fmt: skip
def test_numbers_as_people_write_them(cell, comma, number):
    assert parse_number(cell, comma) == pytest.approx(number, nan_ok=True)


@pytest.mark.parametrize("mark", ["", "NA", "n/a", "NaN", "null", "None", "?", "-", "  "])
def test_every_mark_of_a_missing_value(mark):
    numbers = infer([*map(str, range(30)), mark])
    assert numbers.kind == "number"
    assert numbers.missing().tolist() == [False] * 30 + [True]
    assert numbers.stray_count == 0
    words = infer(["red", "green", mark] * 5)
    assert words.kind == "category"
    assert words.categories == ("red", "green")
    assert words.values.tolist() == [0, 1, -1] * 5


def test_infinite_and_huge_numbers_count_as_missing_and_are_counted():
    column = infer(["1", "inf", "-Infinity", "1e300", "1e37", "nan"])
    assert column.infinite == 3
    assert column.missing().tolist() == [False, True, True, True, False, True]


def test_a_few_words_among_many_numbers_are_strays():
    cells = [str(n) for n in range(97)] + ["broken", "12 kg", ""]
    column = infer(cells)
    assert (column.kind, column.stray_count, column.strays) == ("number", 2, ("broken", "12 kg"))
    assert np.isnan(column.values[97:]).all()
    assert infer(["1", "2", "3", "A"] * 10).kind == "category"  # codes, one of them a letter
    assert infer(["1"] * 50 + ["2"] * 48 + ["A"]).kind == "category"
    assert infer([str(n) for n in range(40)] + ["x"] * 10).kind == "category"


def test_few_whole_numbers_stay_numbers():
    assert infer(["0", "1", "2"] * 10).kind == "number"


@pytest.mark.parametrize(
    "pattern", ["2024-{:02}-03", "2024/{}/3", "{}.3.2024", "2024-{:02}-03T10:00:00Z", "2024年{}月3日"]
)
def test_dates(pattern):
    assert infer([pattern.format(n % 12 + 1) for n in range(40)]).kind == "date"


def test_text_that_tells_rows_apart_is_no_category():
    assert infer([f"person {n}" for n in range(40)]).kind == "text"
    assert infer([f"person {n % 20}" for n in range(40)]).kind == "category"


def test_spaces_around_and_within_do_not_make_another_category():
    assert as_categories("c", lambda: [["a b", " a b", "a  b ", "A b"]]).categories == ("a b", "A b")


def test_too_many_texts_are_no_longer_told_apart():
    column = infer([f"t{n}" for n in range(150_000)], at_a_time=20_000)
    assert column.kind == "text"
    assert len(column.values) == 150_000


def test_read_as_numbers_whatever_is_in_it():
    column = as_numbers("c", [["x", "y", "3"], ["z", "", "inf"]])
    assert column.values == pytest.approx([math.nan, math.nan, 3, math.nan, math.nan, math.nan], nan_ok=True)
    assert (column.stray_count, column.infinite) == (3, 1)


def test_numbers_as_names_of_classes():
    assert [name_of(each) for each in (3.0, -1.0, 0.5, 1e300)] == ["3", "-1", "0.5", "1e+300"]
