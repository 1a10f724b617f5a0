"""view shares memory or refuses, reshape copies where it must, resize_ changes the tensor itself."""

import itertools

from etude.core.plotting import COLOURS, headline, note
from etude.core.text import Text
from etude.study import BaseKnobs, Row, facts, knob

TITLE = Text(en="view, reshape, resize_: who shares memory", zh="view、reshape 与 resize_：谁与谁共享内存")
CLAIM = Text(
    en="A tensor is a walk through memory: view only changes the steps and shares the memory, or refuses; reshape copies where "
    "steps cannot do it; resize_ changes the tensor itself.",
    zh="张量就是在内存中按步幅行走：view 只改步幅、共享内存，做不到就报错；reshape 在步幅做不到时会复制；resize_ 则改变张量自身。",
)
SOURCE = "notes 3.3; PyTorch documentation, “Tensor Views”"
PREDICTED = "holds"
QUICK = {"rows": 2, "columns": 3}
BUDGET_S = 8
SEEDS = 1

NAMES = {
    "view shares memory": Text(en="a.view shares a's memory", zh="a.view 与 a 共享内存"),
    "view keeps a": Text(en="a.view leaves a's own shape as it is", zh="a.view 不改变 a 自己的形状"),
    "view counts": Text(en="a.view refuses another number of elements", zh="元素总数不一致时 a.view 报错"),
    "transpose strides": Text(
        en=".t() shares memory and exchanges the strides", zh=".t() 共享内存，只交换步幅"
    ),
    "view refuses": Text(en="view refuses a transposed tensor", zh="view 拒绝转置后的张量"),
    "reshape shares": Text(en="reshape shares memory where strides suffice", zh="步幅足够时 reshape 共享内存"),
    "reshape copies": Text(en="reshape copies a transposed tensor", zh="reshape 会复制转置后的张量"),
    "contiguous copies": Text(
        en="contiguous() puts a transposed tensor into memory of its own",
        zh="contiguous() 把转置后的张量排进自己的内存",
    ),
    "resize in place": Text(en="resize_ changes the tensor itself", zh="resize_ 改变张量自身"),
    "resize keeps values": Text(
        en="resize_ keeps the values that were there, in memory's order", zh="resize_ 按内存顺序保留原有的值"
    ),
    "resize grows memory": Text(
        en="resize_ to more elements takes more memory", zh="resize_ 变大时占用更多内存"
    ),
    "address": Text(
        en="element [i, j] lies at offset + i·stride[0] + j·stride[1]",
        zh="元素 [i, j] 位于 offset + i·stride[0] + j·stride[1]",
    ),
}


class Knobs(BaseKnobs):
    rows: int = knob(2, ge=2, le=4, about=Text(en="rows of the matrix", zh="矩阵的行数"))
    columns: int = knob(3, ge=2, le=4, about=Text(en="columns of the matrix", zh="矩阵的列数"))


def measure(knobs, seeds):
    import torch

    rows, columns = knobs.rows, knobs.columns
    count = rows * columns
    a = torch.arange(count)
    matrix = a.view(rows, columns)
    turned = matrix.t()
    copied = turned.reshape(rows, columns)
    grown = a.clone()
    before, was = grown.clone(), grown.untyped_storage().nbytes()
    same = grown.resize_(rows + 1, columns)
    found = {
        "view shares memory": _writes_through(matrix, a),
        "view keeps a": a.shape == (count,) and matrix.shape == (rows, columns),
        "view counts": _raises(lambda: a.view(rows, columns + 1)),
        "transpose strides": _writes_through(turned, a) and turned.stride() == matrix.stride()[::-1],
        "view refuses": _raises(lambda: turned.view(count)),
        "reshape shares": _writes_through(matrix.reshape(columns, rows), a),
        "reshape copies": not _writes_through(turned.reshape(count), a),
        "contiguous copies": not _writes_through(turned.contiguous(), a)
        and turned.contiguous().stride() == (rows, 1),
        "resize in place": same is grown and grown.shape == (rows + 1, columns),
        "resize keeps values": torch.equal(grown.flatten()[:count], before),
        "resize grows memory": grown.untyped_storage().nbytes() > was,
        "address": all(map(_lies_where_strides_say, (matrix, turned, copied, grown[:rows]))),
    }
    for fact, holds in found.items():
        yield Row(kind="fact", fact=fact, holds=bool(holds))
    known = {"view": count, "transpose": count, "reshape": count, "resize": count}
    for name, tensor in (("view", matrix), ("transpose", turned), ("reshape", copied), ("resize", grown)):
        yield _drawn(name, tensor, known[name], shares=tensor.data_ptr() == a.data_ptr())


def verdict(rows):
    return facts(rows, names=NAMES)


def _writes_through(view, base):
    """Whether writing through ``view`` changes ``base``; what was there is put back."""
    kept = base.clone()
    view.add_(100)
    through = not bool((base == kept).all())
    base.copy_(kept)
    return through


def _raises(action):
    try:
        action()
    except RuntimeError:
        return True
    return False


def _places(tensor):
    """Where in its storage each element lies, by its strides alone: int64 ``[rows, columns]``."""
    import torch

    i, j = (torch.arange(size) for size in tensor.shape)
    return tensor.storage_offset() + i[:, None] * tensor.stride(0) + j * tensor.stride(1)


def _memory(tensor):
    """The storage of ``tensor`` as a flat tensor."""
    import torch

    return torch.empty(0, dtype=tensor.dtype).set_(tensor.untyped_storage())


def _lies_where_strides_say(tensor):
    return bool((_memory(tensor)[_places(tensor)] == tensor).all())


