"""Dropout against its twin: trained on few pictures, the network with dropout overfits less."""

from etude.core.plotting import COLOURS, headline, label, note, word
from etude.core.text import Text
from etude.study import BaseKnobs, Row, all_of, knob, paired_difference, paired_ratio

TITLE = Text(en="Dropout", zh="随机失活（dropout）")
CLAIM = Text(
    en="Trained on few pictures, a network with dropout overfits less than its twin without: training and test accuracy lie "
    "closer together, the loss on test pictures is lower, and test accuracy does not suffer.",
    zh="在少量图片上训练时，使用随机失活的网络比不使用的孪生网络过拟合更轻：训练准确率与测试准确率更接近，测试图片上的损失更低，测试准确率也不受损。",
)
SOURCE = "notes 5.5; Srivastava et al. 2014, sections 6.1 and 7.2"
PREDICTED = "holds"
QUICK = {"pictures": 300, "epochs": 4, "width": 64}
BUDGET_S = 50
DATA = ("fashion-mnist",)

TEST_PICTURES = 3000  # drawn anew for each seed, so that the interval holds for other test pictures too
UNITS = 32  # drawn in the figure
POINTS = Text(en="points", zh="个百分点")


class Knobs(BaseKnobs):
    rate: float = knob(
        0.5,
        ge=0.05,
        le=0.9,
        about=Text(en="share of hidden units dropped at each step", zh="每一步随机失活的隐藏单元比例"),
    )
    pictures: int = knob(
        2000,
        ge=100,
        le=20000,
        unit=Text(en="pictures", zh="张"),
        about=Text(en="size of the training part", zh="训练图片数"),
    )
    width: int = knob(
        256,
        ge=8,
        le=1024,
        unit=Text(en="units", zh="个单元"),
        about=Text(en="units in each of the two hidden layers", zh="两个隐藏层各自的单元数"),
    )
    epochs: int = knob(
        30,
        ge=1,
        le=100,
        unit=Text(en="epochs", zh="轮"),
        about=Text(en="passes over the training part", zh="遍历训练集的次数"),
    )
    learning_rate: float = knob(
        2e-3,
        ge=1e-5,
        le=0.05,
        about=Text(en="of Adam at the start; it falls to zero", zh="Adam 的初始学习率，逐渐降到零"),
    )


def measure(knobs, seeds):
    from etude.data.catalog import load_data

    data = load_data("fashion-mnist")
    train, test = _tensors(data.train, data), _tensors(data.test, data)
    for seed in seeds:
        for dropout, rate in (("without", 0.0), ("with", knobs.rate)):
            net = _network(seed, rate, knobs)
            for row in _train(net, seed, train, test, knobs):
                yield Row(kind="epoch", seed=seed, dropout=dropout, **row)
            gap = row["train_accuracy"] - row["test_accuracy"]
            yield Row(kind="end", seed=seed, dropout=dropout, gap=gap, **row)
        yield Row(kind="units", seed=seed, rate=knobs.rate, **_units(net, test[0][:1]))


def verdict(rows):
    end = {"kind": "end"}
    return all_of(
        paired_difference(
            rows, "gap", by="dropout", greater="without", lesser="with", margin=0.01, where=end, scale=100, unit=POINTS,
            what=Text(en="the gap between training and test accuracy is smaller with dropout by", zh="使用随机失活后，训练与测试准确率之差缩小")
        ),
        paired_ratio(
            rows, "test_loss", by="dropout", greater="without", lesser="with", margin=1.05, where=end,
            what=Text(en="test loss without dropout over that with it", zh="不使用与使用随机失活的测试损失之比")
        ),
        paired_difference(
            rows, "test_accuracy", by="dropout", greater="with", lesser="without", margin=-0.005, where=end, scale=100, unit=POINTS,
            what=Text(en="test accuracy with dropout minus without", zh="使用减不使用随机失活的测试准确率")
        )
    )  # fmt: skip


def figure(rows, lang):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 6.9), layout="constrained")
    axes = figure.subplot_mosaic(
        [["without", "with", "loss"], ["units", "units", "changes"]], height_ratios=[1, 0.85]
    )
    epochs, ends = rows.where(kind="epoch"), rows.where(kind="end")
    low = min((row["test_accuracy"] for row in epochs if row["epoch"] > 1), default=0.5)
    for dropout in ("without", "with"):
        _draw_course(axes[dropout], epochs.where(dropout=dropout), dropout, lang)
        axes[dropout].set_ylim(100 * low - 3, 105)
        axes[dropout].set_yticks(
            [tick for tick in range(0, 101, 5 if low > 0.5 else 20) if tick > 100 * low - 3]
        )
    _draw_losses(axes["loss"], epochs, lang)
    _draw_units(axes["units"], rows.where(kind="units")[:1], lang)
    _draw_changes(axes["changes"], ends, lang)
    title = Text(
        en="Dropout closes part of the gap between training and test, mostly by learning less by heart",
        zh="随机失活缩小了训练与测试之间的差距，主要是因为死记硬背少了",
    )
    headline(figure, title, lang)
    return figure


