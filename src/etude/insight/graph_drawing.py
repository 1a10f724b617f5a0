"""A traced graph as a picture: leaves, operations, values going forward, gradients coming back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes

from etude.core.plotting import COLOURS, note, word
from etude.core.text import Lang, Text

_FORWARD = "#777777"
_OPERATIONS = {
    "AddmmBackward0": Text(en="matrix product\nplus bias", zh="矩阵乘法\n加偏置"),
    "TBackward0": Text(en="transpose", zh="转置"),
    "MseLossBackward0": Text(en="mean squared\nerror: the loss", zh="均方误差：\n损失"),
    "NllLossBackward0": Text(en="negative log\nlikelihood", zh="负对数似然"),
    "MulBackward0": Text(en="×", zh="×"),
    "AddBackward0": Text(en="+", zh="+"),
    "SumBackward0": Text(en="sum", zh="求和"),
    "MeanBackward0": Text(en="mean", zh="平均"),
}
_LEGEND = (
    (Text(en="● leaves: parameters, where gradients are kept", zh="● 叶子：参数，梯度保存在这里"), COLOURS[0]),
    (Text(en="→ forward: values, with their shape", zh="→ 前向：数值及其形状"), _FORWARD),
    (Text(en="← backward: gradients, of the same shape", zh="← 反向：梯度，形状相同"), COLOURS[1]),
)


def draw_graph(
    axes: Axes, nodes: Mapping[int, Mapping[str, Any]], edges: Sequence[tuple[int, int]], lang: Lang
) -> None:
    """Draw what `etude.insight.autograd_graph.trace_graph` found.

    Args:
        nodes: by number: ``label``, ``sort`` (``leaf`` or ``operation``), ``shape`` as text, ``column``, ``row``.
        edges: pairs of numbers, in the direction of the forward pass; one whose node is missing is left out.
    """
    labels = {number: _label(node, lang) for number, node in nodes.items()}
    for start, end in edges:
        if start in nodes and end in nodes:
            _draw_edge(axes, nodes[start], nodes[end], _room(labels[start]), _room(labels[end]))
    for number, node in nodes.items():
        leaf = node["sort"] == "leaf"
        axes.annotate(
            labels[number], (node["column"], node["row"]), ha="center", va="center", fontsize=9.5, zorder=3,
            color="white" if leaf else "black", fontweight="bold" if leaf else "normal", linespacing=1.35,
            bbox={"boxstyle": "round,pad=0.45", "fc": COLOURS[0], "ec": "none"} if leaf
            else {"boxstyle": "square,pad=0.5", "fc": "#F3EBDD", "ec": "#B9A888"}
        )  # fmt: skip
    for place, (text, colour) in enumerate(_LEGEND):
        note(axes, text, (0.0, 1.0 - 0.085 * place), lang, va="top", color=colour)
    rows = [node["row"] for node in nodes.values()] or [0]
    axes.set_xlim(-0.5, max((node["column"] for node in nodes.values()), default=0) + 0.6)
    axes.set_ylim(min(rows) - 0.45, max(rows) + 0.9)
    axes.set_axis_off()


def _label(node: Mapping[str, Any], lang: Lang) -> str:
    if node["sort"] == "leaf":
        return f"{node['label']}\n{node['shape']}"
    plain = node["label"].removesuffix("Backward0").lower()
    return word(_OPERATIONS.get(node["label"], Text(en=plain, zh=plain)), lang)


def _room(label: str) -> float:
    """How far from a node's middle an arrow ends, in points: half the width of its box, about."""
    widest = max(sum(1.0 if letter < "\u2e80" else 1.8 for letter in line) for line in label.split("\n"))
    return 8 + 2.8 * widest


def _draw_edge(
    axes: Axes, start: Mapping[str, Any], end: Mapping[str, Any], start_room: float, end_room: float
) -> None:
    """Two arrows side by side: the value going on, the gradient coming back; the value's shape above them."""
    x, y, to_x, to_y = start["column"], start["row"], end["column"], end["row"]
    slanting = abs(to_y - y) > 0.5
    aside, above = ((0.05, 0.0), 0.12) if slanting else ((0.0, 0.07), 0.16)
    # a slanting arrow meets its boxes at the top or the bottom, which is nearer
    rooms = (min(start_room, 27), min(end_room, 36)) if slanting else (start_room, end_room)
    for sign, colour, (tail_room, head_room) in ((1, _FORWARD, rooms), (-1, COLOURS[1], rooms[::-1])):
        tail = (x + sign * aside[0], y + sign * aside[1])
        head = (to_x + sign * aside[0], to_y + sign * aside[1])
        if sign < 0:
            tail, head = head, tail
        arrow = {"arrowstyle": "-|>", "color": colour, "lw": 1.3, "shrinkA": tail_room, "shrinkB": head_room}
        axes.annotate("", head, tail, arrowprops=arrow)
    axes.annotate(
        start["shape"], ((x + to_x) / 2, (y + to_y) / 2 + above),
        ha="center", va="bottom", fontsize=8.5, color="#555555", zorder=4
    )  # fmt: skip
