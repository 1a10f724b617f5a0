"""Rows: all that a study puts out. Figures and verdicts are made of them and of nothing else."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING, Any

from etude.core.errors import EtudeError
from etude.core.text import Lang, Text

if TYPE_CHECKING:
    import numpy as np

LARGEST_ARRAY = 256 * 1024  # bytes: a row is something to draw, not a data set
_KINDS = {"b": "bool", "i": "int", "u": "int", "f": "float"}


class Row(dict[str, Any]):
    """One observation: names with numbers, texts, truth values, or small arrays (at most 256 KiB each).

    A tensor becomes an array; a scalar of NumPy or torch becomes a number.

    Raises:
        EtudeError: a value is of another kind, or an array is too large.
    """

    def __init__(self, **values: Any) -> None:
        super().__init__({name: _plain(name, value) for name, value in values.items()})


class Rows(list[Row]):
    """Rows of one study, with the few ways of looking at them that figures need."""

    def where(self, **values: Any) -> Rows:
        """The rows that have all these values; a row without such a column is left out."""
        return Rows(row for row in self if all(name in row and row[name] == v for name, v in values.items()))

    def column(self, name: str) -> np.ndarray:
        """The values of one column, of the rows that have it, as an array (of arrays: stacked, if of one shape)."""
        import numpy as np

        values = [row[name] for row in self if name in row]
        try:
            return np.array(values)
        except ValueError:  # arrays of several shapes
            column = np.empty(len(values), dtype=object)
            column[:] = values
            return column

    def distinct(self, name: str) -> list[Any]:
        """The different values of one column, in order of appearance."""
        return list(dict.fromkeys(row[name] for row in self if name in row))

    def to_json(self) -> str:
        """The rows as JSON text; `Rows.from_json` gives them back, to the last bit."""
        return json.dumps([encode(row) for row in self], ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Rows:
        """What `to_json` wrote."""
        return cls(decode(row) for row in json.loads(text))

    def _repr_html_(self, lang: Lang = "en") -> str:
        """The first rows as a table, for notebooks."""
        names = list(dict.fromkeys(name for row in self[:20] for name in row))
        head = "".join(f"<th>{escape(name)}</th>" for name in names)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(shown(row.get(name, '')))}</td>" for name in names) + "</tr>"
            for row in self[:20]
        )
        more = Text(en=f"{len(self):,} rows", zh=f"共 {len(self):,} 行").to(lang)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table><p>{more}</p>"


def encode(row: Row) -> dict[str, Any]:
    """A row as plain JSON: arrays in base64, numbers that JSON lacks by their names."""
    return {name: _encoded(value) for name, value in row.items()}


def decode(values: dict[str, Any]) -> Row:
    """What `encode` gave."""
    return Row(**{name: _decoded(value) for name, value in values.items()})


def check_uniform(rows: Iterable[Row]) -> None:
    """Rows of one ``kind`` (or all, where there is no such column) have the same columns with values of the same type.

    Raises:
        EtudeError: two rows differ; the column is named.
    """
    seen: dict[Any, dict[str, str]] = {}
    for row in rows:
        columns = {name: _type(value) for name, value in row.items()}
        first = seen.setdefault(row.get("kind"), columns)
        if first != columns:
            odd = sorted(name for name in {*first, *columns} if first.get(name) != columns.get(name))[0]
            was, now = first.get(odd, "missing"), columns.get(odd, "missing")
            raise EtudeError(
                en=f"The rows are not uniform: '{odd}' is {was} in one and {now} in another; give all rows the same "
                "columns, or tell sorts of rows apart by a column named kind.",
                zh=f"各行不一致：列“{odd}”在一行中为 {was}，在另一行中为 {now}；请让所有行的列相同，或用名为 kind 的列区分。",
            )


def shown(value: Any) -> str:
    """A value as a person reads it: four digits, an array by its shape."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if hasattr(value, "shape"):
        return "×".join(map(str, value.shape)) + " " + str(value.dtype)
    return str(value)


def _plain(name: str, value: Any) -> Any:
    import numpy as np

    if isinstance(value, np.generic):  # before the next line: NumPy's float64 is a float too
        value = value.item()
    if isinstance(value, bool | int | float | str):
        return value
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    if isinstance(value, list | tuple | np.ndarray):
        array = np.asarray(value)
        if array.dtype.kind in _KINDS:
            return array.item() if array.ndim == 0 else _small(name, array)
    raise EtudeError(
        en=f"The row's '{name}' is a {type(value).__name__}; a value is a number, a text, a truth value or an array of numbers.",
        zh=f"行中的“{name}”是 {type(value).__name__}；值只能是数、文字、真假值或数值数组。",
    )


def _small(name: str, array: np.ndarray) -> np.ndarray:
    if array.nbytes <= LARGEST_ARRAY:
        return array
    raise EtudeError(
        en=f"The row's '{name}' has {array.nbytes / 1024:.0f} KiB; an array in a row has at most 256: thin it out.",
        zh=f"行中的“{name}”有 {array.nbytes / 1024:.0f} KiB；行中数组最多 256 KiB，请先抽稀。",
    )


def _type(value: Any) -> str:
    if hasattr(value, "dtype"):
        return f"an array of {_KINDS[value.dtype.kind]}"
    # a whole number beside a fraction is no mistake
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


def _encoded(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}
    if hasattr(value, "dtype"):
        little = value.astype(value.dtype.newbyteorder("<"))
        data = base64.b64encode(little.tobytes()).decode()
        return {"dtype": little.dtype.str, "shape": list(value.shape), "data": data}
    return value


def _decoded(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if "float" in value:
        return float(value["float"])
    import numpy as np

    array = np.frombuffer(base64.b64decode(value["data"]), dtype=np.dtype(value["dtype"]))
    return array.reshape(value["shape"]).astype(array.dtype.newbyteorder("="))