def _draw_course(axes, epochs, dropout, lang):
    """Training and test accuracy against the epoch, the gap shaded."""
    title = {
        "without": Text(en="Without dropout", zh="不用随机失活"),
        "with": Text(en="With dropout", zh="使用随机失活"),
    }[dropout]
    label(axes, lang, title=title, x=Text(en="epochs", zh="轮数"), y=Text(en="accuracy (%)", zh="准确率（%）"))
    numbers, train = _draw_mean(axes, epochs, "train_accuracy", COLOURS[1], "--", 100)
    numbers, test = _draw_mean(axes, epochs, "test_accuracy", COLOURS[0], "-", 100)
    if not numbers:
        return
    axes.fill_between(numbers, train, test, color="#888888", alpha=0.15, lw=0)
    last = numbers[-1]
    for name, height, colour, va, up in (
        (Text(en="training", zh="训练"), train[-1], COLOURS[1], "bottom", 8),
        (Text(en="test", zh="测试"), test[-1], COLOURS[0], "top", -9),
    ):
        words = Text(en=f"{name.en} {height:.1f}", zh=f"{name.zh} {height:.1f}")
        note(axes, words, (last, height), lang, at="data", offset=(0, up), color=colour, ha="right", va=va, fontweight="bold", fontsize=10.5)  # fmt: skip
    axes.annotate("", (last, train[-1]), (last, test[-1]), arrowprops={"arrowstyle": "<->", "color": "#444444"})
    gap = Text(en=f"gap: {train[-1] - test[-1]:.1f} points", zh=f"差距：{train[-1] - test[-1]:.1f} 个百分点")
    note(axes, gap, (last, 0.4 * train[-1] + 0.6 * test[-1]), lang, at="data", offset=(-7, 0), ha="right", va="center", fontsize=11, color="#333333")  # fmt: skip


def _draw_losses(axes, epochs, lang):
    title = Text(en="Test loss stays low with dropout", zh="使用随机失活，测试损失不再回升")
    label(axes, lang, title=title, x=Text(en="epochs", zh="轮数"), y=Text(en="cross-entropy (nats)", zh="交叉熵（奈特）"))  # fmt: skip
    for dropout, words, colour, dash in (
        ("without", Text(en="without", zh="不用"), "#000000", "--"), ("with", Text(en="with", zh="使用"), COLOURS[2], "-")
    ):  # fmt: skip
        numbers, means = _draw_mean(axes, epochs.where(dropout=dropout), "test_loss", colour, dash, 1)
        if numbers:
            said = Text(en=f"{words.en} {means[-1]:.2f}", zh=f"{words.zh} {means[-1]:.2f}")
            note(axes, said, (numbers[-1], means[-1]), lang, at="data", offset=(0, 14 if dropout == "without" else -14), ha="right",
                 va="bottom" if dropout == "without" else "top", color=colour, fontweight="bold", fontsize=10.5)  # fmt: skip
    axes.margins(y=0.15)


def _draw_mean(axes, epochs, value, colour, dash, scale):
    """Thin lines for the seeds, a thick one for their mean; gives the mean's points."""
    numbers = epochs.distinct("epoch")
    means = [scale * epochs.where(epoch=number).column(value).mean() for number in numbers]
    for seed in epochs.distinct("seed"):
        mine = epochs.where(seed=seed)
        axes.plot(mine.column("epoch"), scale * mine.column(value), color=colour, lw=0.6, alpha=0.35)
    axes.plot(numbers, means, color=colour, lw=2.5, ls=dash)
    return numbers, means


