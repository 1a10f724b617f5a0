"""Wine (Forina et al., UCI 1991): three cultivators told apart by the chemistry of their wines."""

from __future__ import annotations

from etude.core.text import Text, same
from etude.data.entry import NamedColumn, NamedTable
from etude.data.load_table import RawTable
from etude.data.sklearn_table import sklearn_table

# the source gives no units; the ranges fit those that analysts of wine use
COLUMNS = (
    NamedColumn("alcohol", Text(en="alcohol by volume", zh="酒精度"), same("%")),
    NamedColumn("malic acid", Text(en="malic acid", zh="苹果酸"), same("g/l")),
    NamedColumn("ash", Text(en="ash, what is left when it is burnt", zh="灰分"), same("g/l")),
    NamedColumn("alcalinity of ash", Text(en="alcalinity of the ash", zh="灰分碱度")),
    NamedColumn("magnesium", Text(en="magnesium", zh="镁"), same("mg/l")),
    NamedColumn("total phenols", Text(en="all phenols", zh="总酚")),
    NamedColumn("flavanoids", Text(en="flavanoids", zh="类黄酮")),
    NamedColumn("nonflavanoid phenols", Text(en="phenols that are no flavanoids", zh="非黄酮类酚")),
    NamedColumn("proanthocyanins", Text(en="proanthocyanins", zh="原花青素")),
    NamedColumn("color intensity", Text(en="how deep the colour is", zh="颜色深度")),
    NamedColumn("hue", Text(en="hue", zh="色调")),
    NamedColumn("od280/od315", Text(en="absorbance at 280 nm over that at 315 nm, diluted", zh="稀释后 280 nm 与 315 nm 吸光度之比")),
    NamedColumn("proline", Text(en="proline, an amino acid", zh="脯氨酸"), same("mg/l")),
)  # fmt: skip
TARGET = NamedColumn("cultivator", Text(en="who grew the wine", zh="种植者"))
CLASSES = ("1", "2", "3")


def _load() -> RawTable:
    from sklearn.datasets import load_wine

    return sklearn_table(load_wine(), COLUMNS, TARGET, CLASSES)


DATASET = NamedTable(
    name="wine",
    title=Text(en="wines of three cultivators by their chemistry", zh="按化学成分区分三家种植者的葡萄酒"),
    columns=COLUMNS,
    target=TARGET,
    classes=CLASSES,
    licence="CC BY 4.0",
    source="Aeberhard & Forina 1991, UCI; comes with scikit-learn",
    rows=178,
    load=_load,
)
