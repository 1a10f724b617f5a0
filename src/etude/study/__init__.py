"""The study: one claim of the course as an experiment. What a study's file imports is here; torch is not."""

from etude.core.text import Text
from etude.study.contrasts import (
    equivalence,
    level,
    paired_difference,
    paired_ratio,
    trend,
    unpaired_difference,
    unpaired_ratio,
)
from etude.study.facts import facts
from etude.study.knobs import BaseKnobs, knob
from etude.study.rows import Row, Rows
from etude.study.verdict import Verdict, all_of

__all__ = [
    "BaseKnobs",
    "Row",
    "Rows",
    "Text",
    "Verdict",
    "all_of",
    "equivalence",
    "facts",
    "knob",
    "level",
    "paired_difference",
    "paired_ratio",
    "trend",
    "unpaired_difference",
    "unpaired_ratio",
]
