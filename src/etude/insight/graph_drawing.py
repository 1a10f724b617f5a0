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
    (
        Text(en="■ parameters: the leaves, where gradients end up", zh="■ 参数：叶子节点，梯度最终保存在这里"),
        COLOURS[0],
    ),
    (Text(en="→ forward: values", zh="→ 前向：数值"), _FORWARD),
    (Text(en="← backward: gradients, of the same shape", zh="← 反向：梯度，形状与数值相同"), COLOURS[1]),
    (Text(en="┄ inputs: no gradient goes back", zh="┄ 输入：没有梯度传回"), "#333333"),
)
_START = Text(en="backward()\nstarts here", zh="backward()\n从这里开始")
_BOXES: dict[str, dict[str, Any]] = {
    "leaf": {"boxstyle": "round,pad=0.45", "fc": COLOURS[0], "ec": COLOURS[0]},
    "input": {"boxstyle": "round,pad=0.45", "fc": "white", "ec": "#333333", "ls": "--"},
    "operation": {"boxstyle": "square,pad=0.5", "fc": "#F3EBDD", "ec": "#B9A888"},
}


def draw_graph(
    axes: Axes, nodes: Mapping[int, Mapping[str, Any]], edges: Sequence[tuple[int, int]], lang: Lang
) -> None:
    """Draw what `etude.insight.autograd_graph.trace_graph` found.

    Args:
        nodes: by number: ``label``, ``sort`` (``leaf``, ``input`` or ``operation``), ``shape`` as text, ``column``, ``row``.
        edges: pairs of numbers, in the direction of the forward pass; one whose node is missing is left out.
    """
    boxes = {number: _draw_node(axes, node, lang) for number, node in nodes.items()}
    for start, end in edges:
        if start in nodes and end in nodes:
            _draw_edge(axes, nodes[start], nodes[end], boxes[start], boxes[end])
    output = max((end for _, end in edges), default=None)
    if output in nodes:
        place = (nodes[output]["column"], nodes[output]["row"] - 0.42)
        note(axes, _START, place, lang, at="data", color=COLOURS[1], ha="center", va="top")
    for place, (text, colour) in zip(
        (0.0, 0.36, 0.5, 0.79) if lang == "en" else (0.0, 0.3, 0.48, 0.75), _LEGEND
    ):
        note(axes, text, (place, 1.0), lang, va="top", color=colour)
    rows = [node["row"] for node in nodes.values()] or [0]
    axes.set_xlim(-0.35, max((node["column"] for node in nodes.values()), default=0) + 0.5)
    axes.set_ylim(min(rows) - 0.4, max(rows) + 0.85)
    axes.set_axis_off()


def _draw_node(axes: Axes, node: Mapping[str, Any], lang: Lang) -> Any:
    """The box of a node, at which arrows are to end."""
    leaf = node["sort"] == "leaf"
    words = axes.text(
        node["column"], node["row"], _label(node, lang), ha="center", va="center", fontsize=9.5, zorder=3, linespacing=1.35,
        color="white" if leaf else "black", fontweight="normal" if node["sort"] == "operation" else "bold",
        bbox=_BOXES[node["sort"]]
    )  # fmt: skip
    return words.get_bbox_patch()


def _label(node: Mapping[str, Any], lang: Lang) -> str:
    if node["sort"] != "operation":
        return f"{node['label']}\n{node['shape']}"
    plain = node["label"].removesuffix("Backward0").lower()
    return word(_OPERATIONS.get(node["label"], Text(en=plain, zh=plain)), lang)


def _draw_edge(
    axes: Axes, start: Mapping[str, Any], end: Mapping[str, Any], tail_box: Any, head_box: Any
) -> None:
    """The value going on, beside it the gradient coming back; an operation's output has its shape above."""
    x, y, to_x, to_y = start["column"], start["row"], end["column"], end["row"]
    slanting = abs(to_y - y) > 0.5
    side_x, side_y = (0.05, 0.0) if slanting else (0.0, 0.07)
    both = start["sort"] != "input"
    arrow = {"arrowstyle": "-|>", "lw": 1.3, "shrinkA": 3, "shrinkB": 3}
    # drawn after the boxes (zorder), whose size is known only then
    for side, colour in ((1, _FORWARD), (-1, COLOURS[1])) if both else ((0, _FORWARD),):
        tail = (x + side * side_x, y + side * side_y)
        head = (to_x + side * side_x, to_y + side * side_y)
        ends = {"patchA": tail_box, "patchB": head_box}
        if side < 0:
            tail, head, ends = head, tail, {"patchA": head_box, "patchB": tail_box}
        axes.annotate("", head, tail, arrowprops={**arrow, **ends, "color": colour}, zorder=4)
    if start["sort"] == "operation":
        beside, ha = ((0.12, 0.06), "left") if slanting else ((0.0, 0.14), "center")
        axes.text(
            (x + to_x) / 2 + beside[0], (y + to_y) / 2 + beside[1], start["shape"],
            ha=ha, va="bottom", fontsize=9, color="#444444", zorder=5
        )  # fmt: skip
