"""The picture of a table: what each column tells is measured right, and every kind of table can be drawn."""

from __future__ import annotations

import random

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from etude.core.plotting import drawing, png
from etude.data.catalog import list_datasets, load_data
from etude.data.table_figure import _features, columns_figure


def write(path, header, rows):
    path.write_text("\n".join(",".join(map(str, row)) for row in [header, *rows]), "utf-8")
    return path


def mixed(path, count=400):
    chance = random.Random(0)
    rows = []
    for _ in range(count):
        city, area = chance.choice(["A", "B", "C", ""]), chance.gauss(80, 20)
        price = area * {"A": 5}.get(city, 2) + chance.gauss(0, 30)
        rows.append(
            (
                f"{area if chance.random() > 0.1 else ''}",
                city,
                chance.randrange(4),
                chance.random(),
                f"{price:.2f}",
            )
        )
    return write(path, ("area", "city", "rooms", "noise", "$price$"), rows)


def test_the_columns_come_back_in_their_own_units(tmp_path):
    data = load_data(mixed(tmp_path / "t.csv"))
    lines = [line.split(",") for line in (tmp_path / "t.csv").read_text().splitlines()[1:]]
    train = [lines[row] for row in data.train.rows]
    area, city, rooms, _ = _features(data)
    assert area.values == pytest.approx([float(line[0] or "nan") for line in train], abs=1e-3, nan_ok=True)
    assert [city.categories[each] if each >= 0 else "" for each in city.values.astype(int)] == [
        line[1] for line in train
    ]
    assert rooms.values == pytest.approx([float(line[2]) for line in train], abs=1e-5)


@pytest.mark.parametrize("target", ["$price$", "rooms"])
def test_what_a_column_explains_is_the_adjusted_r2_of_its_groups(tmp_path, target):
    data = load_data(mixed(tmp_path / "t.csv"), target=target)
    city = next(each for each in _features(data) if each.name == "city")
    groups = np.unique(city.values)
    dummies = (city.values[:, None] == groups[1:]).astype(float)
    targets = data.train.targets.astype(float)[:, None]
    if data.kind == "classification":
        targets = (data.train.targets[:, None] == np.arange(data.num_classes)).astype(float)
    fitted = LinearRegression().fit(dummies, targets).predict(dummies)
    within, total = ((targets - fitted) ** 2).sum(), ((targets - targets.mean(0)) ** 2).sum()
    count, freedom = len(targets), len(targets) - len(groups)
    assert city.explains == pytest.approx(max(0, 1 - within / total * (count - 1) / freedom))


def test_the_most_telling_column_is_named_in_the_title(tmp_path):
    data = load_data(mixed(tmp_path / "t.csv"))
    with drawing("en"):
        figure = columns_figure(data, "en")
    assert "“city” tells the most" in figure._suptitle.get_text()
    titles = [axes.get_title(loc="left") for axes in figure.axes if axes.axison]
    assert titles[1].startswith("city")
    assert titles[-1].startswith("noise: explains 0%") or titles[-1].startswith("rooms: explains 0%")


@pytest.mark.parametrize("target", ["$price$", "city", "rooms"])
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_kind_of_table_is_drawn_with_all_axes_named(tmp_path, target, lang):
    data = load_data(mixed(tmp_path / "t.csv", 60), target=target)
    with drawing(lang):
        figure = columns_figure(data, lang)
        assert png(figure, dpi=40).startswith(b"\x89PNG")
    panels = [axes for axes in figure.axes if axes.axison]
    assert len(panels) == 5
    assert all(axes.get_xlabel() for axes in panels)


@pytest.mark.parametrize("name", ["diabetes", "wine"])
def test_units_of_the_catalogue_are_at_the_axes(name):
    entry = list_datasets()[name]
    figure = columns_figure(load_data(name), "en", {each.name: each for each in entry.columns})
    labels = {axes.get_xlabel() for axes in figure.axes}
    assert {"diabetes": "bmi (kg/m²)", "wine": "proline (mg/l)"}[name] in labels


@pytest.mark.parametrize("classes", [2, 9])
def test_tiny_and_odd_tables_are_drawn(tmp_path, classes):
    chance = random.Random(1)
    rows = [(chance.choice(["", "1"]), f"{n % classes}c", "k" * 60 + str(n % 12)) for n in range(30)]
    data = load_data(write(tmp_path / "t.csv", ("half", "label", "long " * 20), rows), target="label")
    with drawing("zh"):
        assert png(columns_figure(data, "zh"), dpi=40)
