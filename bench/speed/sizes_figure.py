"""The figure of cost against size: four panels, both axes logarithmic."""

from __future__ import annotations

from pathlib import Path

from bench.speed.sizes import AXES, Points

# Okabe & Ito's colours, which everybody can tell apart
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00")
_MARKS = ("o", "s", "^", "D", "v")


def draw(points: dict[str, Points], path: Path) -> None:
    """Draw ``points`` (size, cost) of each axis of `bench.speed.sizes.AXES` into a PNG file."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    figure = Figure(figsize=(9.6, 7.2), layout="constrained")
    panels = [("images",), ("depth",), ("batch",), ("folder, first epoch", "folder, later epochs")]
    styles = dict(zip(AXES, zip(_COLOURS, _MARKS)))
    for axes, names in zip(figure.subplots(2, 2).flat, panels):
        for name in names:
            sizes, costs = zip(*points[name]) if points[name] else ((), ())
            colour, mark = styles[name]
            axes.loglog(sizes, costs, color=colour, marker=mark, label=AXES[name][2])
            if len(sizes) > 1 and name != "batch":
                straight = [costs[-1] * size / sizes[-1] for size in sizes]
                axes.loglog(sizes, straight, color="0.6", linestyle=":", linewidth=1, zorder=0)
        axes.set_xlabel(AXES[names[0]][0])
        axes.set_ylabel(AXES[names[0]][1])
        axes.grid(True, which="both", alpha=0.2)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5)))
            axis.set_major_formatter(StrMethodFormatter("{x:,g}"))
            axis.set_minor_formatter(NullFormatter())
        if names[0] in ("depth", "batch") and points[names[0]]:
            ticks = [size for size, _ in points[names[0]]]
            axes.set_xticks(ticks, [f"{size:,}" for size in ticks])
        axes.legend(frameon=False)
    figure.suptitle("Cost of étude against the size of the work (dotted: in proportion)")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
