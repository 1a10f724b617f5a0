"""What holds for every study; a new file is tested by being there."""

from __future__ import annotations

import functools
import importlib.util
import re
from pathlib import Path

import matplotlib.text
import numpy as np
import pytest

from etude.core.plotting import chinese_font
from etude.core.settings import about
from etude.study import Row, Rows, Text, Verdict
from etude.study.catalog import load_study, study_files
from etude.study.rows import check_uniform
from etude.study.verdict import judge

spec = importlib.util.spec_from_file_location(
    "hand_written", Path(__file__).parent / "study" / "hand_written.py"
)
hand_written = importlib.util.module_from_spec(spec)
spec.loader.exec_module(hand_written)

pytestmark = pytest.mark.parametrize("name", study_files())
_CHINESE = re.compile("[\u4e00-\u9fff]")
_HALF_WIDTH = re.compile("[\u4e00-\u9fff][,:;?!()]|[,:;?!()][\u4e00-\u9fff]")


@functools.cache
def quick_rows(name):
    study = load_study(name)
    return study.run(study.quick_seeds, **study.quick)


def quick_verdict(name):
    return load_study(name).verdict(quick_rows(name))


def contrasts(name):
    found = quick_verdict(name).contrasts
    if not found:
        pytest.skip("about facts: no chance, no interval")
    return found


def bilingual(text):
    assert isinstance(text, Text)
    assert text.en.strip()
    assert _CHINESE.search(text.zh), text.zh
    assert not _HALF_WIDTH.search(text.zh), text.zh
    assert not _CHINESE.search(text.en)


def test_it_says_what_it_is(name):
    study = load_study(name)
    for text in (study.title, study.claim):
        bilingual(text)
    assert study.claim.en.endswith(".")
    assert study.claim.zh.endswith("。")
    assert study._module.__doc__.strip()
    assert re.search(r"notes \d|\b(18|19|20)\d\d\b", study.source), (
        "SOURCE names a section of the notes or a year"
    )
    assert 0 < study.budget <= 120
    assert study.seeds >= 1


def test_its_knobs_are_described_in_both_languages(name):
    study = load_study(name)
    assert study.Knobs.model_fields
    for knob in study.Knobs.model_fields:
        bilingual(about(study.Knobs, knob))
    study.knobs(**study.quick)


def test_its_rows_are_uniform_and_have_their_seeds(name):
    study, rows = load_study(name), quick_rows(name)
    assert rows
    check_uniform(rows)
    if study.seeds > 1:
        assert {row["seed"] for row in rows} == set(range(study.quick_seeds))


def test_its_rows_come_back_from_json(name):
    rows = quick_rows(name)
    text = rows.to_json()
    assert len(text) < 8e6
    for row, again in zip(rows, Rows.from_json(text), strict=True):
        assert list(row) == list(again)
        for key in row:
            np.testing.assert_array_equal(again[key], row[key])


def test_a_seed_gives_the_same_rows_again_and_alone(name):
    study = load_study(name)
    seed = study.quick_seeds - 1
    alone = study.run([seed], **study.quick)
    together = [row for row in quick_rows(name) if row.get("seed", seed) == seed]
    assert len(alone) == len(together)
    for row, again in zip(together, alone):
        for key, value in row.items():
            if isinstance(value, str):
                assert again[key] == value
            elif np.asarray(value).dtype.kind in "fc":
                np.testing.assert_allclose(again[key], value, rtol=1e-3, atol=1e-5)
            else:
                np.testing.assert_array_equal(again[key], value)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_its_figure_is_drawn_with_labelled_axes(name, lang):
    study = load_study(name)
    figure = study.figure(quick_rows(name), lang)
    picture = figure._repr_png_()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) > 5000
    width, height = figure.get_size_inches()
    assert width <= 14
    assert height <= 10
    words = " ".join(text.get_text() for text in figure.findobj(matplotlib.text.Text))
    if lang == "en":
        assert not _CHINESE.search(words)
    elif chinese_font():
        assert len(_CHINESE.findall(words)) >= 2
        assert not _HALF_WIDTH.search(words), _HALF_WIDTH.search(words)
    for axes in figure.axes:
        if axes.axison and axes.has_data() and len(axes.get_xticks()) and len(axes.get_yticks()):
            assert axes.get_xlabel() or axes.xaxis.get_label_text() or not axes.xaxis.get_visible(), (
                axes.get_title()
            )


