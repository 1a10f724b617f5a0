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
        en=".t() shares memory, exchanges the strides and is not contiguous",
        zh=".t() 共享内存，只交换步幅，结果不连续",
    ),
    "view refuses": Text(en="view refuses a transposed tensor", zh="view 拒绝转置后的张量"),
    "reshape shares": Text(en="reshape shares memory where strides suffice", zh="步幅足够时 reshape 共享内存"),
    "reshape copies": Text(en="reshape copies a transposed tensor", zh="reshape 会复制转置后的张量"),
    "reshape keeps a": Text(en="a.reshape leaves a's own shape as it is", zh="a.reshape 不改变 a 自己的形状"),
    "contiguous copies": Text(
        en="contiguous() puts a transposed tensor into memory of its own",
        zh="contiguous() 把转置后的张量排进自己的内存",
    ),
    "resize in place": Text(en="resize_ changes the tensor itself", zh="resize_ 改变张量自身"),
    "resize keeps values": Text(
        en="resize_ keeps the values that were there, in memory's order", zh="resize_ 按内存顺序保留原有的值"
    ),
    "resize shrinks": Text(
        en="resize_ to fewer elements neither frees nor moves the memory",
        zh="resize_ 变小时既不释放也不搬动内存",
    ),
    "resize grows memory": Text(
        en="resize_ to more elements takes more memory", zh="resize_ 变大时占用更多内存"
    ),
    "views follow": Text(
        en="a view made before resize_ shares the grown memory too",
        zh="resize_ 之前得到的视图也共享变大后的内存",
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
    copied = turned.reshape(count)
    found = {
        "view shares memory": _writes_through(matrix, a),
        "view keeps a": a.shape == (count,) and matrix.shape == (rows, columns),
        "view counts": _raises(lambda: a.view(rows, columns + 1)),
        "transpose strides": _writes_through(turned, a)
        and turned.stride() == matrix.stride()[::-1]
        and not turned.is_contiguous(),
        "view refuses": _raises(lambda: turned.view(count)),
        "reshape shares": _writes_through(matrix.reshape(columns, rows), a),
        "reshape copies": not _writes_through(copied, a),
        "reshape keeps a": a.reshape(rows, columns).shape == (rows, columns) and a.shape == (count,),
        "contiguous copies": not _writes_through(turned.contiguous(), a)
        and turned.contiguous().stride() == (rows, 1),
    }
    grown, resizing = _resized(a, rows, columns)
    found |= resizing
    found["address"] = all(map(_lies_where_strides_say, (matrix, turned, copied, grown[:rows])))
    for fact, holds in found.items():
        yield Row(kind="fact", fact=fact, holds=bool(holds))
    for name, tensor in (("view", matrix), ("transpose", turned), ("reshape", copied)):
        yield _drawn(name, tensor, count, shares=tensor.data_ptr() == a.data_ptr())
    yield _drawn("resize", grown, count, shares=found["views follow"])


def verdict(rows):
    return facts(rows, names=NAMES)


def figure(rows, lang):
    from matplotlib.figure import Figure

    tensors = rows.where(kind="tensor")
    deepest = max((_cell_size(grid) * len(grid) for grid in map(_grid, tensors)), default=3)
    longest = max((len(tensor["memory"]) for tensor in tensors), default=6)
    figure = Figure(figsize=(11, 0.5 + 0.31 * (deepest + _ABOVE + _ARCS + _BELOW)), layout="constrained")
    for axes, tensor in zip(figure.subplots(1, 4).ravel(), tensors):
        _draw_tensor(axes, tensor, -deepest - _ARCS, _SPAN / longest, lang)
    for axes in figure.axes:
        axes.set_axis_off()
    title = Text(
        en="view and t() walk the same memory; reshape copies where no steps will do; resize_ grows it",
        zh="view 与 t() 走的是同一块内存；步幅走不通时 reshape 只好复制；resize_ 让内存本身变大",
    )
    headline(figure, title, lang)
    return figure


def _resized(a, rows, columns):
    """A copy of ``a`` made smaller and then larger by ``resize_``, and what was seen at it."""
    import torch

    grown = a.clone()
    earlier = grown.view(rows, columns)
    place, size = grown.data_ptr(), grown.untyped_storage().nbytes()
    grown.resize_(1, columns)
    kept = grown.data_ptr() == place and grown.untyped_storage().nbytes() == size
    same = grown.resize_(rows + 1, columns)
    return grown, {
        "resize in place": same is grown and grown.shape == (rows + 1, columns),
        "resize keeps values": torch.equal(grown.flatten()[: len(a)], a),
        "resize shrinks": kept,
        "resize grows memory": grown.untyped_storage().nbytes() > size,
        "views follow": earlier.data_ptr() == grown.data_ptr() and _writes_through(earlier[0], grown[0]),
    }


def _writes_through(view, base):
    """Whether writing through ``view`` changes ``base``; both are afterwards as they were."""
    before = base.clone()
    view.add_(100)
    through = not bool((base == before).all())
    view.sub_(100)
    return through


def _raises(action):
    try:
        action()
    except RuntimeError:
        return True
    return False


def _places(tensor):
    """Where in its storage each element lies, by its strides alone: int64, of its shape."""
    import torch

    steps = [torch.arange(size) * stride for size, stride in zip(tensor.shape, tensor.stride())]
    return tensor.storage_offset() + sum(torch.meshgrid(*steps, indexing="ij"))


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


_SPAN, _ABOVE, _ARCS, _BELOW = 8.0, 2.2, 3.5, 4.6  # in the units of a panel: its width, and three heights
_CODE = {
    "view": "b = a.view({r}, {c})",
    "transpose": "b.t()",
    "reshape": "b.t().reshape({c})",
    "resize": "a.resize_({r}, {c})",
}
_SAYS = {
    "view": Text(
        en="next column: {column} on\nnext row: {row} on", zh="下一列：前进 {column} 格\n下一行：前进 {row} 格"
    ),
    "transpose": Text(
        en="next column: {column} on\nnext row: {row} on\n.view({count}) is refused",
        zh="下一列：前进 {column} 格\n下一行：前进 {row} 格\n.view({count}) 会报错",
    ),
    "reshape": Text(
        en="no stride reads {order}\nin a's memory: it is COPIED",
        zh="任何步幅都无法在 a 的内存中\n依次读出 {order}，必须复制",
    ),
    "resize": Text(
        en="a itself has grown, b shares it still;\nhatched: nobody has written there yet",
        zh="a 自身变大了，b 仍与它共享内存；\n斜线格：还没有写入任何值",
    ),
}
_MEMORY = {
    True: Text(en="memory of a", zh="a 的内存"),
    False: Text(en="memory of its own", zh="自己的内存"),
}


def _grid(tensor):
    """The places of a tensor's elements as rows and columns; a vector is one row."""
    places = tensor["places"]
    return places.reshape(-1, places.shape[-1])


def _cell_size(grid):
    """The side of a matrix's cells; all panels are `_SPAN` wide, whatever they hold."""
    return min(_SPAN / (grid.shape[1] + 1), 1.5)


def _draw_tensor(axes, tensor, floor, strip, lang):
    """One panel: the code, the matrix, its walk through the strip of memory, and what to see in it."""
    places, memory = _grid(tensor), tensor["memory"]
    high, wide = places.shape
    cell = _cell_size(places)
    largest = max(memory.max(), 1)
    for i in range(high):
        for j in range(wide):
            value = memory[places[i, j]]
            _cell(axes, j * cell, -(i + 1) * cell, cell, value / largest, value, "white")
    frame = COLOURS[0] if tensor["shares"] else COLOURS[1]
    for place, value in enumerate(memory):
        _cell(axes, place * strip, floor, strip, value / largest, value, frame)
    _walk(axes, places.ravel(), strip, floor)
    code = _CODE[tensor["name"]].format(r=high, c=wide)
    note(axes, code, (0, 1.5), lang, at="data", family="monospace", fontsize=11, fontweight="bold")
    words = Text(
        en=f"shape {tensor['shape']}   stride {tensor['stride']}",
        zh=f"形状 {tensor['shape']}   步幅 {tensor['stride']}",
    )
    note(axes, words, (0, 0.6), lang, at="data", color="#444444")
    memory_of = _MEMORY[tensor["shares"]]
    note(axes, memory_of, (0, floor - 1.9), lang, at="data", color=frame, fontweight="bold")
    note(axes, _said(tensor), (0, floor - 2.2), lang, at="data", va="top", linespacing=1.4)
    axes.set_xlim(-0.2, _SPAN + 0.4)
    axes.set_ylim(floor - _BELOW, _ABOVE)
    axes.set_aspect("equal")


def _said(tensor):
    """What to see in a panel, with its numbers."""
    grid = _grid(tensor)
    row, column = grid[-1, 0] // max(len(grid) - 1, 1), grid[0, 1]  # all of them begin at place 0
    order, more = ", ".join(map(str, tensor["memory"][:4])), grid.size > 4

    def cells(count):
        return Text(en=f"{count} cell{'s' if count > 1 else ''}", zh=str(count))

    return _SAYS[tensor["name"]].format(
        row=cells(row),
        column=cells(column),
        count=grid.size,
        order=Text(en=order + " …" * more, zh=order.replace(", ", "、") + "……" * more),
    )


def _cell(axes, x, y, size, share, value, edge):
    import matplotlib
    from matplotlib.patches import Rectangle

    unknown = value < 0
    colour = "white" if unknown else matplotlib.colormaps["viridis"](0.25 + 0.7 * share)
    line = "#999999" if unknown and edge == "white" else edge
    axes.add_patch(Rectangle((x, y), size, size, fc=colour, ec=line, hatch="////" if unknown else None, lw=1.6))
    axes.text(
        x + size / 2, y + size / 2, "?" if unknown else f"{value}", ha="center", va="center",
        fontsize=9 if size > 0.6 else 7 if size > 0.5 else 5.5, color="white" if not unknown and share < 0.45 else "black",
        bbox={"boxstyle": "circle,pad=0.1", "fc": "white", "ec": "none"} if unknown else None
    )  # fmt: skip


def _walk(axes, order, strip, floor):
    """Arcs in the order in which the tensor is read: forward above the strip, back below it; each length named once."""
    from matplotlib.patches import FancyArrowPatch

    named = set()
    for start, end in itertools.pairwise(order):
        hop = int(end - start)
        length, side = abs(hop) * strip, 1 if hop > 0 else -1
        y, height = (floor + strip + 0.08, 0.55 + 0.15 * length) if hop > 0 else (floor - 0.08, 0.5)
        colour = "#333333" if hop > 0 else COLOURS[1]
        bend = -2 * height / length  # the arc's top is half as far out as the point that bends it
        arc = FancyArrowPatch(
            ((start + 0.5) * strip, y), ((end + 0.5) * strip, y), connectionstyle=f"arc3,rad={bend}",
            arrowstyle="-|>", mutation_scale=8, lw=1, color=colour, shrinkA=0, shrinkB=0
        )  # fmt: skip
        axes.add_patch(arc)
        if hop not in named:
            named.add(hop)
            axes.text(
                (start + end + 1) / 2 * strip, y + side * (height + 0.12), f"{hop:+d}".replace("-", "−"), color=colour,
                ha="center", va="bottom" if hop > 0 else "top", fontsize=9, fontweight="bold"
            )  # fmt: skip
