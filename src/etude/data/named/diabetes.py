"""Diabetes (Efron, Hastie, Johnstone & Tibshirani 2004): how far the disease goes within a year."""

from __future__ import annotations

from etude.core.text import Text, same
from etude.data.entry import NamedColumn, NamedTable
from etude.data.load_table import RawTable
from etude.data.sklearn_table import sklearn_table

COLUMNS = (
    NamedColumn("age", Text(en="age", zh="年龄"), Text(en="years", zh="岁")),
    NamedColumn(
        "sex", Text(en="sex, 1 or 2; the source does not say which", zh="性别，1 或 2；来源未说明含义")
    ),
    NamedColumn("bmi", Text(en="body mass index", zh="体重指数"), same("kg/m²")),
    NamedColumn("bp", Text(en="mean arterial blood pressure", zh="平均动脉压"), same("mmHg")),
    NamedColumn("tc", Text(en="total cholesterol in serum", zh="血清总胆固醇"), same("mg/dl")),
    NamedColumn("ldl", Text(en="low-density lipoproteins", zh="低密度脂蛋白"), same("mg/dl")),
    NamedColumn("hdl", Text(en="high-density lipoproteins", zh="高密度脂蛋白"), same("mg/dl")),
    NamedColumn("tch", Text(en="total cholesterol over HDL", zh="总胆固醇与 HDL 之比")),
    NamedColumn("ltg", Text(en="logarithm of serum triglycerides, probably", zh="血清甘油三酯的对数（可能）")),
    NamedColumn("glu", Text(en="blood sugar", zh="血糖"), same("mg/dl")),
)
TARGET = NamedColumn(
    "progression",
    Text(
        en="measure of how far the disease went in a year (25 to 346)", zh="一年后病情进展的度量（25 到 346）"
    ),
)


def _load() -> RawTable:
    from sklearn.datasets import load_diabetes

    return sklearn_table(load_diabetes(scaled=False), COLUMNS, TARGET)


DATASET = NamedTable(
    name="diabetes",
    title=Text(en="diabetes after a year by ten measurements", zh="由十项指标预测一年后的糖尿病进展"),
    columns=COLUMNS,
    target=TARGET,
    classes=(),
    licence="public, none stated",
    source="Efron, Hastie, Johnstone & Tibshirani 2004, Least Angle Regression; comes with scikit-learn",
    rows=442,
    load=_load,
)
