"""The recorded verdicts: complete, the same in docs/, and of today's code."""

from __future__ import annotations

from pathlib import Path

import pytest

from etude.study.catalog import study_files
from etude.study.recorded import recorded, stale, table

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_every_study_has_a_recorded_verdict_and_no_other_has():
    assert list(recorded()) == list(study_files())


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_page_in_docs_is_made_of_them(lang):
    page = (DOCS / f"verdicts.{lang}.md").read_text(encoding="utf-8")
    assert page == table(lang)
    for name, entry in recorded().items():
        assert name in page
        assert entry[lang].replace("|", "\\|") in page


def test_they_are_of_todays_code():
    """Not an error by itself: an edit that changes no verdict is confirmed by the next full run."""
    if old := stale():
        pytest.skip(f"stale: {', '.join(old)}; a full run confirms or changes them: etude verify --record")
