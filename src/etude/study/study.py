"""A study as an object: what its file says, checked, with running, drawing and judging in one place."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from etude.core.errors import EtudeError
from etude.core.plotting import drawing, png
from etude.core.settings import about, make
from etude.core.text import Lang, Text, choose_language
from etude.study.knobs import BaseKnobs
from etude.study.rows import Row, Rows, check_uniform
from etude.study.threads import one_thread
from etude.study.verdict import Verdict

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SEEDS = 10
_END = object()
_QUICK_SEEDS = 2
_NAMES: dict[str, Any] = {
    "TITLE": Text, "CLAIM": Text, "SOURCE": str, "PREDICTED": str, "QUICK": dict, "BUDGET_S": int | float,
}  # fmt: skip


class Study:
    """One claim of the course as an experiment.

    Attributes:
        name: the file's name, which is the study's.
        path: the file.
        chapter: its chapter; None for a file of a person's own.
        title, claim, source: what it is about, what it says, where that is from.
        predicted: the outcome foreseen from the literature before the first run.
        budget: seconds for the default settings with all seeds on two cores.
        quick: knobs with which it ends in about a second.
        Knobs: the class of its knobs.
        seeds: how many seeds a full run takes; 1 for facts, which no chance touches.
        chunk: how many seeds are measured in one call.
        data: the data sets it reads, by name.
    """

    def __init__(self, module: ModuleType, path: Path, chapter: int | None) -> None:
        self.name, self.path, self.chapter = path.stem, path, chapter
        _check(module, path)
        self._module = module
        self.title: Text = module.TITLE
        self.claim: Text = module.CLAIM
        self.source: str = module.SOURCE
        self.predicted: str = module.PREDICTED
        self.quick: dict[str, Any] = module.QUICK
        self.budget = float(module.BUDGET_S)
        self.Knobs: type[BaseKnobs] = module.Knobs
        self.seeds: int = getattr(module, "SEEDS", SEEDS)
        self.chunk: int = getattr(module, "CHUNK", 1)
        self.data: tuple[str, ...] = tuple(getattr(module, "DATA", ()))

    @property
    def quick_seeds(self) -> int:
        """How many seeds the quick form takes: enough for an interval."""
        return min(self.seeds, _QUICK_SEEDS)

    def knobs(self, **values: Any) -> BaseKnobs:
        """The knobs, with ``values`` for those that are turned.

        Raises:
            EtudeError: there is no such knob, or the value is out of bounds.
        """
        return make(self.Knobs, values)

    def measure(self, knobs: BaseKnobs, seeds: Sequence[int]) -> Iterator[Row]:
        """The rows as they come, checked; float32 arithmetic of one thread, so that machines agree.

        Raises:
            EtudeError: the study yields something that is no row, or a row without its seed.
        """
        measured = self._module.measure(knobs, list(seeds))
        while True:
            with one_thread():  # not around the yield: what the caller computes between rows is its own affair
                row = next(measured, _END)
            if row is _END:
                return
            if not isinstance(row, Row):
                raise EtudeError(
                    en=f"{self.name}: measure yielded a {type(row).__name__}; it must yield Row(…).",
                    zh=f"{self.name}：measure 产出了 {type(row).__name__}；它必须产出 Row(…)。",
                )
            if self.seeds > 1 and row.get("seed") not in seeds:
                raise EtudeError(
                    en=f"{self.name}: a row has seed {row.get('seed')!r}, but the seeds asked for are {list(seeds)}; "
                    "give every row the seed it was measured with.",
                    zh=f"{self.name}：某一行的 seed 为 {row.get('seed')!r}，而要求的种子是 {list(seeds)}；请让每行带上其种子。",
                )
            yield row

    def run(self, seeds: int | Sequence[int] | None = None, **knobs: Any) -> Rows:
        """Measure here and now, and return all rows.

        Args:
            seeds: how many, or which; as many as the study's full run if None.
            knobs: those to turn; the others keep their defaults.

        Raises:
            EtudeError: there is no such knob, a value is out of bounds, or the study breaks its contract.
        """
        asked = self.seeds if seeds is None else seeds
        numbers = range(asked) if isinstance(asked, int) else asked
        if not len(numbers):
            raise EtudeError(
                en="seeds is 0; a study needs at least one.", zh="seeds 为 0；研究至少需要一个种子。"
            )
        rows = Rows(self.measure(self.knobs(**knobs), numbers))
        check_uniform(rows)
        return rows

    def figure(self, rows: list[Row], lang: Lang | None = None) -> Figure:
        """The picture of ``rows``; notebooks show it as it is. ``lang`` is that of the environment if None."""
        language = lang or choose_language()
        with drawing(language):
            figure = self._module.figure(Rows(rows), language)
        figure._repr_png_ = functools.partial(_png, figure, language)
        return figure

    def verdict(self, rows: list[Row]) -> Verdict:
        """What ``rows`` say about the claim."""
        return self._module.verdict(Rows(rows))

    def _repr_html_(self) -> str:
        lang = choose_language()
        knobs = "".join(
            f"<tr><td><code>{name}</code></td><td>{escape(str(field.default))}</td>"
            f"<td>{escape(about(self.Knobs, name).to(lang))}</td></tr>"
            for name, field in self.Knobs.model_fields.items()
        )
        return (
            f"<h3>{escape(self.title.to(lang))}</h3><p>{escape(self.claim.to(lang))}</p>"
            f"<table>{knobs}</table><p><small>{escape(self.source)}</small></p>"
        )

    def __repr__(self) -> str:
        return f"<study {self.name}: {self.title}>"


def _png(figure: Figure, lang: Lang) -> bytes:
    with drawing(lang):
        return png(figure)


def _check(module: ModuleType, path: Path) -> None:
    """The contract of a study's file.

    Raises:
        EtudeError: a name is missing or of the wrong kind.
    """
    for name, kind in _NAMES.items():
        if not isinstance(getattr(module, name, None), kind):
            said = getattr(kind, "__name__", "number")
            raise _broken(path, f"{name}, a {said}", f"{said} 类型的 {name}")
    if module.PREDICTED not in ("holds", "fails", "unclear"):
        raise _broken(
            path, "PREDICTED, one of holds, fails, unclear", "取值为 holds、fails 或 unclear 的 PREDICTED"
        )
    knobs = getattr(module, "Knobs", None)
    if not (isinstance(knobs, type) and issubclass(knobs, BaseKnobs)):
        raise _broken(path, "class Knobs(BaseKnobs)", "class Knobs(BaseKnobs)")
    for name in ("measure", "figure", "verdict"):
        if not callable(getattr(module, name, None)):
            raise _broken(path, f"the function {name}", f"函数 {name}")
    make(knobs, module.QUICK)


def _broken(path: Path, en: str, zh: str) -> EtudeError:
    return EtudeError(
        en=f"{path} is not a study yet: it needs {en}. 'etude copy step_size' writes one to start from.",
        zh=f"{path} 还不是一个研究：缺少{zh}。可用“etude copy step_size”写出一个作为起点。",
    )
