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
            distance = _distances(_descend(x, y, start, factor * edge, knobs.steps), best)
            yield Row(kind="side", seed=seed, side=side, distance=distance[-1])
        shares = np.linspace(0.02, 1.2, 60)
        sweep = [_distances(_descend(x, y, start, share * edge, knobs.steps), best)[-1] for share in shares]
        yield Row(kind="sweep", seed=seed, shares=shares, distances=np.array(sweep))
        yield Row(kind="edge", seed=seed, found_over_predicted=_found_edge(x, y, start) / edge)


def verdict(rows):
    return all_of(
        paired_ratio(
            rows, "distance", by="side", greater="above", lesser="below", margin=10.0, where={"kind": "side"},
            what=Text(en="distance from the minimum after the last step, at 1.05 times 2/λmax over that at 0.95 times", zh="最后一步后到最小值的距离：步长为 1.05 倍 2/λmax 时与 0.95 倍时之比")
        ),
        level(
            rows, "found_over_predicted", above=0.99, below=1.01, ratio=True, where={"kind": "edge"},
            what=Text(en="the edge found by trying step sizes, over 2/λmax", zh="通过尝试步长找到的临界值与 2/λmax 之比")
        )
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
        path = _descend(x, y, start, rate, 300)
        last = np.linalg.norm(np.diff(path[-3:], axis=0), axis=1)
        return np.abs(path[-1]).max() > _FAR or last[1] > last[0]

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
    names = ["0.05", "yours", "0.95", "1.05"]
    axes = figure.subplot_mosaic(
        [[f"path {name}" for name in names], ["loss", "loss", "sweep", "sweep"]], height_ratios=[1, 1.05]
    )
    first = rows[0]["seed"] if rows else 0
    surface, paths = rows.where(kind="surface", seed=first), rows.where(kind="path", seed=first)
    for name in names:
        _draw_path(axes[f"path {name}"], name, surface, paths.where(name=name), lang)
    _draw_courses(axes["loss"], paths, lang)
    _draw_sweep(axes["sweep"], rows, lang)
    title = Text(
        en="Too small is slow, too large diverges, and the edge is 2 / (largest curvature)",
        zh="步长太小则慢，太大则发散，界限是 2 / 最大曲率",
    )
    headline(figure, title, lang)
    return figure


_WORDS = {
    "0.05": Text(en="slow", zh="太慢"),
    "yours": Text(en="yours", zh="你的步长"),
    "0.95": Text(en="zigzag", zh="振荡"),
    "1.05": Text(en="diverges", zh="发散"),
}


def _looks(name):

    return {
        "0.05": (COLOURS[5], "-"),
        "yours": (COLOURS[2], "-"),
        "0.95": (COLOURS[0], "-"),
        "1.05": (COLOURS[1], "-"),
    }[name]


def _draw_path(axes, name, surface, paths, lang):
    import numpy as np

    colour, _ = _looks(name)
    axes.set_title(word(_WORDS[name], lang), color=colour)
    label(axes, lang, x="w₁", y="w₂" if name == "0.05" else "")
    axes.grid(False)
    for row in surface:
        best, hessian = row["best"], row["hessian"]
        reach = 2.4
        grid = np.stack(np.meshgrid(np.linspace(-reach, reach, 80), np.linspace(-reach, reach, 80)), -1)
        loss = 0.5 * np.einsum("...i,ij,...j", grid, hessian, grid)
        levels = loss.max() * np.linspace(0.03, 1, 9) ** 2
        axes.contourf(
            best[0] + grid[..., 0],
            best[1] + grid[..., 1],
            loss,
            levels=[0, *levels],
            cmap="Greys",
            alpha=0.35,
            vmin=0,
            vmax=1.6 * loss.max(),
        )
        axes.contour(
            best[0] + grid[..., 0],
            best[1] + grid[..., 1],
            loss,
            levels=levels,
            colors="#888888",
            linewidths=0.6,
        )
        axes.plot(*best, "*", color="black", ms=11, zorder=4)
        axes.set_xlim(best[0] - reach, best[0] + reach)
        axes.set_ylim(best[1] - reach, best[1] + reach)
        axes.set_aspect("equal")
    for row in paths:
        axes.plot(*row["path"].T, "o-", color=colour, ms=3, lw=1.3)
        words = Text(
            en=f"step size {row['learning_rate']:.3g}\n= {row['share']:.2f} × 2/λmax",
            zh=f"步长 {row['learning_rate']:.3g}\n= {row['share']:.2f} × 2/λmax",
        )
        note(axes, words, (0.03, 0.03), lang, fontsize=8.5, va="bottom",
                      bbox={"fc": "white", "ec": "none", "alpha": 0.8, "pad": 2})  # fmt: skip


def _draw_courses(axes, paths, lang):

    for row in paths:
        colour, dash = _looks(row["name"])
        distance = row["distance"]
        axes.plot(distance, dash, color=colour, lw=2)
        end = (len(distance), min(max(distance[-1], 1e-6), 1e4))
        note(axes, _WORDS[row["name"]], end, lang, at="data", color=colour, va="center", fontweight="bold")
    axes.set_yscale("log")
    axes.set_ylim(3e-7, 3e4)
    axes.margins(x=0.12)
    axes.axhline(1, color="#999999", lw=0.8)
    label(
        axes,
        lang,
        title=Text(en="Distance from the minimum", zh="到最小值的距离"),
        x=Text(en="steps", zh="步数"),
        y=Text(en="distance / distance at the start", zh="距离 / 起点距离"),
    )


def _draw_sweep(axes, rows, lang):

    for row in rows.where(kind="sweep"):
        axes.plot(row["shares"], row["distances"].clip(1e-12, 1e6), color=COLOURS[0], lw=1, alpha=0.5)
    for row in rows.where(kind="path", name="yours")[:1]:
        axes.axvline(row["share"], color=COLOURS[2], lw=1.5)
        note(
            axes,
            _WORDS["yours"],
            (min(row["share"], 1.1) + 0.01, 0.03),
            lang,
            at="x data",
            color=COLOURS[2],
            fontweight="bold",
        )
    axes.axvline(1, color=COLOURS[1], lw=1.5)
    note(
        axes,
        Text(en="the edge: 2/λmax ", zh="临界值：2/λmax "),
        (1, 0.97),
        lang,
        at="x data",
        ha="right",
        va="top",
        color=COLOURS[1],
        fontweight="bold",
    )
    axes.axhline(1, color="#999999", lw=0.8)
    axes.set_yscale("log")
    axes.set_xlim(0, 1.2)
    label(
        axes,
        lang,
        title=Text(en="Every data set turns at the same edge", zh="每组数据都在同一处转折"),
        x=Text(en="step size × λmax / 2", zh="步长 × λmax / 2"),
        y=Text(en="distance after the last step", zh="最后一步后的距离"),
    )
