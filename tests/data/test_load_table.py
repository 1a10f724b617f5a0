"""A table of a person's own: prepared by its training part alone, split, looked over, the same every time."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from etude.core.errors import EtudeError
from etude.data.catalog import load_data

PARTS = ("train", "validation", "test")


def write(folder, header, rows, name="t.csv"):
    path = folder / name
    path.write_text("\n".join(",".join(map(str, row)) for row in ([header] if header else []) + rows), "utf-8")
    return path


def some_rows(count=200, seed=0):
    chance = random.Random(seed)
    return [
        (
            round(chance.gauss(5, 2), 4) if chance.random() > 0.1 else "",
            chance.choice(["red", "green", "blue", "NA"]),
            chance.randrange(1000),
            round(chance.gauss(0, 1), 4),
        )
        for _ in range(count)
    ]


HEADER = ("w", "colour", "n", "price")


def words(data):
    return "\n".join(found.en for found in data.findings)


def test_features_are_those_of_scikit_learn_fitted_on_the_training_part(tmp_path):
    rows = some_rows()
    data = load_data(write(tmp_path, HEADER, rows))
    table = np.array([[np.nan if row[0] == "" else row[0], row[2]] for row in rows])
    colours = np.array([[row[1]] for row in rows], dtype=object)
    whole = np.concatenate([table.astype(object), colours], 1)
    reference = ColumnTransformer(
        [
            ("w", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), [0]),
            ("n", StandardScaler(), [1]),
            ("colour", OneHotEncoder(sparse_output=False), [2]),
        ]
    ).fit(whole[data.train.rows])
    for part in PARTS:
        examples = getattr(data, part)
        expected = reference.transform(whole[examples.rows]).astype(np.float64)
        own = {name: examples.features[:, place] for place, name in enumerate(data.features)}
        assert own["w"] == pytest.approx(expected[:, 0], abs=1e-5)
        assert own["n"] == pytest.approx(expected[:, 1], abs=1e-5)
        assert own["w=(missing)"].tolist() == np.isnan(table[examples.rows, 0]).tolist()
        for place, name in enumerate(("NA", "blue", "green", "red"), start=2):
            name = "(missing)" if name == "NA" else name
            assert own[f"colour={name}"].tolist() == expected[:, place].tolist()
        assert examples.features.dtype == np.float32
        assert examples.targets == pytest.approx([rows[row][3] for row in examples.rows])
    assert data.features[:2] == ("w", "w=(missing)")
    assert len(data.features) == 7
    train = data.train.targets.astype(np.float64)
    assert (data.target_mean, data.target_std) == pytest.approx((train.mean(), train.std()))
    assert "missing" in words(data)


def test_the_test_part_is_never_looked_at(tmp_path):
    rows = some_rows()
    data = load_data(write(tmp_path, HEADER, rows))
    for row in (*data.test.rows, *data.validation.rows):
        rows[row] = (rows[row][0] and 1e6, "violet", 10**6 + int(row), rows[row][3])
    changed = load_data(write(tmp_path, HEADER, rows))
    assert np.array_equal(changed.test.rows, data.test.rows)
    assert changed.preparation == data.preparation
    assert np.array_equal(changed.train.features, data.train.features)
    colours = [place for place, name in enumerate(data.features) if name.startswith("colour=")]
    assert not changed.test.features[:, colours].any()


def test_the_parts_share_no_row_and_hold_the_classes_alike(tmp_path):
    chance = random.Random(1)
    rows = [(chance.random(), ["a", "b", "c"][min(n % 10, 2)]) for n in range(500)]
    data = load_data(write(tmp_path, ("x", "kind"), rows))
    assert sorted(row for part in PARTS for row in getattr(data, part).rows) == list(range(500))
    assert [len(getattr(data, part)) for part in PARTS] == [340, 60, 100]
    assert data.classes == ("a", "b", "c")
    for part in PARTS:
        examples = getattr(data, part)
        assert [rows[row][1] for row in examples.rows] == [data.classes[each] for each in examples.targets]
        shares = np.bincount(examples.targets) / len(examples)
        assert shares == pytest.approx([0.1, 0.1, 0.8], abs=0.01)


@pytest.mark.parametrize(("size", "count"), [(10, 10), (0.25, 40)])
def test_validation_can_be_a_share_or_a_number(tmp_path, size, count):
    data = load_data(write(tmp_path, HEADER, some_rows()), validation_size=size)
    assert (len(data.validation), len(data.test)) == (count, 40)


def test_equal_arguments_give_the_same_and_what_is_recorded_does_too(tmp_path, monkeypatch):
    monkeypatch.chdir(write(tmp_path, HEADER, some_rows()).parent)
    data = load_data("t.csv", seed=3, target="n", task="regression", validation_size=20)
    load = json.loads(json.dumps(data.source["load"]))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    again = load_data(**load)
    assert (again.fingerprint, again.split, again.preparation) == (
        data.fingerprint,
        data.split,
        data.preparation,
    )
    json.dumps([data.split, data.source, data.preparation], allow_nan=False)
    others = [
        load_data(**load | change).fingerprint
        for change in ({"seed": 4}, {"target": "price"}, {"validation_size": 21})
    ]
    assert len({data.fingerprint, *others}) == 4


def test_one_changed_cell_changes_the_fingerprint(tmp_path):
    rows = some_rows()
    before = load_data(write(tmp_path, HEADER, rows)).fingerprint
    rows[17] = (*rows[17][:2], rows[17][2] + 1, rows[17][3])
    assert load_data(write(tmp_path, HEADER, rows)).fingerprint != before


def test_rows_that_occur_again_go_to_one_part(tmp_path):
    rows = some_rows(60)
    data = load_data(write(tmp_path, HEADER, rows * 3))
    assert "120 rows repeat others" in words(data)
    parts = [{int(row) % 60 for row in getattr(data, part).rows} for part in PARTS]
    assert sum(map(len, parts)) == 60
    assert sum(len(getattr(data, part)) for part in PARTS) == 180


def test_rows_of_few_possible_values_recur_and_are_divided_like_any_others(tmp_path):
    chance = random.Random(2)
    rows = [(chance.choice("pq"), chance.choice("rs"), chance.choice("tu")) for _ in range(300)]
    data = load_data(write(tmp_path, ("a", "b", "c"), rows))
    assert "must recur" in words(data)
    assert abs(len(data.test) - 60) <= 1


def test_columns_of_no_use_are_left_out_and_said(tmp_path):
    chance = random.Random(3)
    rows = [
        (
            n + 100,
            f"note {n}",
            f"2024-03-{n % 28 + 1:02}",
            7,
            "",
            chance.random(),
            chance.choice("ab"),
            chance.random(),
        )
        for n in range(80)
    ]
    header = ("user_id", "note", "when", "const", "void", "x", "k", "y")
    data = load_data(write(tmp_path, header, rows))
    assert data.features == ("x", *(f"k={name}" for name in data.preparation["columns"][1]["categories"]))
    reasons = {each.name: each.why for each in data.columns if each.role == "left out"}
    assert reasons == {
        "user_id": "numbering",
        "note": "text",
        "when": "date",
        "const": "constant",
        "void": "empty",
    }
    for name in reasons:
        assert name in words(data)


@pytest.mark.parametrize("copy", [lambda y: y, lambda y: 3 * y + 7, lambda y: -y])
def test_a_target_copied_into_a_feature_is_a_leak(tmp_path, copy):
    chance = random.Random(4)
    rows = [(chance.random(), y, copy(y)) for y in (chance.gauss(0, 10) for _ in range(60))]
    data = load_data(write(tmp_path, ("x", "y", "again"), rows))
    assert data.features == ("x",)
    assert "again" in words(data)
    noisy = [(x, y, y + 0.01 * chance.random()) for x, y, _ in rows]
    assert load_data(write(tmp_path, ("x", "y", "again"), noisy)).features == ("x", "again")


@pytest.mark.parametrize("code", [{"a": "A", "b": "B", "c": "C"}, {"a": 7, "b": 3, "c": 5}])
def test_a_class_written_in_another_way_is_a_leak(tmp_path, code):
    chance = random.Random(5)
    kinds = [chance.choice("abc") for _ in range(90)]
    data = load_data(write(tmp_path, ("x", "code", "kind"), [(chance.random(), code[k], k) for k in kinds]))
    assert data.features == ("x",)
    almost = [(chance.random(), code["a" if place == 0 else k], k) for place, k in enumerate(["b", *kinds])]
    assert len(load_data(write(tmp_path, ("x", "code", "kind"), almost)).features) > 1


def test_the_only_column_is_kept_though_it_determines_the_target(tmp_path):
    data = load_data(write(tmp_path, ("x", "y"), [(n, 2 * n + 1) for n in range(50)]))
    assert data.features == ("x",)
    assert "one to one" in words(data)


def test_nothing_that_is_not_finite_gets_through(tmp_path):
    rows = some_rows(100)
    for place, cell in enumerate(("nan", "inf", "-inf", "1e300", "1e37", "-1e37", "1e-300")):
        rows[place * 9] = (cell, *rows[place * 9][1:])
    rows[5] = (*rows[5][:3], "inf")
    rows[6] = (*rows[6][:3], "")
    data = load_data(write(tmp_path, HEADER, rows))
    for part in PARTS:
        assert np.isfinite(getattr(data, part).features).all()
        assert np.isfinite(getattr(data, part).targets).all()
    assert sum(len(getattr(data, part)) for part in PARTS) == 98
    assert "2 rows have no value of 'price'" in words(data)
    assert "3 values are infinite" in words(data)
    assert not {5, 6} & {int(row) for part in PARTS for row in getattr(data, part).rows}


def test_no_single_cell_overflows_however_far_out(tmp_path):
    rows = [(1e-30 * (n % 7), n % 5, n / 3) for n in range(100)]
    header = ("tiny", "n", "y")
    for row in load_data(write(tmp_path, header, rows)).test.rows:
        rows[row] = (1e37, *rows[row][1:])
    data = load_data(write(tmp_path, header, rows))
    assert np.isfinite(data.test.features).all()
    assert data.train.features[:, 0].std() == pytest.approx(1, abs=1e-3)


def test_the_rarest_categories_are_one_together(tmp_path):
    rows = [(f"c{min(n % 90, n % 80)}", n * 0.37 % 1) for n in range(1800)]
    data = load_data(write(tmp_path, ("k", "y"), rows))
    assert len(data.features) == 50
    assert data.features[-1] == "k=(other)"
    for part in PARTS:
        assert (getattr(data, part).features.sum(1) == 1).all()
    kept = {name.removeprefix("k=") for name in data.features}
    place = data.features.index("k=(other)")
    expected = [rows[row][0] not in kept for row in data.train.rows]
    assert data.train.features[:, place].astype(bool).tolist() == expected
    assert "rarest are one together" in words(data)


def test_tiny_and_unbalanced_classes_are_said(tmp_path):
    rows = [(random.Random(n).random(), "rare" if n < 2 else "common") for n in range(100)]
    said = words(load_data(write(tmp_path, ("x", "y"), rows)))
    assert "rare (2)" in said
    assert "49.0 times" in said


@pytest.mark.parametrize(
    ("header", "expected", "told"),
    [(("a", "b", "c"), "c", "the last one"), (("a", "Label", "c"), "Label", "by its name"), (("y", "b", "c"), "y", "by its name"),
     (("目标", "b", "c"), "目标", "by its name")],
)  # fmt: skip
def test_which_column_is_learnt(tmp_path, header, expected, told):
    chance = random.Random(6)
    rows = [(chance.random(), chance.random(), chance.random()) for _ in range(30)]
    data = load_data(write(tmp_path, header, rows))
    assert data.target == expected
    assert told in words(data)
    assert load_data(write(tmp_path, header, rows), target="b").target == "b" if "b" in header else True


@pytest.mark.parametrize(
    ("values", "kind", "classes"),
    [
        ("yn", "classification", ("n", "y")),
        ((0, 1), "classification", ("0", "1")),
        (tuple(range(20)), "classification", tuple(map(str, range(20)))),
        (tuple(range(21)), "regression", ()),
        ((0.5, 1.5), "regression", ()),
        (("10", "9", "x"), "classification", ("9", "10", "x")),
    ],
)
def test_which_task_it_is(tmp_path, values, kind, classes):
    chance = random.Random(7)
    rows = [(chance.random(), values[n % len(values)]) for n in range(210)]
    data = load_data(write(tmp_path, ("x", "t"), rows))
    assert (data.kind, data.classes) == (kind, classes)
    assert kind in words(data)
    assert data.num_classes == (len(classes) or 1)
    assert data.train.targets.dtype == (np.int64 if classes else np.float32)


def test_a_task_that_was_asked_for(tmp_path):
    rows = [(random.Random(n).random(), n % 5) for n in range(100)]
    path = write(tmp_path, ("x", "t"), rows)
    assert load_data(path, task="regression").kind == "regression"
    halves = write(tmp_path, ("x", "t"), [(x, t + 0.5) for x, t in rows])
    assert load_data(halves, task="classification").classes == ("0.5", "1.5", "2.5", "3.5", "4.5")


@pytest.mark.parametrize(
    ("header", "row", "count", "options", "say"),
    [
        (("x", "price"), lambda n: (n % 7, n), 40, {"target": "pirce"}, "did you mean price"),
        (("x", "y"), lambda n: (n % 7, 1), 40, {}, "one value only"),
        (("x", "y"), lambda n: (n % 7, "same"), 40, {}, "one value only"),
        (("x", "y"), lambda n: (n % 7, ""), 40, {}, "no value in any row"),
        (("x", "y"), lambda n: (n % 7, f"item {n}"), 10_000, {}, "10,000 different values"),
        (("x", "y"), lambda n: (n % 7, f"item {n // 3}"), 30_000, {}, "10,000 different values"),
        (("x", "y"), lambda n: (n % 7, n / 2), 10_000, {"task": "classification"}, "task regression"),
        (("x", "y"), lambda n: (n % 7, "ab"[n % 2]), 40, {"task": "regression"}, "regression needs numbers"),
        (("x", "y"), lambda n: (n % 7, "ab"[n % 2]), 40, {"task": "clustering"}, "no task named"),
        (("x", "y"), lambda n: (n % 7, n / 2), 9, {}, "9 rows"),
        (("x", "y"), lambda n: (1, n / 2), 40, {}, "no column to learn"),
        (("x", "y"), lambda n: ("", n / 2), 40, {}, "no column to learn"),
        (("x", "y"), lambda n: (n % 7, n / 2), 40, {"image_size": 32}, "image_size"),
        (("x", "y"), lambda n: (n % 7, n / 2), 40, {"validation_size": 32}, "validation_size is 32"),
        (("x", "y"), lambda n: (n % 7, n / 2), 40, {"validation_size": 1e-4}, "hold out more"),
    ],
)  # fmt: skip
def test_what_cannot_be_learnt_is_one_sentence(tmp_path, header, row, count, options, say):
    path = write(tmp_path, header, [row(n) for n in range(count)])
    with pytest.raises(EtudeError, match=say) as error:
        load_data(path, **options)
    assert "\n" not in error.value.text.zh
    assert error.value.text.zh != error.value.text.en


@pytest.mark.parametrize("options", [{"target": "x"}, {"task": "regression"}])
def test_pictures_have_no_column_to_learn(options):
    with pytest.raises(EtudeError, match="for tables only"):
        load_data("digits", **options)


def test_thousands_of_columns_are_no_trouble(tmp_path):
    chance = random.Random(8)
    rows = [[f"{chance.random():.3f}" for _ in range(2000)] for _ in range(20)]
    assert load_data(write(tmp_path, [f"c{n}" for n in range(2000)], rows)).input_shape == (1999,)
