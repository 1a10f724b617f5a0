"""Breast cancer, Wisconsin diagnostic (Street, Wolberg & Mangasarian 1993): tumours by the look of their cells' nuclei."""

from __future__ import annotations

from etude.core.text import Text
from etude.data.entry import NamedColumn, NamedTable
from etude.data.load_table import RawTable
from etude.data.sklearn_table import sklearn_table

_MEASURES = (
    ("radius", Text(en="distance from the centre to the outline", zh="半径")),
    ("texture", Text(en="spread of the grey values", zh="灰度的离散程度")),
    ("perimeter", Text(en="length of the outline", zh="周长")),
    ("area", Text(en="area", zh="面积")),
    ("smoothness", Text(en="local variation of the radius", zh="光滑度（半径的局部变化）")),
    ("compactness", Text(en="perimeter² / area − 1", zh="紧密度（周长² / 面积 − 1）")),
    ("concavity", Text(en="depth of the dents of the outline", zh="轮廓凹陷的程度")),
    ("concave points", Text(en="number of dents of the outline", zh="轮廓凹陷的数目")),
    ("symmetry", Text(en="symmetry", zh="对称性")),
    ("fractal dimension", Text(en="roughness of the outline (fractal dimension − 1)", zh="轮廓的分形维数 − 1")),
)  # fmt: skip
_STATISTICS = (
    ("mean {}", Text(en="{about}: mean over the nuclei", zh="{about}：各细胞核的均值")),
    ("{} error", Text(en="{about}: standard error over the nuclei", zh="{about}：各细胞核的标准误")),
    ("worst {}", Text(en="{about}: mean of the three largest", zh="{about}：最大三个的均值")),
)

COLUMNS = tuple(
    NamedColumn(pattern.format(name), words.format(about=about))
    for pattern, words in _STATISTICS
    for name, about in _MEASURES
)
TARGET = NamedColumn("diagnosis", Text(en="whether the tumour is malignant", zh="肿瘤为恶性还是良性"))


def _load() -> RawTable:
    from sklearn.datasets import load_breast_cancer

    return sklearn_table(load_breast_cancer(), COLUMNS, TARGET, ("malignant", "benign"))


DATASET = NamedTable(
    name="breast-cancer",
    title=Text(en="malignant and benign tumours by their cells", zh="按细胞形态区分恶性与良性肿瘤"),
    columns=COLUMNS,
    target=TARGET,
    classes=("benign", "malignant"),
    licence="CC BY 4.0",
    source="Street, Wolberg & Mangasarian 1993, UCI; comes with scikit-learn",
    rows=569,
    load=_load,
)