def _draw_units(axes, rows, lang):
    """The first hidden layer for one picture: a square a unit, as dark as its output, a cross where it was dropped."""
    import numpy as np

    axes.grid(False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    names = [Text(en="in use", zh="使用时"), *(Text(en=f"step {n}", zh=f"第 {n} 步") for n in (1, 2, 3))]
    for row in rows:
        picture = np.vstack([row["in_use"], row["in_training"]])
        high = max(float(picture.max()), 1e-6)
        for height, line in zip((0, 1.35, 2.35, 3.35), picture):
            extent = (-0.5, len(line) - 0.5, height + 0.45, height - 0.45)
            axes.imshow(line[None], extent=extent, cmap="Blues", vmin=0, vmax=high, aspect="auto")
        for step, line in enumerate(row["in_training"]):
            dropped = np.flatnonzero((line == 0) & (row["in_use"] > 0))
            axes.plot(dropped, np.full(len(dropped), 1.35 + step), "x", color=COLOURS[1], ms=6, mew=1.5)
        kept = 1 / (1 - row["rate"])
        words = Text(en=f"✕ dropped, drawn afresh at each training step; the rest count ×{kept:.3g} to keep the mean",
                     zh=f"✕ 被丢弃，训练的每一步重新抽取；其余单元乘以 {kept:.3g}，使平均值不变")  # fmt: skip
        note(axes, words, (0, -0.06), lang, va="top", color=COLOURS[1])
        axes.set_xlim(-0.5, picture.shape[1] - 0.5)
    axes.set_ylim(3.85, -0.5)
    axes.set_yticks((0, 1.35, 2.35, 3.35), [word(name, lang) for name in names])
    axes.set_xticks([])
    label(axes, lang, title=Text(en="What it does: hidden units for one picture, darker = stronger", zh="它做了什么：一张图片的隐藏单元，颜色越深输出越大"))  # fmt: skip


def _draw_changes(axes, ends, lang):
    """What dropout changes, seed by seed, with the mean and its 99 % interval."""
    import numpy as np

    from etude.study import paired_difference

    changes = (
        ("gap", Text(en="gap", zh="差距"), "#555555", "o"),
        ("train_accuracy", Text(en="training\naccuracy", zh="训练\n准确率"), COLOURS[1], "s"),
        ("test_accuracy", Text(en="test\naccuracy", zh="测试\n准确率"), COLOURS[0], "D"),
    )
    pairs = [
        [ends.where(seed=seed, dropout=dropout) for dropout in ("without", "with")]
        for seed in ends.distinct("seed")
    ]
    for place, (value, name, colour, mark) in enumerate(changes):
        points = np.array([100 * (b[0][value] - a[0][value]) for a, b in pairs if a and b])
        if not len(points):
            continue
        axes.plot(
            place + np.linspace(-0.18, 0.18, len(points)),
            points,
            mark,
            color=colour,
            alpha=0.5,
            ms=5,
            mec="none",
        )
        (found,) = paired_difference(
            ends, value, by="dropout", greater="with", lesser="without", margin=0, what=name
        ).contrasts
        axes.plot(
            [place] * 2, [100 * found.low, 100 * found.high], color="black", lw=2.5, solid_capstyle="butt"
        )
        axes.plot([place - 0.16, place + 0.16], [100 * found.estimate] * 2, color="black", lw=2.5)
        note(axes, f"{100 * found.estimate:+.1f}", (place + 0.22, 100 * found.estimate), lang, at="data", va="center",
             fontweight="bold", color=colour)  # fmt: skip
    axes.axhline(0, color="#777777", lw=1)
    axes.set_xticks(range(3), [word(name, lang) for _, name, _, _ in changes])
    axes.set_xlim(-0.5, 2.8)
    label(axes, lang, title=Text(en="What it changes", zh="它改变了什么"),
          x=Text(en="marks: seeds, ┃: 99% interval", zh="标记：各种子，┃：99% 区间"),
          y=Text(en="with − without (points)", zh="使用减不使用（百分点）"))  # fmt: skip


def _network(seed, rate, knobs):
    """Twins begin with the same weights; the seed also sets which units are dropped later."""
    import torch

    from etude.models.mlp import MLP

    torch.manual_seed(seed)
    return MLP((1, 28, 28), 10, widths=(knobs.width, knobs.width), dropout=rate)


def _train(net, seed, train, test, knobs):
    """How well the network does after some of the epochs, and the last; twins see the same pictures in the same order."""
    import torch
    from torch.nn.functional import cross_entropy

    chance = torch.Generator().manual_seed(seed)
    pictures, labels = _some(train, knobs.pictures, chance)
    test_pictures, test_labels = _some(test, TEST_PICTURES, chance)
    optimizer = torch.optim.Adam(net.parameters(), lr=knobs.learning_rate)
    batches = -(-knobs.pictures // 100)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, knobs.epochs * batches)
    for epoch in range(1, knobs.epochs + 1):
        net.train()
        for batch in torch.randperm(len(labels), generator=chance).split(100):
            optimizer.zero_grad()
            cross_entropy(net(pictures[batch]), labels[batch]).backward()
            optimizer.step()
            schedule.step()
        if epoch > 6 and epoch % 3 and epoch < knobs.epochs:
            continue  # looking costs almost as much as training
        net.eval()
        with torch.no_grad():
            on_train, on_test = net(pictures), net(test_pictures)
        yield {
            "epoch": epoch,
            "train_accuracy": _accuracy(on_train, labels),
            "test_accuracy": _accuracy(on_test, test_labels),
            "train_loss": cross_entropy(on_train, labels).item(),
            "test_loss": cross_entropy(on_test, test_labels).item(),
        }


def _some(part, count, chance):
    import torch

    mine = torch.randperm(len(part[1]), generator=chance)[:count]
    return part[0][mine], part[1][mine]


def _units(net, picture):
    """Some units of the first hidden layer for one picture: in use, and at three steps of training."""
    import torch

    layer = net.hidden[:3]  # linear, ReLU, dropout
    with torch.no_grad():
        in_use = layer.eval()(picture.flatten(1))[0]
        active = in_use.argsort(descending=True)[:UNITS].sort().values
        steps = [layer.train()(picture.flatten(1))[0][active] for _ in range(3)]
    return {"in_use": in_use[active], "in_training": torch.stack(steps)}


def _tensors(part, data):
    import torch

    pictures = torch.tensor(part.pixels()).float().div(255)
    return (pictures - data.mean[0]) / data.std[0], torch.tensor(part.labels)


def _accuracy(logits, labels):
    return (logits.argmax(1) == labels).float().mean().item()
