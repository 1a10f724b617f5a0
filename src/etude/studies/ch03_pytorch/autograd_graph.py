"""Autograd records every operation in a graph and walks it backwards; its gradients are those of finite differences."""

from typing import Literal

from etude.core.plotting import COLOURS, headline, label, note
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
        en="every weight's gradient is within a millionth of its finite difference",
        zh="每个权重的梯度与有限差分相差不到百万分之一",
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
    activation: Literal["tanh", "sigmoid", "relu"] = knob(
        "tanh", about=Text(en="activation of the hidden layer", zh="隐藏层的激活函数")
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

    graph = trace_graph(loss(), dict(zip(_PARAMETERS, net.parameters())) | {"x": x, "y": y})
    for number, node in enumerate(graph.nodes):
        yield Row(
            kind="node", node=number, label=node.label, sort=node.kind, shape=_shape(node.shape), column=node.column,
            row=node.row
        )  # fmt: skip
    for start, end in graph.edges:
        yield Row(kind="edge", start=start, end=end)
    gradients = list(_gradients(net, loss))
    yield from gradients
    for fact, holds in _facts(net, loss, x, gradients).items():
        yield Row(kind="fact", fact=fact, holds=bool(holds))


def verdict(rows):
    return facts(rows, names=NAMES)


def figure(rows, lang):
    from matplotlib.figure import Figure

    from etude.insight.graph_drawing import draw_graph

    figure = Figure(figsize=(11, 6.6), layout="constrained")
    axes = figure.subplot_mosaic([["graph", "graph"], ["agree", "twice"]], height_ratios=[1.55, 1])
    nodes = {row["node"]: row for row in rows.where(kind="node")}
    edges = [(row["start"], row["end"]) for row in rows.where(kind="edge")]
    draw_graph(axes["graph"], nodes, edges, lang)
    _draw_agreement(axes["agree"], rows.where(kind="gradient"), lang)
    _draw_accumulation(axes["twice"], rows.where(kind="gradient"), lang)
    title = Text(
        en="Forward, autograd records a graph; backward, it walks it from the loss to the leaves",
        zh="前向时记录计算图，反向时从损失走回叶子",
    )
    headline(figure, title, lang)
    return figure


_PARAMETERS = ("W1", "b1", "W2", "b2")


def _shape(shape):
    return "×".join(map(str, shape)) or "1"


def _gradients(net, loss):
    """Each parameter's gradient by autograd and by central differences, and after a second backward()."""
    import torch

    net.zero_grad()
    loss().backward()
    once = [p.grad.clone() for p in net.parameters()]
    loss().backward()
    for name, p, gradient in zip(_PARAMETERS, net.parameters(), once):
        flat, step = p.detach().view(-1), 1e-6
        for place in range(len(flat)):
            kept = flat[place].item()
            with torch.no_grad():
                flat[place] = kept + step
                above = loss().item()
                flat[place] = kept - step
                below = loss().item()
                flat[place] = kept
            yield Row(
                kind="gradient", parameter=name, place=place, autograd=gradient.view(-1)[place],
                difference=(above - below) / (2 * step), twice=p.grad.view(-1)[place]
            )  # fmt: skip


def _facts(net, loss, x, gradients):
    import torch

    weight = net[0].weight
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
        "finite differences": all(abs(r["autograd"] - r["difference"]) <= 1e-6 for r in gradients),
        "accumulates": all(abs(r["twice"] - 2 * r["autograd"]) <= 1e-12 * max(1.0, abs(r["autograd"])) for r in gradients),
        "zero_grad": torch.equal(gradient, again),
        "grad() returns": torch.equal(weight.grad, gradient) and torch.equal(again, gradient),
        "leaves": weight.is_leaf and weight.grad_fn is None and loss().grad_fn is not None,
        "inputs are not in it": not x.requires_grad and x.grad is None
        and [before is None for before, _ in net[0](x).grad_fn.next_functions] == [False, True, False],  # bias, input, weight
        "no_grad": unrecorded.grad_fn is None and not unrecorded.requires_grad,
        "detach": cut.grad_fn is None and cut.data_ptr() == hidden.data_ptr(),
        "freed": _raises(first.backward)
    }  # fmt: skip


def _raises(action):
    try:
        action()
    except RuntimeError:
        return True
    return False


def _draw_agreement(axes, gradients, lang):
    for name, colour, marker in zip(_PARAMETERS, (COLOURS[0], COLOURS[5], COLOURS[2], COLOURS[4]), "osD^"):
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
        axes.legend(ncols=4, loc="upper left", handletextpad=0.1, columnspacing=0.8)
        worst = max(abs(row["autograd"] - row["difference"]) for row in gradients)
        said = Text(en=f"largest difference {worst:.0e}", zh=f"最大差异 {worst:.0e}")
        note(axes, said, (0.98, 0.05), lang, ha="right")
    label(
        axes,
        lang,
        title=Text(en="Finite differences find the same gradients", zh="有限差分求得同样的梯度"),
        x=Text(en="finite difference (loss per unit of weight)", zh="有限差分（损失 / 权重单位）"),
        y=Text(en="autograd", zh="自动求导"),
    )


def _draw_accumulation(axes, gradients, lang):
    some = gradients.where(parameter="W2")[:6] or gradients[:6]
    for place, row in enumerate(some):
        axes.bar(place - 0.2, row["autograd"], 0.38, color=COLOURS[5])
        axes.bar(place + 0.2, row["twice"], 0.38, color=COLOURS[1], hatch="//", ec="white", lw=0)
    axes.axhline(0, color="#777777", lw=0.8)
    axes.use_sticky_edges = False  # room for the words also where all bars hang down
    axes.margins(y=0.28)
    axes.set_xticks(range(len(some)), [f"{row['parameter']}[{row['place']}]" for row in some], fontsize=9)
    label(
        axes,
        lang,
        title=Text(en="grad accumulates until zero_grad()", zh="grad 会一直累加，直到 zero_grad()"),
        x=Text(en="weight", zh="权重"),
        y=Text(en="grad (loss per unit)", zh="grad（损失 / 单位）"),
    )
    for text, colour, place in (
        (Text(en="after one backward()", zh="一次 backward() 之后"), COLOURS[5], 0.76),
        (Text(en="after two", zh="两次之后"), COLOURS[1], 0.98),
    ):
        note(axes, text, (place, 0.97), lang, ha="right", va="top", color=colour, fontweight="bold")
