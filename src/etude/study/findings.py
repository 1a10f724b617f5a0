"""What became of a study in a verification: its verdict, its figure, and whether it is what was recorded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from etude.core.errors import EtudeError
from etude.core.plotting import drawing, png
from etude.core.text import Lang, Text
from etude.study.collect import Request
from etude.study.fingerprint import verdict_key
from etude.study.store import Store
from etude.study.study import Study
from etude.study.verdict import OUTCOMES, Verdict
from etude.train.report.document import DPI


@dataclass(frozen=True)
class Finding:
    """One study, judged.

    Attributes:
        verdict: None where it could not be measured or judged.
        picture: its figure as a PNG file; None where there is none.
        failure: why something of it did not work, or None.
        seconds: that measuring took, over all workers; 0 where all was in the store.
    """

    study: Study
    verdict: Verdict | None
    picture: bytes | None
    failure: Text | None
    seeds: int
    seconds: float

    @property
    def on_two_cores(self) -> float:
        """About how long it takes with two workers, in seconds: what the study's budget is of."""
        return self.seconds / min(2, max(self.seeds, 1))

    def to_json(self) -> dict[str, Any]:
        """As plain JSON, without the picture."""
        return {
            "study": self.study.name,
            "chapter": self.study.chapter,
            "predicted": self.study.predicted,
            "outcome": self.verdict.outcome if self.verdict else None,
            "verdict": self.verdict.to_json() if self.verdict else None,
            "failure": self.failure.en if self.failure else None,
            "seeds": self.seeds,
            "seconds": round(self.seconds, 2),
            "seconds_on_two_cores": round(self.on_two_cores, 2),
            "budget_s": self.study.budget,
        }


def find(request: Request, lang: Lang) -> Finding:
    """Judge and draw what was measured. An error in a study's own verdict or figure becomes its failure."""
    study, rows = request.study, request.all_rows()
    verdict, picture, failure = None, None, request.failure
    if failure is None:
        try:
            verdict = study.verdict(rows)
            with drawing(lang):
                picture = png(study.figure(rows, lang), dpi=DPI)
        except EtudeError as error:
            failure = error.text
        except Exception as error:
            part = Text(en="figure", zh="figure") if verdict else Text(en="verdict", zh="verdict")
            said = f"{type(error).__name__}: {error}"
            failure = Text(
                en=f"{study.name}: {part.en} raised {said}.", zh=f"{study.name}：{part.zh} 抛出异常 {said}。"
            )
    return Finding(study, verdict, picture, failure, len(request.rows), request.seconds)


def keep_verdict(store: Store, request: Request, verdict: Verdict) -> None:
    """Keep the verdict of a full run of one of the course's studies, with the knobs as they were; of no other."""
    study = request.study
    if study.chapter is None or request.knobs != study.knobs() or len(request.seeds) < study.seeds:
        return
    store.put_verdict(study.name, verdict_key(study, request.knobs), verdict, len(request.seeds))


def outcome_text(outcome: str | None) -> Text:
    """The outcome in words."""
    return OUTCOMES[outcome] if outcome in OUTCOMES else Text(en="–", zh="–")
