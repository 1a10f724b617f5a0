"""Verdicts: holds, fails or unclear, with the numbers and the uncertainty behind it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from html import escape
from typing import Any, Literal

from etude.core.text import Text

Outcome = Literal["holds", "fails", "unclear"]
CONFIDENCE = 0.99
_ALPHA = (1 - CONFIDENCE) / 2  # one side of the interval

OUTCOMES = {
    "holds": Text(en="holds", zh="成立"),
    "fails": Text(en="fails", zh="不成立"),
    "unclear": Text(en="unclear", zh="尚不明确"),
}


@dataclass(frozen=True)
class Contrast:
    """One comparison: an effect with its 99 % interval over seeds, and the region the claim says it lies in.

    Attributes:
        kind: ``difference``, ``ratio``, ``slope`` or ``level``.
        value: the column that was measured.
        by: the column that tells the conditions apart; None for a level.
        groups: the two conditions compared; empty for a slope or a level.
        where: the other columns' values that picked the rows.
        estimate, low, high: the effect and its interval; NaN where there is none.
        at_least, at_most: the region; infinite where it is open.
        seeds: how many seeds went in.
        p_holds, p_fails: one-sided p-values against "not in the region" and "not outside it".
        problem: why there is no interval, if there is none.
        log_x, log_y: the slope is over, the effect is of, logarithms.
    """

    kind: Literal["difference", "ratio", "slope", "level"]
    value: str
    by: str | None
    groups: tuple[Any, ...]
    where: dict[str, Any]
    estimate: float
    low: float
    high: float
    at_least: float
    at_most: float
    seeds: int
    p_holds: float
    p_fails: float
    sentence: Text
    problem: Text | None = None
    log_x: bool = False
    log_y: bool = False


@dataclass(frozen=True)
class Verdict:
    """What a study found.

    Attributes:
        outcome: ``holds``, ``fails`` or ``unclear``.
        sentence: the finding in one sentence of each language, with its numbers.
        contrasts: the comparisons behind it; empty for facts.
        facts: how many facts were checked; 0 for statistics.
    """

    outcome: Outcome
    sentence: Text
    contrasts: tuple[Contrast, ...] = ()
    facts: int = 0

    def saying(
        self, holds: Text | None = None, fails: Text | None = None, unclear: Text | None = None
    ) -> Verdict:
        """The same verdict; its sentence goes on with the words for its outcome: the lesson, or the correction."""
        more = {"holds": holds, "fails": fails, "unclear": unclear}[self.outcome]
        if more is None:
            return self
        joined = Text(en=f"{self.sentence.en} {more.en}", zh=f"{self.sentence.zh}{more.zh}")
        return replace(self, sentence=joined)

    @property
    def statistical(self) -> bool:
        """Whether the verdict rests on an interval over seeds."""
        return bool(self.contrasts)

    def to_json(self) -> dict[str, Any]:
        """As plain JSON; what is not finite becomes None."""
        content = asdict(self)
        content["contrasts"] = [
            {k: _plain(v) for k, v in contrast.items()} for contrast in content["contrasts"]
        ]
        return content

    def _repr_html_(self) -> str:
        said = "<br>".join(escape(self.sentence.to(lang)) for lang in ("en", "zh"))
        names = " · ".join(OUTCOMES[self.outcome].to(lang) for lang in ("en", "zh"))
        return f"<p><b>{names}</b><br>{said}</p>"


def holm(p_values: list[float]) -> list[float]:
    """Holm's step-down correction of several p-values (Holm 1979), in the order given."""
    adjusted = [1.0] * len(p_values)
    largest = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = largest
    return adjusted


def judge(contrasts: list[Contrast]) -> Verdict:
    """The claim holds where every contrast does (after Holm), fails where one fails, and is unclear otherwise."""
    sentence = _sentence([contrast.sentence for contrast in contrasts])
    if all(p <= _ALPHA for p in holm([c.p_holds for c in contrasts])) and contrasts:
        outcome: Outcome = "holds"
    elif any(p <= _ALPHA for p in holm([c.p_fails for c in contrasts])):
        outcome = "fails"
    else:
        outcome = "unclear"
    return Verdict(outcome, sentence, tuple(contrasts))


def all_of(*verdicts: Verdict) -> Verdict:
    """Several contrasts as one claim, with Holm's correction; facts among them must be so too."""
    checked = [verdict for verdict in verdicts if not verdict.statistical]
    together = judge([contrast for verdict in verdicts for contrast in verdict.contrasts])
    clauses = [
        [c.sentence for c in each.contrasts] if each.statistical else [each.sentence] for each in verdicts
    ]
    sentence = _sentence([clause for some in clauses for clause in some])
    outcomes = [verdict.outcome for verdict in checked] + ([together.outcome] if together.contrasts else [])
    outcome: Outcome = "unclear"
    if "fails" in outcomes:
        outcome = "fails"
    elif outcomes and all(each == "holds" for each in outcomes):
        outcome = "holds"
    return Verdict(outcome, sentence, together.contrasts, sum(verdict.facts for verdict in checked))


def _sentence(clauses: list[Text]) -> Text:
    """Clauses, or sentences, as one sentence in each language."""
    en = "; ".join(clause.en.removesuffix(".") for clause in clauses)
    zh = "；".join(clause.zh.removesuffix("。") for clause in clauses)
    return Text(en=f"{en[:1].upper()}{en[1:]}.", zh=f"{zh}。")


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