def _drawn(name, tensor, known, shares):
    """What the figure needs. Memory that nobody wrote to is shown as -1: what is in it is not ours to know."""
    memory = _memory(tensor)[: tensor.numel()].clone()
    memory[known:] = -1
    return Row(
        kind="tensor", name=name, places=_places(tensor), memory=memory, shares=shares,
        stride=str(tuple(tensor.stride())), shape=str(tuple(tensor.shape))
    )  # fmt: skip


def figure(rows, lang):
    from matplotlib.figure import Figure

    tensors = rows.where(kind="tensor")
    deepest = max((_cell_size(tensor["places"]) * len(tensor["places"]) for tensor in tensors), default=3)
    figure = Figure(figsize=(11, 0.5 + 0.33 * (deepest + 8.5)), layout="constrained")
    for axes, tensor in zip(figure.subplots(1, 4).ravel(), tensors):
        _draw_tensor(axes, tensor, -deepest - 3.2, lang)
    for axes in figure.axes:
        axes.set_axis_off()
    title = Text(
        en="Shape and strides are a way of walking through memory", zh="形状与步幅，就是在内存中行走的方式"
    )
    headline(figure, title, lang)
    return figure


_SPAN = 8.0
_CODE = {
    "view": "b = a.view({r}, {c})",
    "transpose": "b.t()",
    "reshape": "b.t().reshape({r}, {c})",
    "resize": "a.resize_({r}, {c})",
}
_SAYS = {
    "view": Text(en="same memory,\nstep by step", zh="同一块内存，\n逐格前进"),
    "transpose": Text(en="same memory,\nother steps", zh="同一块内存，\n换一种步幅"),
    "reshape": Text(
        en="no steps lead through a's memory\nin this order: it is COPIED",
        zh="没有步幅能按此顺序走过 a 的内存：\n必须复制",
    ),
    "resize": Text(
        en="the tensor itself has grown; nobody\nhas written to the new cells",
        zh="张量自身变大了；\n新的格子还没有写入任何值",
    ),
}


def _cell_size(places):
    """The side of a matrix's cells; all panels are `_SPAN` wide, whatever they hold."""
    return min(_SPAN / (places.shape[1] + 1), 1.5)


def _draw_tensor(axes, tensor, floor, lang):

    places, memory = tensor["places"], tensor["memory"]
    high, wide = places.shape
    cell, strip = _cell_size(places), _SPAN / max(len(memory), 6)
    left, largest = (_SPAN - cell * wide) / 2, max(memory.max(), 1)
    for i in range(high):
        for j in range(wide):
            _cell(
                axes,
                left + j * cell,
                -(i + 1) * cell,
                cell,
                memory[places[i, j]] / largest,
                memory[places[i, j]],
                "white",
            )
    frame = COLOURS[0] if tensor["shares"] else COLOURS[1]
    for place, value in enumerate(memory):
        _cell(axes, place * strip, floor, strip, value / largest, value, frame)
    _walk(axes, places.ravel(), strip, floor + strip)
    code = _CODE[tensor["name"]].format(r=high, c=wide)
    note(axes, code, (0, 1.5), lang, at="data", family="monospace", fontsize=11, fontweight="bold")
    words = Text(
        en=f"shape {tensor['shape']}   stride {tensor['stride']}",
        zh=f"形状 {tensor['shape']}   步幅 {tensor['stride']}",
    )
    note(axes, words, (0, 0.6), lang, at="data", color="#444444")
    memory_of = (
        Text(en="memory of a", zh="a 的内存")
        if tensor["shares"]
        else Text(en="memory of its own", zh="自己的内存")
    )
    note(axes, memory_of, (0, floor - 0.75), lang, at="data", color=frame, fontweight="bold")
    note(axes, _SAYS[tensor["name"]], (0, floor - 1.05), lang, at="data", va="top", linespacing=1.4)
    axes.set_xlim(-0.2, _SPAN + 0.4)
    axes.set_ylim(floor - 3, 2.4)
    axes.set_aspect("equal")


def _cell(axes, x, y, size, share, value, edge):
    import matplotlib
    from matplotlib.patches import Rectangle

    unknown = value < 0
    colour = "white" if unknown else matplotlib.colormaps["viridis"](0.25 + 0.7 * share)
    axes.add_patch(Rectangle((x, y), size, size, facecolor=colour, edgecolor="#999999" if unknown and edge == "white" else edge,
                             hatch="////" if unknown else None, lw=1.6))  # fmt: skip
    dark = not unknown and share < 0.45
    axes.text(x + size / 2, y + size / 2, "?" if unknown else f"{value}", ha="center", va="center", fontsize=9 if size > 0.6 else 7,
              color="white" if dark else "black")  # fmt: skip


def _walk(axes, order, strip, top):
    """Arcs from cell to cell of the memory, in the order in which the tensor is read."""
    from matplotlib.patches import FancyArrowPatch

    for start, end in itertools.pairwise(order):
        if start == end:
            continue
        hop = (end - start) * strip
        bend = -min(0.9, 0.25 + 0.8 / abs(hop)) if hop > 0 else min(0.5, 0.2 + 0.5 / abs(hop))
        axes.add_patch(
            FancyArrowPatch(
                ((start + 0.5) * strip, top + 0.06), ((end + 0.5) * strip, top + 0.06), connectionstyle=f"arc3,rad={bend}",
                arrowstyle="-|>", mutation_scale=8, lw=1, color="#333333" if hop > 0 else "#999999", shrinkA=0, shrinkB=0
            )
        )  # fmt: skip
