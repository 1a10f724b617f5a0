"""Gradient descent converges below the step size 2/λmax and diverges above it, whatever else the data are like."""

from etude.core.plotting import COLOURS, headline, label, note, word
from etude.core.text import Text
from etude.study import BaseKnobs, Row, all_of, knob, level, paired_ratio

TITLE = Text(en="The edge of the step size", zh="步长的临界值")
CLAIM = Text(
    en="On a quadratic loss, gradient descent is slow with small steps, zigzags with larger ones, and diverges beyond exactly "
    "2/λmax, two over the largest curvature.",
    zh="在二次损失上，梯度下降步长小则慢，步长大则来回振荡，而超过 2/λmax（2 除以最大曲率）就发散，界限分毫不差。",
)
SOURCE = "notes 4.2; Nesterov 2018, section 2.1; LeCun, Bottou, Orr & Müller 1998, section 5"
PREDICTED = "holds"
QUICK = {"steps": 40, "examples": 20}
BUDGET_S = 10

_FAR = 1e9
_JUDGED = 60  # steps after which the verdict compares: not the reader's, or a short run would judge the claim
FACTORS = (0.05, 0.95, 1.05)  # times 2/λmax: slow, zigzag, diverging


class Knobs(BaseKnobs):
    learning_rate: float = knob(
        0.3,
        gt=0,
        le=10,
        about=Text(en="your own step size, drawn beside the others", zh="你自己的步长，与其他步长画在一起"),
    )
    condition_number: float = knob(
        8.0,
        ge=1,
        le=1000,
        about=Text(en="largest curvature over the smallest, about", zh="最大曲率与最小曲率之比（约）"),
    )
    steps: int = knob(
        60,
        ge=20,
        le=1000,
        unit=Text(en="steps", zh="步"),
        about=Text(en="steps of gradient descent", zh="梯度下降的步数"),
    )
    examples: int = knob(
        100,
        ge=5,
        le=10000,
        unit=Text(en="examples", zh="个样本"),
        about=Text(en="examples of the least-squares problem", zh="最小二乘问题的样本数"),
    )


def measure(knobs, seeds):
    import numpy as np

    for seed in seeds:
        x, y, best = _problem(knobs, np.random.default_rng(seed))
        largest = np.linalg.eigvalsh(x.T @ x / len(x))[-1]
        edge, start = 2 / largest, best + np.array([0.0, 2.0])  # across the valley and along it
        yield Row(kind="surface", seed=seed, hessian=x.T @ x / len(x), best=best, start=start, edge=edge)
        for name, rate in (("yours", knobs.learning_rate), *((f"{f:g}", f * edge) for f in FACTORS)):
            path = _descend(x, y, start, rate, knobs.steps)
            distance = _distances(path, best)
            yield Row(
                kind="path",
                seed=seed,
                name=name,
                learning_rate=rate,
                share=rate / edge,
                path=path,
                distance=distance,
            )
        for side, factor in (("below", 0.95), ("above", 1.05)):
            distance = _distances(_descend(x, y, start, factor * edge, _JUDGED), best)
            yield Row(kind="side", seed=seed, side=side, distance=distance[-1])
        shares = np.linspace(0.02, 1.2, 60)
        sweep = [_distances(_descend(x, y, start, share * edge, knobs.steps), best)[-1] for share in shares]
        yield Row(kind="sweep", seed=seed, shares=shares, distances=np.array(sweep))
        yield Row(kind="edge", seed=seed, found_over_predicted=_found_edge(x, y, start) / edge)


def verdict(rows):
    return all_of(
        paired_ratio(
            rows, "distance", by="side", greater="above", lesser="below", margin=10.0, where={"kind": "side"},
            what=Text(en=f"distance from the minimum after {_JUDGED} steps, at 1.05 times 2/λmax over that at 0.95 times",
                      zh=f"{_JUDGED} 步之后到最小值的距离：步长为 1.05 倍 2/λmax 时与 0.95 倍时之比"),
        ),
        level(
            rows, "found_over_predicted", above=0.99, below=1.01, ratio=True, where={"kind": "edge"},
            what=Text(en="the edge found by trying step sizes, over 2/λmax", zh="通过尝试步长找到的临界值与 2/λmax 之比"),
        ),
    )  # fmt: skip


