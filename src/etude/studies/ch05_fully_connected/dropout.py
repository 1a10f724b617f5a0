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

TEST_PICTURES = 3000
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
    test = (test[0][:TEST_PICTURES], test[1][:TEST_PICTURES])
    for seed in seeds:
        for dropout, rate in (("without", 0.0), ("with", knobs.rate)):
            for row in _train(seed, rate, train, test, knobs):
                yield Row(kind="epoch", seed=seed, dropout=dropout, **row)
            yield Row(
                kind="end", seed=seed, dropout=dropout, gap=row["train_accuracy"] - row["test_accuracy"], **row
            )


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


def _train(seed, rate, train, test, knobs):
    import torch
    from torch.nn.functional import cross_entropy

    from etude.models.mlp import MLP

    chance = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)  # the twins begin with the same weights and see the same pictures in the same order
    mine = torch.randperm(len(train[1]), generator=chance)[: knobs.pictures]
    pictures, labels = train[0][mine], train[1][mine]
    net = MLP((1, 28, 28), 10, widths=(knobs.width, knobs.width), dropout=rate)
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
        net.eval()
        with torch.no_grad():
            on_train, on_test = net(pictures), net(test[0])
        yield {
            "epoch": epoch,
            "train_accuracy": _accuracy(on_train, labels),
            "test_accuracy": _accuracy(on_test, test[1]),
            "train_loss": cross_entropy(on_train, labels).item(),
            "test_loss": cross_entropy(on_test, test[1]).item(),
        }


def _tensors(part, data):
    import torch

    pictures = torch.tensor(part.pixels()).float().div(255)
    return (pictures - data.mean[0]) / data.std[0], torch.tensor(part.labels)


def _accuracy(logits, labels):
    return (logits.argmax(1) == labels).float().mean().item()


def figure(rows, lang):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.8), layout="constrained")
    without, with_it, paired = figure.subplots(1, 3, width_ratios=[1, 1, 0.9])
    epochs, ends = rows.where(kind="epoch"), rows.where(kind="end")
    for axes, dropout in ((without, "without"), (with_it, "with")):
        _draw_course(axes, epochs.where(dropout=dropout), ends.where(dropout=dropout), dropout, lang)
    low = min((row["test_accuracy"] for row in epochs if row["epoch"] > 1), default=0.5)
    for axes in (without, with_it):
        axes.set_ylim(100 * low - 3, 101.5)
    _draw_changes(paired, ends, lang)
    title = Text(
        en="Dropout closes part of the gap between training and test", zh="随机失活缩小了训练与测试之间的差距"
    )
    headline(figure, title, lang)
    return figure


def _draw_course(axes, epochs, ends, dropout, lang):
    """Training and test accuracy against the epoch: thin lines for the seeds, thick for their mean, the gap shaded."""
    title = {
        "without": Text(en="Without dropout", zh="不用随机失活"),
        "with": Text(en="With dropout", zh="使用随机失活"),
    }[dropout]
    label(axes, lang, title=title)
    label(axes, lang, x=Text(en="epochs", zh="轮数"), y=Text(en="accuracy (%)", zh="准确率（%）"))
    numbers = epochs.distinct("epoch")
    means = {}
    for value, colour in (("train_accuracy", COLOURS[4]), ("test_accuracy", COLOURS[0])):
        for seed in epochs.distinct("seed"):
            mine = epochs.where(seed=seed)
            axes.plot(mine.column("epoch"), 100 * mine.column(value), color=colour, lw=0.6, alpha=0.4)
        means[value] = [100 * epochs.where(epoch=number).column(value).mean() for number in numbers]
        axes.plot(numbers, means[value], color=colour, lw=2.5)
    if not numbers:
        return
    axes.fill_between(
        numbers, means["train_accuracy"], means["test_accuracy"], color="#888888", alpha=0.15, lw=0
    )
    last = numbers[-1]
    train, test = means["train_accuracy"][-1], means["test_accuracy"][-1]
    for words, height, colour in (
        (Text(en=f"training {train:.1f}", zh=f"训练 {train:.1f}"), train - 1.8, COLOURS[4]),
        (Text(en=f"test {test:.1f}", zh=f"测试 {test:.1f}"), test - 1.8, COLOURS[0]),
    ):
        note(
            axes,
            words,
            (last, height),
            lang,
            at="data",
            ha="right",
            va="top",
            color=colour,
            fontweight="bold",
            fontsize=10.5,
        )
    gap = Text(en=f"gap {train - test:.1f} points", zh=f"差距 {train - test:.1f} 个百分点")
    if len(ends):
        note(
            axes,
            gap,
            (0.7 * last, (train + test) / 2),
            lang,
            at="data",
            ha="center",
            va="center",
            fontsize=11,
            color="#444444",
        )


def _draw_changes(axes, ends, lang):
    """What dropout changes, seed by seed, with the mean and its 99 % interval."""
    import numpy as np

    from etude.study import paired_difference

    changes = (
        ("gap", Text(en="gap", zh="差距"), COLOURS[1]),
        ("train_accuracy", Text(en="training\naccuracy", zh="训练\n准确率"), COLOURS[4]),
        ("test_accuracy", Text(en="test\naccuracy", zh="测试\n准确率"), COLOURS[0]),
    )
    pairs = [
        (ends.where(seed=seed, dropout="without"), ends.where(seed=seed, dropout="with"))
        for seed in ends.distinct("seed")
    ]
    for place, (value, name, colour) in enumerate(changes):
        points = np.array([100 * (b[0][value] - a[0][value]) for a, b in pairs if a and b])
        if not len(points):
            continue
        axes.plot(
            place + np.linspace(-0.18, 0.18, len(points)),
            points,
            "o",
            color=colour,
            alpha=0.5,
            ms=5,
            mec="none",
        )
        found = paired_difference(
            ends, value, by="dropout", greater="with", lesser="without", margin=0, what=name
        ).contrasts[0]
        if np.isfinite(found.low):
            axes.plot(
                [place] * 2, [100 * found.low, 100 * found.high], color="black", lw=2.5, solid_capstyle="butt"
            )
        axes.plot([place - 0.16, place + 0.16], [100 * found.estimate] * 2, color="black", lw=2.5)
        note(
            axes,
            f"{100 * found.estimate:+.1f}",
            (place + 0.22, 100 * found.estimate),
            lang,
            at="data",
            va="center",
            fontweight="bold",
            color=colour,
        )
    axes.axhline(0, color="#777777", lw=1)
    axes.set_xticks(range(3), [word(name, lang) for _, name, _ in changes])
    axes.set_xlim(-0.5, 2.8)
    label(
        axes,
        lang,
        title=Text(en="What dropout changes", zh="随机失活带来的变化"),
        x=Text(en="● one seed   ┃ 99% interval of the mean", zh="● 一个种子   ┃ 均值的 99% 区间"),
        y=Text(en="with minus without (points)", zh="使用减不使用（个百分点）"),
    )
