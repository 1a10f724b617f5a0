"""Iris (Fisher 1936; measured by Anderson): three species told apart by the size of their flowers."""

from __future__ import annotations

from etude.core.text import Text, same
from etude.data.entry import NamedColumn, NamedTable
from etude.data.load_table import RawTable
from etude.data.sklearn_table import sklearn_table

COLUMNS = (
    NamedColumn("sepal length", Text(en="length of the sepals", zh="花萼长度"), same("cm")),
    NamedColumn("sepal width", Text(en="width of the sepals", zh="花萼宽度"), same("cm")),
    NamedColumn("petal length", Text(en="length of the petals", zh="花瓣长度"), same("cm")),
    NamedColumn("petal width", Text(en="width of the petals", zh="花瓣宽度"), same("cm")),
)
TARGET = NamedColumn("species", Text(en="species of iris", zh="鸢尾花的种类"))
CLASSES = ("setosa", "versicolor", "virginica")


def _load() -> RawTable:
    from sklearn.datasets import load_iris

    return sklearn_table(load_iris(), COLUMNS, TARGET, CLASSES)


DATASET = NamedTable(
    name="iris",
    title=Text(en="three species of iris by their flowers", zh="按花的尺寸区分三种鸢尾花"),
    columns=COLUMNS,
    target=TARGET,
    classes=CLASSES,
    licence="CC BY 4.0",
    source="Fisher 1936, The Use of Multiple Measurements in Taxonomic Problems; comes with scikit-learn",
    rows=150,
    load=_load,
)
