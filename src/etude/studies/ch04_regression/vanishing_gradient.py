"""In a deep sigmoid network the gradient fades on its way to the first layers, which hardly learn; with ReLU it does not."""

import itertools
from typing import Literal

from etude.core.plotting import COLOURS, headline, label, note
from etude.core.text import Text
from etude.study import BaseKnobs, Row, all_of, knob, paired_difference, paired_ratio

TITLE = Text(en="The vanishing gradient", zh="梯度消失")
CLAIM = Text(
    en="In a sigmoid network of seven hidden layers the first layer's gradient is far smaller than the last's, and the network "
    "does not learn; with ReLU the gradient arrives and it learns.",
    zh="在有七个隐藏层的 sigmoid 网络中，第一层的梯度远小于最后一层，网络学不动；换成 ReLU，梯度能够传到，网络也学得会。",
)
SOURCE = "notes 4.2; Hochreiter 1991; Glorot & Bengio 2010, section 3"
PREDICTED = "holds"
QUICK = {"steps": 20, "width": 16}
BUDGET_S = 30
DATA = ("digits",)

ACTIVATIONS = ("sigmoid", "tanh", "relu")


class Knobs(BaseKnobs):
    depth: int = knob(
        7, ge=2, le=30, unit=Text(en="layers", zh="层"), about=Text(en="hidden layers", zh="隐藏层数")
    )
    width: int = knob(
        64,
        ge=4,
        le=512,
        unit=Text(en="units", zh="个单元"),
        about=Text(en="units in each hidden layer", zh="每个隐藏层的单元数"),
    )
    initialisation: Literal["fitting", "pytorch"] = knob(
        "fitting",
        about=Text(
            en="fitting: Xavier for sigmoid and tanh, He for ReLU; pytorch: nn.Linear's own",
            zh="fitting：sigmoid 与 tanh 用 Xavier，ReLU 用 He；pytorch：nn.Linear 的默认值",
        ),
    )
    steps: int = knob(
        300,
        ge=1,
        le=5000,
        unit=Text(en="steps", zh="步"),
        about=Text(en="steps of training after the gradients are looked at", zh="查看梯度之后训练的步数"),
    )
    learning_rate: float = knob(
        0.05, ge=1e-4, le=1, about=Text(en="of SGD with momentum 0.9", zh="SGD（动量 0.9）的学习率")
    )


def measure(knobs, seeds):
    import torch
    from sklearn.datasets import load_digits

    digits = load_digits()
    pictures, labels = torch.from_numpy(digits.data).float() / 8 - 1, torch.from_numpy(digits.target).long()
    for seed in seeds:
        order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
        train, test = order[:1400], order[1400:]
        for activation in ACTIVATIONS:
            net = _network(knobs, activation, seed)
            norms, changes = _train(net, pictures[train], labels[train], knobs, seed)
            for layer, (norm, change) in enumerate(zip(norms, changes), start=1):
                yield Row(
                    kind="layer",
                    seed=seed,
                    activation=activation,
                    layer=layer,
                    gradient_norm=norm,
                    change=change,
                )
            with torch.no_grad():
                accuracy = (net(pictures[test]).argmax(1) == labels[test]).float().mean().item()
            yield Row(
                kind="end",
                seed=seed,
                activation=activation,
                last_over_first=norms[-1] / max(norms[0], 1e-30),
                accuracy=accuracy,
            )


def verdict(rows):
    return all_of(
        paired_ratio(
            rows, "last_over_first", by="activation", greater="sigmoid", lesser="relu", margin=10.0, where={"kind": "end"},
            what=Text(en="the last layer's gradient over the first's, sigmoid against ReLU", zh="最后一层与第一层梯度之比，sigmoid 相对于 ReLU")
        ),
        paired_difference(
            rows, "accuracy", by="activation", greater="relu", lesser="sigmoid", margin=0.2, where={"kind": "end"}, scale=100,
            unit=Text(en="points", zh="个百分点"), what=Text(en="test accuracy after training, ReLU minus sigmoid", zh="训练后的测试准确率，ReLU 减 sigmoid")
        )
    )  # fmt: skip


def _network(knobs, activation, seed):
    """Hidden layers of one activation between 64 pixels and 10 classes."""
    import torch
    from torch import nn

    torch.manual_seed(seed)
    made = {"sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "relu": nn.ReLU}[activation]
    sizes = [64, *[knobs.width] * knobs.depth]
    layers = []
    for inputs, outputs in itertools.pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), made()]
    net = nn.Sequential(*layers, nn.Linear(knobs.width, 10))
    if knobs.initialisation == "fitting":
        for layer in net[::2]:
            start = nn.init.kaiming_normal_ if activation == "relu" else nn.init.xavier_normal_
            start(layer.weight)
            nn.init.zeros_(layer.bias)
    return net


def _train(net, pictures, labels, knobs, seed):
    """Gradient norm by layer before training, and by how much training then moves each layer's weights."""
    import torch
    from torch.nn.functional import cross_entropy

    from etude.insight.gradients import gradient_norms, weight_changes, weight_matrices

    norms = list(gradient_norms(net, cross_entropy(net(pictures), labels)).values())
    before = {name: p.detach().clone() for name, p in weight_matrices(net).items()}
    optimizer = torch.optim.SGD(net.parameters(), lr=knobs.learning_rate, momentum=0.9)
    chance = torch.Generator().manual_seed(seed)
    for _ in range(knobs.steps):
        batch = torch.randint(len(labels), (64,), generator=chance)
        optimizer.zero_grad()
        cross_entropy(net(pictures[batch]), labels[batch]).backward()
        optimizer.step()
    return norms, list(weight_changes(before, net).values())