def test_its_figure_is_drawn_of_rows_that_are_not_all_there(name):
    study, rows = load_study(name), quick_rows(name)
    for some in (rows[:0], rows[:1], rows[: len(rows) // 2]):
        assert study.figure(some, "en")._repr_png_().startswith(b"\x89PNG")


def test_its_verdict_is_a_sentence_with_numbers_in_each_language(name):
    verdict = quick_verdict(name)
    assert isinstance(verdict, Verdict)
    assert verdict.contrasts or verdict.facts, "a verdict rests on contrasts or on facts"
    bilingual(verdict.sentence)
    assert re.search(r"\d", verdict.sentence.en)
    assert re.search(r"\d", verdict.sentence.zh)
    assert load_study(name).verdict(Rows()).outcome == "unclear"


def test_an_effect_that_is_there_is_found(name):
    study = load_study(name)
    for place, contrast in enumerate(contrasts(name)):
        rows = hand_written.template(quick_rows(name))
        rows = hand_written.with_effect(rows, contrast, hand_written.inside(contrast))
        assert judge([study.verdict(rows).contrasts[place]]).outcome == "holds", contrast.sentence.en


def test_an_effect_that_is_not_there_is_not_found(name):
    study = load_study(name)
    for contrast in contrasts(name):
        rows = hand_written.template(quick_rows(name))
        rows = hand_written.with_effect(rows, contrast, hand_written.outside(contrast))
        assert study.verdict(rows).outcome != "holds", contrast.sentence.en


def test_what_cannot_be_judged_never_holds(name):
    study = load_study(name)
    for contrast in contrasts(name):
        rows = hand_written.template(quick_rows(name))
        rows = hand_written.with_effect(rows, contrast, hand_written.inside(contrast))
        one_seed = [row for row in rows if row["seed"] == 0]
        for broken in (
            one_seed,
            hand_written.with_nan(rows, contrast),
            hand_written.without_group(rows, contrast),
        ):
            assert study.verdict(broken).outcome != "holds", contrast.sentence.en


def test_permuted_labels_never_hold(name):
    """No hollow study: where the labels of the conditions mean nothing, the claim must not hold."""
    study, tried = load_study(name), 0
    for contrast in contrasts(name):
        none = 1.0 if contrast.kind == "ratio" else 0.0
        if contrast.by is None or contrast.at_least < none < contrast.at_most:
            continue  # a level has no labels; that two conditions are alike is true of permuted ones too
        tried += 1
        rows = hand_written.template(quick_rows(name))
        rows = hand_written.with_effect(rows, contrast, hand_written.inside(contrast))
        assert study.verdict(hand_written.permuted(rows, contrast)).outcome != "holds", contrast.sentence.en
    assert tried, "at least one contrast of a statistical study is between conditions"


def test_a_fact_that_is_not_so_fails(name):
    study, rows = load_study(name), quick_rows(name)
    if not quick_verdict(name).facts:
        pytest.skip("statistics: no facts")
    stated = [place for place, row in enumerate(rows) if "fact" in row and "holds" in row]
    assert study.verdict(rows).outcome == "holds"
    for place in stated:
        wrong = Rows(Row(**{**row, "holds": False}) if i == place else row for i, row in enumerate(rows))
        assert study.verdict(wrong).outcome == "fails"
    left = Rows(row for place, row in enumerate(rows) if place not in stated)
    assert study.verdict(left).outcome != "holds"


def test_it_runs_as_a_copy_elsewhere(name, tmp_path):
    path = tmp_path / f"my_{name}.py"
    path.write_bytes(study_files()[name].read_bytes())
    copy = load_study(path)
    assert copy.chapter is None
    assert copy.verdict(quick_rows(name)) == quick_verdict(name)
