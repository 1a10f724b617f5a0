"""Autograd records every operation in a graph and walks it backwards; its gradients are those of finite differences."""

from etude.core.text import Text
from etude.study import BaseKnobs, Row, facts, knob

TITLE = Text(en="The graph behind backward()", zh="backward() 背后的计算图")
CLAIM = Text(
    en="Every operation on tensors that require a gradient becomes a node of a graph; backward() walks it from the loss to the "
    "leaves, adds what it finds to their grad, and finds what finite differences find.",
    zh="对需要梯度的张量所做的每个运算都成为计算图的一个节点；backward() 从损失走回叶子节点，把求得的梯度累加到 grad 上，结果与有限差分一致。",
)
SOURCE = "notes 3, autograd; Baydin et al. 2018, section 3; PyTorch documentation, “Autograd mechanics”"
PREDICTED = "holds"
QUICK = {"hidden": 3, "batch_size": 2}
BUDGET_S = 10
SEEDS = 1

NAMES = {
    "finite differences": Text(
        en="autograd's gradients equal finite differences to 6 digits",
        zh="自动求导的梯度与有限差分在 6 位有效数字内一致",
    ),
    "accumulates": Text(
        en="a second backward() adds to grad: it doubles", zh="第二次 backward() 会累加：grad 变为两倍"
    ),
    "zero_grad": Text(en="zero_grad() starts afresh", zh="zero_grad() 之后重新开始"),
    "grad() returns": Text(
        en="autograd.grad() returns the same and leaves grad alone",
        zh="autograd.grad() 返回同样的梯度，且不改动 grad",
    ),
    "leaves": Text(
        en="parameters are leaves: they have no grad_fn; the loss has one",
        zh="参数是叶子节点，没有 grad_fn；损失有 grad_fn",
    ),
    "inputs are not in it": Text(
        en="inputs that need no gradient are not in the graph", zh="不需要梯度的输入不在计算图中"
    ),
    "no_grad": Text(en="under no_grad nothing is recorded", zh="在 no_grad 之下什么都不记录"),
    "detach": Text(en="detach() cuts the graph and shares memory", zh="detach() 切断计算图，但共享内存"),
    "freed": Text(
        en="the graph is freed by backward(): going through it again raises",
        zh="backward() 之后计算图被释放：再走一遍会报错",
    ),
}


class Knobs(BaseKnobs):
    inputs: int = knob(3, ge=1, le=20, about=Text(en="numbers in one example", zh="每个样本的输入个数"))
    hidden: int = knob(4, ge=1, le=20, about=Text(en="units in the hidden layer", zh="隐藏层的单元数"))
    batch_size: int = knob(
        5,
        ge=1,
        le=64,
        unit=Text(en="examples", zh="个样本"),
        about=Text(en="examples in the batch", zh="批次中的样本数"),
    )
    activation: str = knob(
        "tanh",
        pattern="^(tanh|sigmoid|relu)$",
        about=Text(en="tanh, sigmoid or relu", zh="tanh、sigmoid 或 relu"),
    )


def measure(knobs, seeds):
    import torch

    from etude.insight.autograd_graph import trace_graph

    torch.manual_seed(0)
    layer = {"tanh": torch.nn.Tanh, "sigmoid": torch.nn.Sigmoid, "relu": torch.nn.ReLU}[knobs.activation]
    # float64: a finite difference in float32 has three digits
    net = torch.nn.Sequential(
        torch.nn.Linear(knobs.inputs, knobs.hidden), layer(), torch.nn.Linear(knobs.hidden, 1)
    ).double()
    x, y = torch.randn(knobs.batch_size, knobs.inputs).double(), torch.randn(knobs.batch_size, 1).double()

    def loss():
        return torch.nn.functional.mse_loss(net(x), y)

    graph = trace_graph(
        loss(), {"W1": net[0].weight, "b1": net[0].bias, "W2": net[2].weight, "b2": net[2].bias}
    )
    for number, node in enumerate(graph.nodes):
        shape = "" if node.shape is None else "×".join(map(str, node.shape)) or "1"
        yield Row(
            kind="node",
            node=number,
            label=node.label,
            sort=node.kind,
            shape=shape,
            column=node.column,
            row=node.row,
        )
    for start, end in graph.edges:
        yield Row(kind="edge", start=start, end=end)
    yield from _gradients(net, loss)
    for fact, holds in _facts(net, loss, x).items():
        yield Row(kind="fact", fact=fact, holds=bool(holds))


def verdict(rows):
    return facts(rows, names=NAMES)