def figure(rows, lang):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.6), layout="constrained")
    gradient, change, accuracy = figure.subplots(1, 3, width_ratios=[1.4, 1.2, 0.9])
    layers = rows.where(kind="layer")
    _draw_layers(gradient, layers, "gradient_norm", lang)
    label(
        gradient,
        lang,
        title=Text(en="Gradient before training", zh="训练前的梯度"),
        y=Text(en="2-norm of the gradient (nats)", zh="梯度的 2-范数（奈特）"),
    )
    _draw_quarter(gradient, layers.where(activation="sigmoid"), lang)
    _draw_layers(change, layers, "change", lang)
    label(
        change,
        lang,
        title=Text(en="How far training moved the weights", zh="训练使权重移动了多少"),
        y=Text(en="change / size before", zh="变化 / 原来的大小"),
    )
    _draw_accuracy(accuracy, rows.where(kind="end"), lang)
    title = Text(
        en="Through sigmoids the gradient fades before it reaches the first layers",
        zh="经过层层 sigmoid，梯度还没传到前几层就已消失",
    )
    headline(figure, title, lang)
    return figure


_LABELS = {"sigmoid": "sigmoid", "tanh": "tanh", "relu": "ReLU"}
_SIDE = {"sigmoid": "center", "tanh": "top", "relu": "bottom"}  # the last two may lie close together


def _look(activation):
    return {"sigmoid": (COLOURS[1], "o"), "tanh": (COLOURS[5], "s"), "relu": (COLOURS[0], "^")}[activation]


def _draw_layers(axes, layers, value, lang):
    """One line for each activation: the geometric mean over seeds, in a band from the smallest to the largest."""
    import numpy as np

    for activation in layers.distinct("activation"):
        colour, marker = _look(activation)
        mine = layers.where(activation=activation)
        numbers = mine.distinct("layer")
        logs = [np.log(np.maximum(mine.where(layer=number).column(value), 1e-30)) for number in numbers]
        mean = np.exp([each.mean() for each in logs])
        axes.fill_between(
            numbers,
            np.exp([each.min() for each in logs]),
            np.exp([each.max() for each in logs]),
            color=colour,
            alpha=0.2,
            lw=0,
        )
        axes.plot(numbers, mean, marker=marker, color=colour, lw=2, ms=5)
        look = {"color": colour, "ha": "right", "va": _SIDE[activation], "fontweight": "bold"}
        note(axes, _LABELS[activation], (numbers[0], mean[0]), lang, at="data", offset=(-7, 0), **look)
    axes.set_yscale("log")
    last = max(layers.distinct("layer"), default=2)
    axes.set_xlim(1 - 0.3 * last, last + 0.3)
    axes.set_xticks([1, last] if last > 12 else range(1, last + 1))
    label(axes, lang, x=Text(en="layer (1: next to the picture)", zh="层（1：紧挨图片）"))


def _draw_quarter(axes, sigmoid, lang):
    """What a factor of 1/4 a layer does: the sigmoid is nowhere steeper."""
    import numpy as np

    numbers = np.array(sigmoid.distinct("layer"))
    if len(numbers) < 2:
        return
    last = np.exp(np.log(np.maximum(sigmoid.where(layer=numbers[-1]).column("gradient_norm"), 1e-30)).mean())
    line = last * 0.25 ** (numbers[-1] - numbers)
    axes.plot(numbers, line, color="#555555", lw=1.2, ls=":")
    middle = len(numbers) // 2
    words = Text(en="× ¼ a layer: σ′ ≤ ¼", zh="每层 × ¼：σ′ ≤ ¼")
    spot = (numbers[middle], line[middle])
    note(axes, words, spot, lang, at="data", offset=(-10, 8), ha="right", color="#555555")


def _draw_accuracy(axes, ends, lang):
    for place, activation in enumerate(ACTIVATIONS):
        colour, marker = _look(activation)
        values = 100 * ends.where(activation=activation).column("accuracy")
        if len(values):
            axes.plot([place] * len(values), values, marker, color=colour, alpha=0.45, ms=7, mec="none")
            axes.plot([place - 0.25, place + 0.25], [values.mean()] * 2, color=colour, lw=3)
            note(
                axes,
                f"{values.mean():.0f}",
                (place + 0.3, values.mean()),
                lang,
                at="data",
                va="center",
                color=colour,
                fontweight="bold",
            )
    axes.axhline(10, color="#777777", lw=1, ls="--")
    note(
        axes,
        Text(en="guessing", zh="随机猜测"),
        (2.6, 10),
        lang,
        at="data",
        ha="right",
        va="bottom",
        color="#555555",
    )
    axes.set_xticks(range(3), [_LABELS[a] for a in ACTIVATIONS])
    axes.set_xlim(-0.5, 2.7)
    axes.set_ylim(0, 103)
    label(
        axes,
        lang,
        title=Text(en="After the same training", zh="同样的训练之后"),
        x=Text(en="activation", zh="激活函数"),
        y=Text(en="test accuracy (%)", zh="测试准确率（%）"),
    )
