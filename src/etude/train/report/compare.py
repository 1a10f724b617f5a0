"""Several runs in one picture."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from etude.core.plotting import COLOURS, word
from etude.core.text import Lang, Text

_DASHES = ("-", "--", ":", "-.")


def compare(runs: list[tuple[str, list[dict[str, Any]]]], lang: Lang) -> Figure:
    """Validation loss and accuracy of several runs against the epoch; training loss where nothing was held out.

    Args:
        runs: a name and the lines of ``metrics.jsonl`` for each.
        lang: of the labels.
    """
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    loss_axes, accuracy_axes = figure.subplots(1, 2)
    for number, (name, records) in enumerate(runs):
        epochs = [r for r in records if r["kind"] == "epoch"]
        look = {
            "color": COLOURS[number % len(COLOURS)],
            "linestyle": _DASHES[number % len(_DASHES)],
            "marker": "o",
            "markersize": 3,
        }
        losses = [(r["epoch"] + 1, (r.get("validation") or r["train"]).get("loss")) for r in epochs]
        accuracies = [(r["epoch"] + 1, (r.get("validation") or {}).get("accuracy")) for r in epochs]
        loss_axes.plot(*_known(losses, 1), label=name.replace("$", r"\$"), **look)
        accuracy_axes.plot(*_known(accuracies, 100), **look)
    loss_axes.set_title(word(Text(en="Loss on the validation part", zh="验证集损失"), lang))
    loss_axes.set_ylabel(word(Text(en="cross-entropy (nats)", zh="交叉熵（奈特）"), lang))
    loss_axes.set_ylim(bottom=0)
    accuracy_axes.set_title(word(Text(en="Accuracy on the validation part", zh="验证集准确率"), lang))
    accuracy_axes.set_ylabel(word(Text(en="right (%)", zh="正确（%）"), lang))
    for each in (loss_axes, accuracy_axes):
        each.set_xlabel(word(Text(en="epochs trained", zh="已训练轮数"), lang))
    figure.legend(loc="outside lower center", ncols=2, fontsize=9)
    return figure


def _known(pairs: list[tuple[int, float | None]], scale: float) -> tuple[list[int], list[float]]:
    there = [(epoch, scale * value) for epoch, value in pairs if value is not None]
    return [epoch for epoch, _ in there], [value for _, value in there]