def _gradients(net, loss):
    """Each parameter's gradient by autograd and by central differences, and after a second backward()."""
    import torch

    net.zero_grad()
    loss().backward()
    once = [p.grad.clone() for p in net.parameters()]
    loss().backward()
    for name, p, gradient in zip(("W1", "b1", "W2", "b2"), net.parameters(), once):
        flat, step = p.detach().view(-1), 1e-6
        for place in range(min(len(flat), 40)):
            kept = flat[place].item()
            with torch.no_grad():
                flat[place] = kept + step
                above = loss().item()
                flat[place] = kept - step
                below = loss().item()
                flat[place] = kept
            yield Row(
                kind="gradient", parameter=name, place=place, autograd=gradient.view(-1)[place],
                difference=(above - below) / (2 * step), twice=p.grad.view(-1)[place],
            )  # fmt: skip


def _facts(net, loss, x):
    import torch

    weight = net[0].weight
    rows = [row for row in _gradients(net, loss)]
    net.zero_grad()
    first = loss()
    first.backward()
    gradient = weight.grad.clone()
    again = torch.autograd.grad(loss(), weight)[0]
    with torch.no_grad():
        unrecorded = net(x)
    hidden = net[0](x)
    cut = hidden.detach()
    return {
        "finite differences": all(abs(r["autograd"] - r["difference"]) <= 1e-6 * max(1.0, abs(r["autograd"])) for r in rows),
        "accumulates": all(abs(r["twice"] - 2 * r["autograd"]) <= 1e-12 * max(1.0, abs(r["autograd"])) for r in rows),
        "zero_grad": torch.equal(gradient, again),
        "grad() returns": torch.equal(weight.grad, gradient) and torch.equal(again, gradient),
        "leaves": weight.is_leaf and weight.grad_fn is None and loss().grad_fn is not None,
        "inputs are not in it": not x.requires_grad and all(before is not None for before, _ in net[0](x).grad_fn.next_functions[2:])
        and net[0](x).grad_fn.next_functions[1][0] is None,
        "no_grad": unrecorded.grad_fn is None and not unrecorded.requires_grad,
        "detach": cut.grad_fn is None and cut.data_ptr() == hidden.data_ptr(),
        "freed": _raises(first.backward),
    }  # fmt: skip


def _raises(action):
    try:
        action()
    except RuntimeError:
        return True
    return False


_OPERATIONS = {
    "AddmmBackward0": Text(en="matrix product\nplus bias", zh="矩阵乘法\n加偏置"),
    "TBackward0": Text(en="transpose", zh="转置"),
    "TanhBackward0": Text(en="tanh", zh="tanh"),
    "SigmoidBackward0": Text(en="sigmoid", zh="sigmoid"),
    "ReluBackward0": Text(en="ReLU", zh="ReLU"),
    "MseLossBackward0": Text(en="mean squared\nerror: the loss", zh="均方误差：\n损失"),
}


def figure(rows, lang):
    from matplotlib.figure import Figure

    from etude.core.plotting import word

    figure = Figure(figsize=(11, 6.6), layout="constrained")
    axes = figure.subplot_mosaic([["graph", "graph"], ["agree", "twice"]], height_ratios=[1.55, 1])
    _draw_graph(axes["graph"], rows, lang)
    _draw_agreement(axes["agree"], rows.where(kind="gradient"), lang)
    _draw_accumulation(axes["twice"], rows.where(kind="gradient"), lang)
    title = Text(
        en="Forward, autograd records a graph; backward, it walks it from the loss to the leaves",
        zh="前向时记录计算图，反向时从损失走回叶子",
    )
    figure.suptitle(word(title, lang), fontsize=13, fontweight="bold", x=0.01, ha="left")
    return figure


def _draw_graph(axes, rows, lang):
    from etude.core.plotting import COLOURS, word

    nodes = {row["node"]: row for row in rows.where(kind="node")}
    for edge in rows.where(kind="edge"):
        if edge["start"] in nodes and edge["end"] in nodes:
            _draw_edge(axes, nodes[edge["start"]], nodes[edge["end"]])
    for node in nodes.values():
        leaf = node["sort"] == "leaf"
        label = (
            node["label"]
            if leaf
            else word(_OPERATIONS.get(node["label"], Text(en=node["label"], zh=node["label"])), lang)
        )
        place = (node["column"], node["row"])
        axes.annotate(
            f"{label}\n{node['shape']}" if leaf else label, place, ha="center", va="center", fontsize=9.5, zorder=3,
            color="white" if leaf else "black", fontweight="bold" if leaf else "normal", linespacing=1.35,
            bbox={"boxstyle": "round,pad=0.45" if leaf else "square,pad=0.5", "fc": COLOURS[0] if leaf else "#F3EBDD", "ec": "none" if leaf else "#B9A888"},
        )  # fmt: skip
    columns = [node["column"] for node in nodes.values()] or [0]
    words = (
        (
            Text(en="● leaves: parameters, where gradients are kept", zh="● 叶子：参数，梯度保存在这里"),
            COLOURS[0],
        ),
        (Text(en="→ forward: values, with their shape", zh="→ 前向：数值及其形状"), "#777777"),
        (Text(en="← backward: gradients, of the same shape", zh="← 反向：梯度，形状相同"), COLOURS[1]),
    )
    for place, (text, colour) in enumerate(words):
        axes.annotate(
            word(text, lang),
            (0.0, 1.0 - 0.085 * place),
            xycoords="axes fraction",
            va="top",
            color=colour,
            fontsize=9.5,
        )
    axes.set_xlim(-0.5, max(columns) + 0.6)
    axes.set_ylim(-1.45, 1.9)
    axes.set_axis_off()


