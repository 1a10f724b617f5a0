"""What the examples of a run are called: pictures, rows of a table, or neither."""

from __future__ import annotations

from typing import Any, NamedTuple


class Noun(NamedTuple):
    """The words for one example and for many; Chinese counts them with ``measure``."""

    one: str
    many: str
    zh: str
    measure: str


PICTURES = Noun("picture", "pictures", "图片", "张")
ROWS = Noun("row", "rows", "数据", "行")
EXAMPLES = Noun("example", "examples", "样本", "个")


def noun(run: dict[str, Any]) -> Noun:
    """What the examples of a run are, from the content of ``run.json``; of runs before tables were known, pictures."""
    data = run.get("data") or {}
    if data.get("kind") == "table":
        return ROWS
    return EXAMPLES if data.get("name") == "own-data" else PICTURES


def is_regression(run: dict[str, Any]) -> bool:
    """Whether the run predicts numbers."""
    return (run.get("task") or {}).get("kind") == "regression"
