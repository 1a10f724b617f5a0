"""The figures of ``etude inspect``: what they say is what was found, in both languages."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest
import torch
from matplotlib.patches import Rectangle
from matplotlib.text import Text as Words
from torch import nn

from etude.core.plotting import chinese_font, drawing, png
from etude.insight.effective_field import effective_fields
from etude.insight.feature_map_drawing import draw_depth, draw_layer
from etude.insight.feature_maps import FeatureMaps, feature_maps
from etude.insight.field_drawing import draw_fields
from etude.insight.filter_drawing import draw_filters
from etude.insight.filters import find_filters
from etude.insight.receptive_field import receptive_fields
from etude.insight.saliency import Occlusion
from etude.insight.saliency_drawing import draw_saliency
from etude.models.catalog import build_model

LANGUAGES = [
    "en",
    pytest.param("zh", marks=pytest.mark.skipif(not chinese_font(), reason="needs a Chinese font")),
]


def words_of(figure) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(Words))


def boxes_of(axes) -> list[tuple[float, float, float, float]]:
    """As (top, left, bottom, right) in pixels."""
    found = []
    for patch in axes.patches:
        if isinstance(patch, Rectangle):
            left, top = patch.get_x() + 0.5, patch.get_y() + 0.5
            found.append((top, left, top + patch.get_height(), left + patch.get_width()))
    return found


def check(figure, lang: str) -> str:
    """It can be saved, every character has a glyph, and Chinese has its own punctuation."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert png(figure, dpi=40).startswith(b"\x89PNG")
    words = words_of(figure)
    if lang == "zh":
        assert re.search(r"[一-鿿]", words)
        assert not re.search(r"[一-鿿][,:;?!()]|[,:;?!()][一-鿿]", words)
    return words


@pytest.fixture(scope="module")
def lenet():
    torch.manual_seed(0)
    return build_model("lenet5"), torch.rand(1, 1, 28, 28)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_box_is_what_the_strongest_unit_of_each_layer_sees(lenet, lang):
    model, picture = lenet
    pixels = (255 * picture[0]).byte().numpy()
    fields = {field.layer: field for field in receptive_fields(model, (1, 28, 28))}
    found = feature_maps(model, picture)
    with drawing(lang):
        figure = draw_depth(pixels, found, fields, lang)
        words = check(figure, lang)
    for layer in found:
        assert layer.layer in words
        (axes,) = [axes for axes in figure.axes if axes.get_title("center") == layer.layer]
        unit = layer.strongest_unit(int(layer.maps.max((1, 2)).argmax()))
        assert boxes_of(axes) == [fields[layer.layer].box(unit)]
    for shape in ("28×28", "14×14", "10×10", "5×5"):
        assert shape in words


@pytest.mark.parametrize("lang", LANGUAGES)
def test_all_maps_of_a_layer_with_those_that_are_silent(lang):
    maps = np.random.default_rng(0).random((60, 4, 4)).astype(np.float32)
    maps[7] = 0
    with drawing(lang):
        words = check(draw_layer(np.zeros((3, 9, 9), np.uint8), FeatureMaps("x", maps), None, lang), lang)
    assert ("the 48 strongest of 60" if lang == "en" else "60 张 4×4 特征图中最强的 48 张") in words
    assert ("1 silent" if lang == "en" else "1 张全为 0") in words


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize(
    ("build", "layer", "shown"),
    [
        (lambda: build_model("lenet5"), None, 12),  # 6 kernels and 6 responses
        (lambda: build_model("lenet5", (3, 16, 16), 2), None, 12),
        (lambda: build_model("lenet5"), "conv2", 1),  # one picture of all
        (lambda: build_model("mlp"), None, 24),
        (lambda: nn.Sequential(nn.Flatten(), nn.Linear(784, 3)), None, 3),
    ],
)
def test_filters_of_every_kind(build, layer, shown, lang):
    model = build()
    shape = (3, 16, 16) if getattr(getattr(model, "conv1", None), "in_channels", 1) == 3 else (1, 28, 28)
    filters = find_filters(model, shape, layer, torch.rand(1, *shape))
    with drawing(lang):
        figure = draw_filters(filters, ("apple", "梨", "plum"), lang)
        words = check(figure, lang)
    assert sum(len(axes.images) for axes in figure.axes) == shown
    assert filters.layer in words
    assert filters.says_classes == ("plum" in words)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_title_says_theory_and_practice(lang):
    net = nn.Sequential(*(nn.Conv2d(1, 1, 3, padding=1, bias=False) for _ in range(12)))
    for layer in net:
        nn.init.constant_(layer.weight, 1 / 9)
    fields = receptive_fields(net, (1, 64, 64))
    effective = effective_fields(net, ["0", "11"], torch.randn(1, 1, 64, 64))
    with drawing(lang):
        figure = draw_fields(fields, effective, np.zeros((1, 64, 64), np.uint8), lang)
        words = check(figure, lang)
    assert "25×25" in words
    assert f"{np.sqrt((effective['11'] > 0.0455).sum()):.0f}×" in words
    assert fields[-1].box(fields[-1].centre) in boxes_of(figure.axes[0])
    assert figure.axes[1].lines[0].get_ydata()[-1] == 25


def hiding(before: float, after: float) -> Occlusion:
    hidden = np.full((4, 4), before)
    hidden[1, 2] = after
    return Occlusion(before, hidden, (0, 2, 4, 6), (0, 2, 4, 6), 4, np.full((10, 10), 0.01))


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize(
    ("before", "after", "rival", "en", "zh"),
    [
        (0.9, 0.3, ("dog", 0.6), "“cat” (90%) becomes “dog” (60%)", "“cat”（90%）就成了“dog”（60%）"),
        (0.9, 0.5, None, "“cat” falls from 90% to 50%", "“cat”的概率就从 90% 降到 50%"),
        (0.9, 0.88, None, "16% of the picture hidden costs at most 2.0 points", "概率最多下降 2.0 个百分点"),
        (0.02, 0.001, None, "is not what the network sees here: 2.0%", "看到的不是“cat”"),
    ],
)
def test_the_title_says_what_hiding_does(before, after, rival, en, zh, lang):
    pixels = np.full((3, 10, 10), 200, np.uint8)
    with drawing(lang):
        figure = draw_saliency(
            pixels, "cat", np.random.default_rng(0).random((10, 10)), hiding(before, after), (0.5, 0.25, 0), rival, lang
        )  # fmt: skip
        words = check(figure, lang)
    assert {"en": en, "zh": zh}[lang] in words
    assert boxes_of(figure.axes[3]) == [(2, 4, 6, 8)]
    covered = np.asarray(figure.axes[3].images[0].get_array())
    np.testing.assert_allclose(covered[2:6, 4:8], np.broadcast_to([0.5, 0.25, 0], (4, 4, 3)), atol=1 / 255)
    assert (covered[:2] == 200 / 255).all()