def _draw_edge(axes, start, end):
    """Two arrows side by side: the value going on, the gradient coming back; the value's shape between them."""
    from etude.core.plotting import COLOURS

    x, y, to_x, to_y = start["column"], start["row"], end["column"], end["row"]
    slope = abs(to_y - y) > 0.5  # a slanting arrow passes boxes at their corner
    aside = (0.05, 0.0) if slope else (0.0, 0.07)
    for sign, colour, back in ((1, "#777777", False), (-1, COLOURS[1], True)):
        a = (x + sign * aside[0], y + sign * aside[1])
        b = (to_x + sign * aside[0], to_y + sign * aside[1])
        axes.annotate(
            "",
            a if back else b,
            b if back else a,
            arrowprops={
                "arrowstyle": "-|>",
                "color": colour,
                "lw": 1.3,
                "shrinkA": _room(end if back else start),
                "shrinkB": _room(start if back else end),
            },
        )
    axes.annotate(
        start["shape"],
        ((x + to_x) / 2, (y + to_y) / 2 + (0.16 if not slope else 0.12)),
        ha="center",
        va="bottom",
        fontsize=8.5,
        color="#555555",
        zorder=4,
    )


def _room(node):
    """How far from a node's middle an arrow begins, in points: its box."""
    return (
        17
        if node["sort"] == "leaf"
        else {"AddmmBackward0": 47, "MseLossBackward0": 45, "TBackward0": 33}.get(node["label"], 22)
    )


def _draw_agreement(axes, gradients, lang):
    from etude.core.plotting import COLOURS, word

    for name, colour, marker in zip(
        ("W1", "b1", "W2", "b2"), (COLOURS[0], COLOURS[5], COLOURS[2], COLOURS[4]), "osD^"
    ):
        mine = gradients.where(parameter=name)
        axes.plot(
            mine.column("difference"),
            mine.column("autograd"),
            marker,
            color=colour,
            ms=5.5,
            mec="white",
            mew=0.5,
            label=name,
        )
    axes.axline((0, 0), slope=1, color="#999999", lw=1, zorder=0)
    if gradients:
        axes.legend(ncols=4, fontsize=9, loc="upper left", handletextpad=0.1, columnspacing=0.8)
        worst = max(abs(row["autograd"] - row["difference"]) for row in gradients)
        said = Text(en=f"largest difference {worst:.0e}", zh=f"最大差异 {worst:.0e}")
        axes.annotate(word(said, lang), (0.98, 0.05), xycoords="axes fraction", ha="right", fontsize=9)
    axes.set_title(word(Text(en="The same slopes, two ways", zh="两种方法，同样的斜率"), lang))
    axes.set_xlabel(
        word(Text(en="finite difference (loss per unit of weight)", zh="有限差分（损失 / 权重单位）"), lang)
    )
    axes.set_ylabel(word(Text(en="autograd", zh="自动求导"), lang))


def _draw_accumulation(axes, gradients, lang):
    from etude.core.plotting import COLOURS, word

    some = gradients.where(parameter="W2")[:6] or gradients[:6]
    for place, row in enumerate(some):
        axes.bar(place - 0.2, row["autograd"], 0.38, color=COLOURS[5])
        axes.bar(place + 0.2, row["twice"], 0.38, color=COLOURS[1])
    axes.axhline(0, color="#777777", lw=0.8)
    axes.margins(y=0.28)
    axes.set_xticks(range(len(some)), [f"{row['parameter']}[{row['place']}]" for row in some], fontsize=9)
    axes.set_title(
        word(Text(en="grad accumulates until zero_grad()", zh="grad 会一直累加，直到 zero_grad()"), lang)
    )
    axes.set_xlabel(word(Text(en="weight", zh="权重"), lang))
    axes.set_ylabel(word(Text(en="grad (loss per unit)", zh="grad（损失 / 单位）"), lang))
    for text, colour, place in (
        (Text(en="after one backward()", zh="一次 backward() 之后"), COLOURS[5], 0.95),
        (Text(en="after two", zh="两次之后"), COLOURS[1], 0.85),
    ):
        axes.annotate(
            word(text, lang),
            (0.98, place),
            xycoords="axes fraction",
            ha="right",
            va="top",
            color=colour,
            fontsize=9.5,
            fontweight="bold",
        )
