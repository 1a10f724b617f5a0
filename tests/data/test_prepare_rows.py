"""New rows come out exactly as the table's own did, however the file is written."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest

from etude.core.errors import EtudeError
from etude.data.catalog import load_data
from etude.data.prepare_rows import prepare_rows

HEADER = ("w", "colour", "n", "kind")


def some_rows(count=150, seed=0):
    chance = random.Random(seed)
    return [
        (round(chance.gauss(5, 2), 4) if chance.random() > 0.1 else "", chance.choice(["red", "blue", "?"]), chance.randrange(99),
         chance.choice(["x", "y", "z"]))
        for _ in range(count)
    ]  # fmt: skip


def write(path, header, rows, delimiter=","):
    path.write_text(
        "\n".join(delimiter.join(map(str, row)) for row in ([header] if header else []) + rows), "utf-8"
    )
    return path


@pytest.fixture
def learnt(tmp_path):
    rows = some_rows()
    data = load_data(write(tmp_path / "t.csv", HEADER, rows))
    return data, json.loads(json.dumps(data.preparation)), rows


def test_the_table_itself_comes_out_as_it_was(learnt, tmp_path):
    data, preparation, rows = learnt
    found = prepare_rows(tmp_path / "t.csv", preparation, need_target=True)
    for part in (data.train, data.validation, data.test):
        assert np.array_equal(found.features[part.rows], part.features)
        assert np.array_equal(found.targets[part.rows], part.targets)
    assert found.rows.tolist() == list(range(len(rows)))
    assert found.findings == ()
    assert prepare_rows(tmp_path / "t.csv", preparation).targets is None


def test_the_order_of_columns_others_and_the_delimiter_do_not_matter(learnt, tmp_path):
    _, preparation, rows = learnt
    expected = prepare_rows(tmp_path / "t.csv", preparation).features
    turned = [(n, "more", kind, colour, str(w).replace(".", ",")) for w, colour, n, kind in rows]
    path = write(tmp_path / "u.csv", ("n", "extra", "kind", "colour", "w"), turned, ";")
    assert np.array_equal(prepare_rows(path, preparation).features, expected)


def test_rows_given_as_dictionaries(learnt, tmp_path):
    _, preparation, rows = learnt
    expected = prepare_rows(tmp_path / "t.csv", preparation, need_target=True)
    given = [dict(zip(HEADER, [None if cell in ("", "?") else cell for cell in row])) for row in rows]
    found = prepare_rows(given, preparation, need_target=True)
    assert np.array_equal(found.features, expected.features)
    assert np.array_equal(found.targets, expected.targets)
    alone = prepare_rows([{"w": np.float32(4.5), "colour": "red", "n": 3}], preparation)
    assert alone.features.shape == (1, expected.features.shape[1])


def test_a_file_of_one_row_and_no_target(learnt, tmp_path):
    _, preparation, rows = learnt
    path = write(tmp_path / "one.csv", HEADER[:3], [rows[3][:3]])
    expected = prepare_rows(tmp_path / "t.csv", preparation).features[3:4]
    assert np.array_equal(prepare_rows(path, preparation).features, expected)


def test_a_table_without_a_header_goes_by_places(tmp_path):
    rows = [row for row in some_rows() if row[0] != ""]
    data = load_data(write(tmp_path / "t.csv", None, rows))
    found = prepare_rows(write(tmp_path / "u.csv", None, [row[:3] for row in rows]), data.preparation)
    assert np.array_equal(found.features[data.test.rows], data.test.features)


def test_one_feature_alone_needs_no_delimiter(tmp_path):
    data = load_data(write(tmp_path / "t.csv", ("x", "y"), [(n / 7, n % 13 / 3) for n in range(60)]))
    found = prepare_rows(write(tmp_path / "u.csv", ("x",), [(n / 7,) for n in range(60)]), data.preparation)
    assert np.array_equal(found.features[data.test.rows], data.test.features)


def test_a_column_of_numbers_is_read_as_such_whatever_is_in_it(learnt, tmp_path):
    _, preparation, _ = learnt
    path = write(
        tmp_path / "u.csv", HEADER[:3], [("heavy", "red", 1), ("light", "red", "inf"), (5000, "pink", 2)]
    )
    found = prepare_rows(path, preparation)
    names = [each["name"] for each in preparation["columns"]]
    assert names == ["w", "colour", "n"]
    assert found.features[:2, 1].tolist() == [1, 1]  # w is missing
    assert np.isfinite(found.features).all()
    said = "\n".join(each.en for each in found.findings)
    assert "w=heavy: 2" in said
    assert "colour=pink: 1" in said
    assert "1 value is far outside what was learnt from (w: 1)" in said
    assert "1 value is infinite" in said


def test_rows_without_the_target_are_left_out_where_it_is_needed(learnt, tmp_path):
    data, preparation, rows = learnt
    holes = [(*row[:3], "" if place % 5 == 0 else row[3]) for place, row in enumerate(rows)]
    found = prepare_rows(write(tmp_path / "u.csv", HEADER, holes), preparation, need_target=True)
    assert found.rows.tolist() == [place for place in range(len(rows)) if place % 5]
    assert [data.classes[each] for each in found.targets] == [rows[row][3] for row in found.rows]
    assert "30 rows have no value of 'kind'" in found.findings[0].en
    assert len(prepare_rows(tmp_path / "u.csv", preparation).features) == len(rows)


def test_numbers_as_targets(tmp_path):
    rows = [(n * 0.37 % 1, n % 3, n * 1.5) for n in range(90)]
    path = write(tmp_path / "t.csv", ("x", "c", "v"), rows)
    for target in ("c", "v"):
        data = load_data(path, target=target)
        found = prepare_rows(path, data.preparation, need_target=True)
        assert np.array_equal(found.targets[data.test.rows], data.test.targets)
        assert found.targets.dtype == data.test.targets.dtype
        as_text = write(tmp_path / "u.csv", ("x", "c", "v"), [(x, f"{c}.0", v) for x, c, v in rows])
        assert np.array_equal(prepare_rows(as_text, data.preparation, need_target=True).targets, found.targets)


@pytest.mark.parametrize(
    ("header", "row", "need", "say"),
    [
        (("w", "color", "n"), (1, "red", 2), False, "lacks 1 of the columns.*colour.*did you mean 'color'"),
        (("a", "b"), (1, 2), False, "lacks 3 of the columns"),
        (HEADER[:3], (1, "red", 2), True, "kind"),
        (HEADER, (1, "red", 2, "q"), True, "class 'q' of 'kind' that was not learnt; the classes are x, y, z"),
        (HEADER, (1, "red", 2, ""), True, "no row with a value of 'kind'"),
    ],
)
def test_what_does_not_fit_is_one_sentence(learnt, tmp_path, header, row, need, say):
    path = write(tmp_path / "u.csv", header, [row] * 3)
    with pytest.raises(EtudeError, match=say) as error:
        prepare_rows(path, learnt[1], need_target=need)
    assert "\n" not in error.value.text.zh


def test_no_rows_at_all_is_one_sentence(learnt):
    with pytest.raises(EtudeError, match="no rows"):
        prepare_rows([], learnt[1])


def test_many_other_categories_do_not_hide_those_learnt_from(learnt, tmp_path):
    """So many that columns of a table to learn from are no longer told apart."""
    _, preparation, _ = learnt
    rows = [(1, f"c{n}", 1, "x") for n in range(160_000)] + [(1, "red", 1, "x")]
    alone = prepare_rows(write(tmp_path / "one.csv", HEADER, rows[-1:]), preparation).features[0]
    found = prepare_rows(write(tmp_path / "many.csv", HEADER, rows), preparation).features
    assert np.array_equal(found[-1], alone)
    assert not np.array_equal(found[0], alone)
