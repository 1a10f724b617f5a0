"""Saliency as a figure: the picture, its steep pixels, what hiding a patch costs, and the patch that costs the most."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from etude.core.plotting import COLOURS, headline, word
from etude.core.text import Lang, Text
from etude.insight.picture_drawing import SIGNED, draw_box, footnote, show_picture
from etude.insight.saliency import Occlusion
from etude.train.report.labels import share, shortened

_MARK = COLOURS[1]
_HOW = Text(
    en="Gradient: the mean over noisy copies (SmoothGrad). What is hidden gets the mean colour of the training pictures.",
    zh="梯度：对多个加噪副本取平均（SmoothGrad）。被遮住的部分填成训练图片的平均颜色。",
)
_LEAST_SCALE = 0.05  # a fall of less than five points is not blown up to look like one that matters


def draw_saliency(
    pixels: np.ndarray,
    label: str,
    gradient: np.ndarray,
    hiding: Occlusion,
    mean_colour: tuple[float, ...],
    rival: tuple[str, float] | None,
    lang: Lang,
) -> Figure:
    """What the answer hangs on.

    Args:
        pixels: uint8 ``[channels, height, width]``, the picture.
        label: the class asked about.
        gradient: ``[height, width]``, of `etude.insight.saliency.gradient_saliency`.
        hiding: of `etude.insight.saliency.occlusion`.
        mean_colour: what hides: a value from 0 to 1 a channel.
        rival: the likeliest class with the worst patch hidden and its probability, where that is another.
        lang: of the words.
    """
    figure = Figure(figsize=(13, 4.1), layout="constrained")
    axes = figure.subplots(1, 4)
    titles = (
        Text(en="{label}: {p}", zh="{label}：{p}").format(
            label=shortened(label, 20), p=share(hiding.probability)
        ),
        Text(en="gradient: the answer is\nsteepest at these pixels", zh="梯度：答案对这些\n像素最敏感"),
        Text(
            en="hiding {n}×{n} pixels: where\nthe probability falls", zh="遮住 {n}×{n} 像素：\n概率在哪里下降"
        ).format(n=hiding.patch),
        _with_patch(label, hiding, rival),
    )
    for each, title in zip(axes, titles):
        each.set_title(word(title, lang), fontsize=10.5, loc="center", linespacing=1.25)
    show_picture(axes[0], pixels)
    show_picture(axes[1], pixels, faded=0.6)
    bright = float(np.quantile(gradient, 0.995)) or 1.0
    drawn = axes[1].imshow(
        gradient, cmap="magma_r", vmin=0, vmax=bright, alpha=np.clip(gradient / bright, 0, 1) ** 0.7
    )
    _bar(
        figure,
        drawn,
        axes[1],
        Text(en="|d logit / d pixel| (per standard deviation)", zh="|d logit / d 像素|（每标准差）"),
        lang,
    )
    show_picture(axes[2], pixels, faded=0.6)
    points = 100 * hiding.drop
    limit = max(float(np.abs(points).max()), 100 * _LEAST_SCALE)
    drawn = axes[2].imshow(
        points, cmap=SIGNED, vmin=-limit, vmax=limit, alpha=np.clip(np.abs(points) / limit, 0, 1) ** 0.7 * 0.85
    )
    _bar(figure, drawn, axes[2], Text(en="fall of the probability (points)", zh="概率下降（百分点）"), lang)
    _cover(axes[3], pixels, hiding, mean_colour)
    headline(figure, _finding(label, pixels.shape[1:], hiding, rival), lang)
    footnote(figure, _HOW, lang)
    return figure


def _with_patch(label: str, hiding: Occlusion, rival: tuple[str, float] | None) -> Text:
    left = hiding.worst[2]
    if rival is not None:
        return Text(
            en="the patch that costs the most:\n{rival}: {q}, {label}: {p}",
            zh="影响最大的一块：\n{rival}：{q}，{label}：{p}",
        ).format(rival=shortened(rival[0], 14), q=share(rival[1]), label=shortened(label, 14), p=share(left))
    words = Text(en="the patch that costs the most:\n{label}: {p}", zh="影响最大的一块：\n{label}：{p}")
    return words.format(label=shortened(label, 20), p=share(left))


def _finding(label: str, picture: tuple[int, ...], hiding: Occlusion, rival: tuple[str, float] | None) -> Text:
    part = hiding.patch**2 / (picture[0] * picture[1])
    fall = hiding.probability - hiding.worst[2]
    words = {
        "part": f"{part:.0%}",
        "label": shortened(label, 20),
        "p": share(hiding.probability),
        "q": share(hiding.worst[2]),
    }
    if hiding.probability < _LEAST_SCALE:
        return Text(
            en="“{label}” is not what the network sees here: {p}, and at most {most} with {part} of the picture hidden",
            zh="网络在这里看到的不是“{label}”：概率 {p}，遮住图片的 {part} 后最多为 {most}",
        ).format(most=share(float(hiding.hidden.max())), **words)
    if fall < _LEAST_SCALE:
        return Text(
            en="The answer “{label}” does not hang on any one place: {part} of the picture hidden costs at most {fall} points",
            zh="“{label}”的判断不依赖某一处：遮住图片的 {part}，概率最多下降 {fall} 个百分点",
        ).format(fall=f"{100 * max(fall, 0):.1f}", **words)
    if rival is not None:
        return Text(
            en="Hide {part} of the picture, and “{label}” ({p}) becomes “{rival}” ({r})",
            zh="遮住图片的 {part}，“{label}”（{p}）就成了“{rival}”（{r}）",
        ).format(rival=shortened(rival[0], 20), r=share(rival[1]), **words)
    return Text(
        en="Hide {part} of the picture, and “{label}” falls from {p} to {q}",
        zh="遮住图片的 {part}，“{label}”的概率就从 {p} 降到 {q}",
    ).format(**words)


def _cover(axes, pixels: np.ndarray, hiding: Occlusion, colour: tuple[float, ...]) -> None:
    top, left, _ = hiding.worst
    covered = np.array(pixels)
    patch = slice(top, top + hiding.patch), slice(left, left + hiding.patch)
    for channel, value in enumerate(colour):
        covered[channel][patch] = round(255 * value)
    show_picture(axes, covered)
    draw_box(axes, (top, left, top + hiding.patch, left + hiding.patch), _MARK)


def _bar(figure: Figure, drawn, axes, words: Text, lang: Lang) -> None:
    drawn = type(drawn)(
        axes, cmap=drawn.get_cmap(), norm=drawn.norm
    )  # the same colours, without the transparency
    drawn.set_data([[0.0]])
    bar = figure.colorbar(drawn, ax=axes, location="bottom", shrink=0.8, aspect=28, pad=0.02)
    bar.ax.locator_params(nbins=5)
    bar.set_label(word(words, lang), fontsize=9)
    bar.ax.tick_params(labelsize=8)
    bar.outline.set_visible(False)