def _problem(knobs, chance):
    """Least squares in two weights; the curvatures are about 2 and 2 / condition_number along slanting axes."""
    import numpy as np

    turn = np.array([[np.cos(0.5), -np.sin(0.5)], [np.sin(0.5), np.cos(0.5)]])
    scale = np.sqrt([2.0, 2.0 / knobs.condition_number])
    x = chance.normal(size=(knobs.examples, 2)) * scale @ turn.T
    weights = chance.normal(size=2)
    y = x @ weights + 0.1 * chance.normal(size=knobs.examples)
    return x, y, np.linalg.lstsq(x, y, rcond=None)[0]


def _descend(x, y, start, rate, steps):
    """Plain gradient descent on half the mean squared error: the path, float64 ``[steps + 1, 2]``."""
    import numpy as np

    path = [start]
    for _ in range(steps):
        w = path[-1]
        if np.abs(w).max() > _FAR:  # there is nothing more to see out there
            path.append(w)
            continue
        path.append(w - rate * x.T @ (x @ w - y) / len(x))
    return np.array(path)


def _distances(path, best):
    """How far each point is from the minimum, over how far the first was."""
    import numpy as np

    away = np.linalg.norm(path - best, axis=1)
    return away / away[0]


def _found_edge(x, y, start):
    """The step size between shrinking and growing steps, found by trying: no curvature is computed."""
    import numpy as np

    def grows(rate):
        path = _descend(x, y, start, rate, 500)
        first, last = (np.linalg.norm(path[i + 1] - path[i]) for i in (0, -2))
        return np.abs(path[-1]).max() > _FAR or last > first

    low = high = 0.01
    while not grows(high):
        low, high = high, 2 * high
    for _ in range(12):
        middle = np.sqrt(low * high)
        low, high = (low, middle) if grows(middle) else (middle, high)
    return np.sqrt(low * high)


def figure(rows, lang):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 7), layout="constrained")
    figure.get_layout_engine().set(h_pad=0.09)
    top, bottom = figure.add_gridspec(2, 1, height_ratios=[1, 1.05])
    valleys, lines = top.subgridspec(1, len(_LOOKS)), bottom.subgridspec(1, 2)
    first = rows[0]["seed"] if rows else 0
    surface, paths = rows.where(kind="surface", seed=first), rows.where(kind="path", seed=first)
    for place, name in enumerate(_LOOKS):
        axes = figure.add_subplot(valleys[place])
        _draw_valley(axes, surface, lang, named=place == 0)
        _draw_path(axes, name, paths.where(name=name), lang)
    _draw_courses(figure.add_subplot(lines[0]), paths, lang)
    _draw_sweep(figure.add_subplot(lines[1]), rows, lang)
    title = Text(
        en="Too small is slow, too large diverges, and the edge is 2 / (largest curvature)",
        zh="步长太小则慢，太大则发散，界限是 2 / 最大曲率",
    )
    headline(figure, title, lang)
    return figure


_LOOKS = {  # words, colour, dash, marker
    "0.05": (Text(en="slow", zh="太慢"), COLOURS[3], "-.", "s"),
    "yours": (Text(en="yours", zh="你的步长"), COLOURS[2], "-", "o"),
    "0.95": (Text(en="zigzag", zh="振荡"), COLOURS[0], "--", "^"),
    "1.05": (Text(en="diverges", zh="发散"), COLOURS[1], "-", "D"),
}
_REACH = 2.4  # of the window around the minimum


def _draw_valley(axes, surface, lang, named):
    """The loss from above, the minimum in the middle; its names in the first panel only."""
    import numpy as np

    axes.grid(False)
    axes.set_aspect("equal")
    label(
        axes, lang, x=Text(en="weight w₁", zh="权重 w₁"), y=Text(en="weight w₂", zh="权重 w₂") if named else ""
    )
    axes.tick_params(labelleft=named)
    for row in surface:
        best, line = row["best"], np.linspace(-_REACH, _REACH, 80)
        grid = np.stack(np.meshgrid(line, line), -1)
        loss = 0.5 * np.einsum("...i,ij,...j", grid, row["hessian"], grid)
        levels = loss.max() * np.linspace(0, 1, 10) ** 2
        across, up = best[0] + line, best[1] + line
        axes.contourf(across, up, loss, levels=levels, cmap="Greys", alpha=0.35, vmax=1.6 * loss.max())
        axes.contour(across, up, loss, levels=levels[1:], colors="#888888", linewidths=0.6)
        axes.plot(*best, "*", color="black", ms=11, zorder=4)
        axes.set(xlim=across[[0, -1]], ylim=up[[0, -1]])
        if named:
            look = {"lang": lang, "at": "data", "color": "#333333", "fontsize": 9}
            note(axes, Text(en="minimum", zh="最小值"), tuple(best), offset=(7, -3), va="top", **look)
            note(axes, Text(en="start", zh="起点"), tuple(row["start"]), offset=(8, 0), va="center", **look)


