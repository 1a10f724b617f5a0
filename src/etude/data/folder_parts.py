"""Which pictures of a folder are trained on, which choose the weights, and which are kept for the end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from etude.core.errors import EtudeError
from etude.core.seeds import derive_seed
from etude.core.text import Text
from etude.data.dataset import Examples
from etude.data.look import PARTS
from etude.data.scan import Part, Picture
from etude.data.split import stratified_split

TEST_SHARE = 0.15
"""Held out as the test part where the folder has none."""


def divide(
    path: Path,
    pictures: Sequence[Picture],
    labels: np.ndarray,
    copies: Sequence[Sequence[int]],
    seed: int,
    validation_size: float,
) -> tuple[dict[Part, np.ndarray], str, list[Text]]:
    """The rows of each part, the rule that made them, and what a person should know of it."""
    divided = pictures[0].part is not None
    rows: dict[Part, np.ndarray] = {
        part: np.array([row for row, each in enumerate(pictures) if each.part == part], dtype=np.int64)
        for part in PARTS
    }
    if not divided:
        rows["train"] = np.arange(len(pictures))
    units = _units(rows["train"], copies)
    sizes: dict[Part, float] = {"test": TEST_SHARE, "validation": validation_size}
    rules, told, count = [], [], len(units)
    for part, size in sizes.items():
        if len(rows[part]):
            rules.append(f"{part}: the folder's own")
            continue
        wanted = round(size * count) if size < 1 else int(size)
        if wanted and wanted >= len(units):
            raise EtudeError(
                en=f"{wanted:,} pictures are to be held out of {path} for {PARTS[part].en}, but it has "
                f"{len(units):,} different ones to choose from; hold out fewer.",
                zh=f"要从 {path} 中留出 {wanted:,} 张图片作为{PARTS[part].zh}，但可选的不同图片只有 {len(units):,} 张；请减少数量。",
            )
        firsts = np.array([unit[0] for unit in units], dtype=np.int64)
        kept, held = stratified_split(labels[firsts], wanted, derive_seed(seed, part))
        rows[part] = np.sort(np.array([row for index in held for row in units[index]], dtype=np.int64))
        units = [units[index] for index in kept]
        rows["train"] = np.setdiff1d(rows["train"], rows[part])
        rules.append(f"{part}: {len(held)} of {count}, stratified, seeded, copies kept together")
        if divided and len(held):
            word = PARTS[part]
            told.append(
                Text(
                    en=f"The folder has no {word.en} part; {len(held):,} of its training pictures are held out for it.",
                    zh=f"文件夹中没有{word.zh}；从训练图片中留出 {len(held):,} 张作为{word.zh}。",
                )
            )
    return rows, "; ".join(rules), told


def _units(rows: np.ndarray, copies: Sequence[Sequence[int]]) -> list[list[int]]:
    """What goes to one part or another as a whole: the copies of a picture together, any other by itself."""
    inside = set(rows.tolist())
    groups = [[row for row in group if row in inside] for group in copies]
    copied = {row for group in groups for row in group}
    return sorted([group for group in groups if group] + [[row] for row in inside - copied])


def look_over_parts(classes: Sequence[str], parts: dict[Part, Examples]) -> list[Text]:
    """Findings on what cannot be measured: a part that is empty, or has no picture of some class."""
    findings = []
    for part in ("validation", "test"):
        word = PARTS[part]
        missing = [name for label, name in enumerate(classes) if not (parts[part].labels == label).any()]
        if len(missing) == len(classes):
            findings.append(
                Text(
                    en=f"The {word.en} part is empty: there are too few pictures to hold any out.",
                    zh=f"{word.zh}为空：图片太少，无法留出。",
                )
            )
        elif missing:
            findings.append(
                Text(
                    en=f"The {word.en} part has no picture of {', '.join(missing)}; its accuracy says nothing about that.",
                    zh=f"{word.zh}中没有以下类别的图片：{'、'.join(missing)}；其准确率与这些类别无关。",
                )
            )
    return findings
