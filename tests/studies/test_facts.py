"""The studies of facts at the ends of their knobs: what they state holds for every shape."""

from __future__ import annotations

import pytest

from etude.study.catalog import load_study


@pytest.mark.parametrize(
    ("name", "knobs"),
    [
        ("view_reshape_resize", {"rows": 4, "columns": 4}),
        ("view_reshape_resize", {"rows": 4, "columns": 2}),
        ("view_reshape_resize", {"rows": 2, "columns": 2}),
        ("autograd_graph", {"inputs": 1, "hidden": 1, "batch_size": 1}),
        ("autograd_graph", {"inputs": 20, "hidden": 20, "batch_size": 64, "activation": "relu"}),
        ("autograd_graph", {"activation": "sigmoid"}),
    ],
)
def test_the_facts_hold_for_every_shape(name, knobs):
    study = load_study(name)
    rows = study.run(**knobs)
    assert study.verdict(rows).outcome == "holds", study.verdict(rows).sentence.en
    assert study.figure(rows, "en")._repr_png_()