def _draw_path(axes, name, paths, lang):
    """One path, as far as its first point beyond the window."""
    words, colour, _, marker = _LOOKS[name]
    axes.set_title(word(words, lang), color=colour, pad=20)
    for row in paths:
        path = row["path"]
        (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
        outside = ((path < (left, bottom)) | (path > (right, top))).any(axis=1)
        shown = path[: int(outside.argmax()) + 1 if outside.any() else None]
        axes.plot(*shown.T, "-", marker=marker, color=colour, ms=3.5, lw=1.2, scalex=False, scaley=False)
        size = Text(
            en=f"step size {row['learning_rate']:.3g} = {row['share']:.2f} × 2/λmax",
            zh=f"步长 {row['learning_rate']:.3g} = {row['share']:.2f} × 2/λmax",
        )
        note(axes, size, (0, 1), lang, offset=(0, 6), fontsize=9, color="#333333")


def _draw_courses(axes, paths, lang):
    """The distance step by step. Names at the right, each clear of the one below."""
    import numpy as np

    lowest = min((row["distance"].min() for row in paths), default=1.0)
    floor, ceiling = np.clip(lowest / 10, 1e-8, 1e-4), 1e5
    height, apart = floor, (ceiling / floor) ** 0.06
    for row in sorted(paths, key=lambda row: row["distance"][-1]):
        words, colour, dash, _ = _LOOKS[row["name"]]
        axes.plot(row["distance"], dash, color=colour, lw=2.2)
        height = max(height * apart, np.clip(row["distance"][-1], floor, ceiling / apart**2))
        look = {"color": colour, "va": "center", "fontweight": "bold", "offset": (6, 0)}
        note(axes, words, (len(row["distance"]) - 1, height), lang, at="data", **look)
        axes.set_xlim(0, len(row["distance"]) - 1)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.axhline(1, color="#777777", lw=0.8)
    axes.set_yscale("log")
    axes.set_ylim(floor, ceiling)
    label(
        axes, lang, x=Text(en="steps", zh="步数"), y=Text(en="distance (start = 1)", zh="距离（起点 = 1）"),
        title=Text(en="Distance from the minimum, step by step", zh="每一步到最小值的距离"),
    )  # fmt: skip


def _draw_sweep(axes, rows, lang):
    """The distance at the end for every step size; one line a data set."""
    sweeps = rows.where(kind="sweep")
    for row in sweeps:
        axes.plot(row["shares"], row["distances"].clip(1e-12), color=COLOURS[0], lw=1, alpha=0.5)
    axes.axvspan(1, 1.2, color=COLOURS[1], alpha=0.1, lw=0)
    axes.axvline(1, color=COLOURS[1], lw=2)
    axes.axhline(1, color="#777777", lw=0.8)
    look = {"lang": lang, "at": "x data", "fontweight": "bold"}
    edge = Text(en="the edge: 2/λmax", zh="临界值：2/λmax")
    note(axes, edge, (1, 0.97), offset=(-5, 0), ha="right", va="top", color=COLOURS[1], **look)
    note(axes, Text(en="grows", zh="增大"), (1.1, 0.06), ha="center", color=COLOURS[1], **look)
    for row in rows.where(kind="path", name="yours")[:1]:
        words, colour, *_ = _LOOKS["yours"]
        inside = row["share"] < 1.2
        if inside:
            axes.axvline(row["share"], color=colour, lw=2, ls="--")
        spot, words = (row["share"], words) if inside else (1.2, Text(en="yours →", zh="你的步长 →"))
        side = {"offset": (5, 0)} if row["share"] < 0.8 else {"offset": (-5, 0), "ha": "right"}
        note(axes, words, (spot, 0.16), color=colour, **side, **look)
    axes.set_yscale("log")
    axes.set_xlim(0, 1.2)
    lowest = min((row["distances"].min() for row in sweeps), default=1e-6)
    axes.set_ylim(max(lowest / 30, 1e-13), 1e5)
    label(
        axes, lang, x=Text(en="step size × λmax / 2", zh="步长 × λmax / 2"),
        y=Text(en="distance after the last step (start = 1)", zh="最后一步后的距离（起点 = 1）"),
        title=Text(en="Every data set has its edge at 2/λmax", zh="每组数据的临界值都是 2/λmax"),
    )  # fmt: skip
