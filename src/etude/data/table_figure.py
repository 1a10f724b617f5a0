"""A look at a table: each column against the one to be learnt, the most telling first."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from etude.core.plotting import COLOURS, headline, label, note, word
from etude.core.text import Lang, Text, same
from etude.data.entry import NamedColumn
from etude.data.table import TableData

_MOST_PANELS = 11  # beside the target's own
_MOST_CLASSES = 5  # drawn in a colour each; the smaller ones together in grey
_MOST_CATEGORIES = 7
_GROUPS = 6  # of a column's numbers, equally many rows in each, to see what it tells of the target
_DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
_GREY = "#8A8A8A"
_MOST_DOTS = 1500
_FEW_NUMBERS = 10  # so many different ones are drawn and grouped each by itself
_FEWEST_ROWS = 5  # of a group whose mean says something
_OVERLAID = 3  # classes whose histograms can still be told apart in one panel

_EXPLAINS = Text(
    en=f"Training rows. “Explains”: how much of the target's variance its mean in {_GROUPS} groups of the column accounts for (adjusted R²).",
    zh=f"仅用训练集。“解释”：按该列分成 {_GROUPS} 组取均值，能解释目标方差的比例（调整后的 R²）。",
)
_SPANS = Text(
    en="\nDots are medians; bars span the middle half of the rows, lines 90 %.",
    zh="\n圆点为中位数；粗条覆盖中间一半的行，细线覆盖 90 %。",
)


@dataclass(frozen=True)
class _Feature:
    """One column of the training part, in its own unit.

    Args:
        name: of the column.
        values: float64 ``[n]``, NaN where missing; or int64 ``[n]``, indices into ``categories``, -1 where missing.
        categories: empty for numbers.
        explains: share of the target's variance that the column alone explains.
    """

    name: str
    values: np.ndarray
    categories: tuple[str, ...]
    explains: float


def columns_figure(data: TableData, lang: Lang, about: Mapping[str, NamedColumn] | None = None) -> Figure:
    """The target of the training part, and each column against it; ordered by what each tells alone.

    That is the share of the target's variance which remains explained when its mean is taken in six groups of the column's
    values (of a class: the variance of its indicator), less what chance would explain: the adjusted R².

    Args:
        data: the table.
        lang: of the words.
        about: units of columns, by their names.
    """
    features = sorted(_features(data), key=lambda each: -each.explains)
    shown = features[:_MOST_PANELS]
    columns = min(4, max(2, math.ceil(math.sqrt(len(shown) + 1))))
    rows = math.ceil((len(shown) + 1) / columns)
    figure = Figure(figsize=(3.35 * columns, 2.75 * rows + 0.7), layout="constrained")
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    _draw_target(panels[0], data, lang, about or {})
    for place, (panel, feature) in enumerate(zip(panels[1:], shown), start=1):
        _draw(panel, feature, data, lang, about or {})
        if any(each.get_ylabel() == panel.get_ylabel() for each in panels[place - place % columns : place]):
            panel.set_ylabel("")  # once a row is enough
    for panel in panels[len(shown) + 1 :]:
        panel.axis("off")
    more = len(features) - len(shown)
    best = shown[0]
    title = Text(
        en=f"{data.name}: “{_short(best.name, 24)}” tells the most about “{_short(data.target, 24)}”",
        zh=f"{data.name}：“{_short(best.name, 24)}”一列最能说明“{_short(data.target, 24)}”",
    )
    if more > 0:
        title = Text(
            en=f"{title.en} ({more:,} more columns tell less)", zh=f"{title.zh}（另有 {more:,} 列作用更小）"
        )
    headline(figure, _plain(title), lang)
    numbers_only = not any(each.categories for each in shown)
    spans = not numbers_only if data.kind == "regression" else data.num_classes > _OVERLAID
    words = Text(en=_EXPLAINS.en + _SPANS.en * spans, zh=_EXPLAINS.zh + _SPANS.zh * spans)
    figure.supxlabel(word(words, lang), fontsize=8.5, color="#555555", x=0.01, ha="left")
    return figure


def _features(data: TableData) -> list[_Feature]:
    """The columns, taken back from the prepared features of the training part."""
    found, place, prepared = [], 0, data.train.features.astype(np.float64)
    for spec in data.preparation["columns"]:
        if spec["kind"] == "number":
            values = prepared[:, place] * spec["std"] + spec["mean"]
            place += 1
            if spec["missing"]:
                values = np.where(prepared[:, place] > 0, np.nan, values)
                place += 1
            names: tuple[str, ...] = ()
        else:
            names = (*spec["categories"], *["(other)"] * bool(spec["other"]))
            width = len(names) + spec["missing"]
            block = prepared[:, place : place + width]
            values = np.where(block[:, : len(names)].any(1), block[:, : len(names)].argmax(1), -1)
            place += width
        found.append(_Feature(spec["name"], values, names, _explained(values, names, data)))
    return found


def _explained(values: np.ndarray, categories: Sequence[str], data: TableData) -> float:
    """Adjusted R² of the target by groups of one column."""
    groups = values
    if not categories:
        known = ~np.isnan(values)
        groups = np.full(len(values), -1)
        groups[known] = _groups(values[known])
    targets = data.train.targets.astype(np.float64)[:, None]
    if data.kind == "classification":
        targets = (data.train.targets[:, None] == np.arange(data.num_classes)).astype(np.float64)
    _, groups = np.unique(groups, return_inverse=True)
    counts = np.bincount(groups)
    means = np.stack([np.bincount(groups, column) for column in targets.T], 1) / counts[:, None]
    total = ((targets - targets.mean(0)) ** 2).sum()
    within = ((targets - means[groups]) ** 2).sum()
    freedom = len(groups) - len(counts)
    return 0.0 if freedom < 1 or not total else max(0.0, 1 - within / total * (len(groups) - 1) / freedom)


def _groups(numbers: np.ndarray) -> np.ndarray:
    """Which group each number is in: its own where there are few different ones, else one of six of equal size."""
    _, own, counts = np.unique(np.round(numbers, 9), return_inverse=True, return_counts=True)
    if len(counts) <= _FEW_NUMBERS and counts.min() >= _FEWEST_ROWS:
        return own
    cuts = np.unique(np.quantile(numbers, np.arange(1, _GROUPS) / _GROUPS))
    return np.searchsorted(cuts, numbers)


def _draw_target(axes: Axes, data: TableData, lang: Lang, about: Mapping[str, NamedColumn]) -> None:
    title = Text(en=f"to be learnt: {_short(data.target)}", zh=f"要学习的：{_short(data.target)}")
    rows = Text(en="rows", zh="行数")
    if data.kind == "regression":
        axes.hist(data.train.targets, bins=24, color=COLOURS[0])
        label(axes, lang, title=_plain(title), x=_plain(_labelled(data.target, about)), y=rows)
        return
    groups = _classes(data)
    sizes = [int(mask.sum()) for _, mask, _, _ in groups]
    axes.barh(range(len(groups)), sizes, color=[colour for _, _, colour, _ in groups])
    for place, size in enumerate(sizes):
        note(axes, f"{size:,}", (size, place), lang, at="data", offset=(3, 0), va="center")
    axes.set_xlim(0, max(sizes) * 1.18)
    _name_rows(axes, [word(name, lang) for name, _, _, _ in groups])
    label(axes, lang, title=_plain(title), x=rows)


def _draw(axes: Axes, feature: _Feature, data: TableData, lang: Lang, about: Mapping[str, NamedColumn]) -> None:
    words = Text(en="explains {share:.0%}", zh="解释 {share:.0%}").format(share=feature.explains)
    name = _short(feature.name, 22)
    label(axes, lang, title=_plain(Text(en=f"{name}: {words.en}", zh=f"{name}：{words.zh}")))
    if feature.categories:
        draw = _category_means if data.kind == "regression" else _category_shares
    elif data.kind == "regression":
        draw = _number_scatter
    else:
        draw = _number_densities if data.num_classes <= _OVERLAID else _number_spans
    draw(axes, feature, data, lang, about)


def _number_densities(
    axes: Axes, feature: _Feature, data: TableData, lang: Lang, about: Mapping[str, NamedColumn]
) -> None:
    """A histogram for each class, on common bins, each of area one."""
    known = ~np.isnan(feature.values)
    distinct = np.unique(np.round(feature.values[known], 9))
    low, high = np.quantile(feature.values[known], [0.005, 0.995])
    edges = np.linspace(low, high, 19)
    if len(distinct) <= _FEW_NUMBERS or low == high:
        between = (distinct[1:] + distinct[:-1]) / 2
        edges = np.array([distinct[0] - 0.5, *between, distinct[-1] + 0.5])
        low, high = distinct[0], distinct[-1]
    for name, mask, colour, dash in _classes(data):
        values = np.clip(feature.values[known & mask], low, high)
        if not len(values):
            continue
        shares = np.histogram(values, edges)[0] / len(values)
        axes.stairs(shares, edges, color=colour, fill=True, alpha=0.18)
        axes.stairs(shares, edges, color=colour, linestyle=dash, linewidth=1.6, label=word(name, lang))
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    label(
        axes, lang, x=_plain(_labelled(feature.name, about)), y=Text(en="share of the class", zh="占该类的比例")
    )


def _number_spans(
    axes: Axes, feature: _Feature, data: TableData, lang: Lang, about: Mapping[str, NamedColumn]
) -> None:
    """The middle half of the numbers of each class, and their median."""
    known = ~np.isnan(feature.values)
    groups = _classes(data)
    for place, (_, mask, colour, _) in enumerate(groups):
        if (mask & known).any():
            _span(axes, feature.values[mask & known], place, colour)
    _name_rows(axes, [word(name, lang) for name, _, _, _ in groups])
    label(axes, lang, x=_plain(_labelled(feature.name, about)))


def _span(axes: Axes, values: np.ndarray, place: int, colour: str) -> None:
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    least, most = np.quantile(values, [0.05, 0.95])
    axes.plot([least, most], [place, place], color=colour, linewidth=1.2)
    axes.plot([low, high], [place, place], color=colour, linewidth=7, alpha=0.55, solid_capstyle="butt")
    axes.plot(middle, place, marker="o", markersize=5.5, color=colour, markeredgecolor="white")


def _category_shares(
    axes: Axes, feature: _Feature, data: TableData, lang: Lang, about: Mapping[str, NamedColumn]
) -> None:
    """What classes the rows of each category are of."""
    names, masks = _categories(feature)
    starts = np.zeros(len(masks))
    for _, of_class, colour, _ in _classes(data):
        shares = np.array([(mask & of_class).sum() / mask.sum() for mask in masks])
        axes.barh(range(len(masks)), shares, left=starts, color=colour, edgecolor="white", linewidth=0.8)
        starts += shares
    _name_rows(axes, [word(_plain(each), lang) for each in names])
    axes.set_xlim(0, 1)
    axes.grid(False)
    axes.xaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    label(axes, lang, x=Text(en="share of each class", zh="各类所占比例"))


def _number_scatter(
    axes: Axes, feature: _Feature, data: TableData, lang: Lang, about: Mapping[str, NamedColumn]
) -> None:
    """The target against the number, and its mean in groups of as many rows."""
    known = np.flatnonzero(~np.isnan(feature.values))
    x, y = feature.values[known], data.train.targets[known].astype(np.float64)
    groups = _groups(x)
    few = np.linspace(0, len(x) - 1, min(len(x), _MOST_DOTS)).astype(int)
    distinct = np.unique(np.round(x, 9))
    width = 0.3 * np.diff(distinct).min() if 1 < len(distinct) <= _FEW_NUMBERS else 0.0
    shifts = np.random.default_rng(0).uniform(
        -width, width, len(few)
    )  # so that equal numbers do not hide one another
    axes.scatter(x[few] + shifts, y[few], s=7, color=COLOURS[5], alpha=0.55, linewidths=0, rasterized=True)
    means = [(x[groups == group].mean(), y[groups == group].mean()) for group in np.unique(groups)]
    axes.plot(*zip(*means), color=COLOURS[1], marker="o", markersize=4.5, linewidth=2)
    low, high = np.quantile(x, [0.002, 0.998])
    if low < high:
        beside = 0.04 * (high - low) + width
        axes.set_xlim(low - beside, high + beside)
    label(axes, lang, x=_plain(_labelled(feature.name, about)), y=_plain(_labelled(data.target, about)))


def _category_means(
    axes: Axes, feature: _Feature, data: TableData, lang: Lang, about: Mapping[str, NamedColumn]
) -> None:
    """The middle half of the target in each category, and its median."""
    names, masks = _categories(feature)
    for place, mask in enumerate(masks):
        _span(axes, data.train.targets[mask].astype(np.float64), place, COLOURS[0])
    _name_rows(axes, [word(_plain(each), lang) for each in names])
    label(axes, lang, x=_plain(_labelled(data.target, about)))


def _classes(data: TableData) -> list[tuple[Text, np.ndarray, str, object]]:
    """Name, rows, colour and dash of each class, the largest ones; the others together."""
    targets = data.train.targets
    counts = np.bincount(targets, minlength=data.num_classes)
    order = np.argsort(-counts, kind="stable")
    single = order if len(order) <= _MOST_CLASSES else order[: _MOST_CLASSES - 1]
    groups: list[tuple[Text, np.ndarray, str, object]] = [
        (_plain(same(_short(data.classes[each]))), targets == each, COLOURS[place], _DASHES[place])
        for place, each in enumerate(sorted(single))
    ]
    rest = len(order) - len(single)
    if rest:
        name = Text(en=f"{rest:,} others", zh=f"其他 {rest:,} 类")
        groups.append((name, ~np.isin(targets, single), _GREY, _DASHES[-1]))
    return groups


def _categories(feature: _Feature) -> tuple[list[Text], list[np.ndarray]]:
    """The most frequent categories and what remains, each with its rows."""
    names = [same(_short(name)) for name in feature.categories]
    masks = [feature.values == place for place in range(len(names))]
    kept = list(range(len(names)))[:_MOST_CATEGORIES]
    found = [(names[place], masks[place]) for place in kept if masks[place].any()]
    rest = np.isin(feature.values, [place for place in range(len(names)) if place not in kept])
    missing = feature.values < 0
    for words, mask in ((Text(en="others", zh="其他"), rest), (Text(en="missing", zh="缺失"), missing)):
        if mask.any():
            found.append((words, mask))
    return [name for name, _ in found], [mask for _, mask in found]


def _name_rows(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(axis="y", length=0)
    axes.grid(False, axis="y")
    axes.set_ylim(len(names) - 0.4, -0.6)


def _labelled(name: str, about: Mapping[str, NamedColumn]) -> Text:
    unit = about[name].unit if name in about else same("")
    short = _short(name, 26)
    return Text(en=f"{short} ({unit.en})", zh=f"{short}（{unit.zh}）") if unit.en else same(short)


def _short(name: str, most: int = 16) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"


def _plain(text: Text) -> Text:
    """The words with no dollar that matplotlib would take for mathematics."""
    return Text(en=text.en.replace("$", r"\$"), zh=text.zh.replace("$", r"\$"))
