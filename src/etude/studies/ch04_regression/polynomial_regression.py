"""Gradient descent recovers a cubic's coefficients, but not in about 100 batches, and one batch's small loss is luck."""

from etude.core.plotting import COLOURS, headline, label, note
from etude.core.text import Text
from etude.study import BaseKnobs, Row, all_of, knob, level, paired_ratio

TITLE = Text(en="Polynomial regression", zh="多项式回归")
CLAIM = Text(
    en="One linear layer on x, x² and x³ recovers y = 4x³ + 3x² + 2x + 1, but not in the notes' “about 100 batches”; and when "
    "one batch's loss first falls below 0.001, the loss on fresh data is still above it.",
    zh="以 x、x²、x³ 为输入的线性层能还原 y = 4x³ + 3x² + 2x + 1，但不是讲义所说的“大约 100 个 batch”；"
    "而且某个批次的损失首次低于 0.001 时，新数据上的损失仍高于它。",
)
SOURCE = "notes 4.3; Bottou, Curtis & Nocedal 2018, section 4.2"
PREDICTED = "holds"
QUICK = {"learning_rate": 0.02, "tolerance": 0.1}
BUDGET_S = 30

TRUE = (2.0, 3.0, 4.0, 1.0)  # of x, x², x³ and the constant
CLAIMED = 100  # batches, says the notes
FRESH = 4096  # examples


class Knobs(BaseKnobs):
    learning_rate: float = knob(
        1e-3,
        ge=1e-4,
        le=0.05,
        about=Text(
            en="size of the step; the example the notes follow has 0.001", zh="学习率；讲义所依据的例子用 0.001"
        ),
    )
    batch_size: int = knob(
        32,
        ge=1,
        le=1024,
        unit=Text(en="examples", zh="个样本"),
        about=Text(en="examples drawn for each step", zh="每一步抽取的样本数"),
    )
    tolerance: float = knob(
        1e-3,
        ge=1e-5,
        le=1.0,
        about=Text(en="training stops when the loss is below this", zh="损失低于此值即停止训练"),
    )
    most_batches: int = knob(
        8000,
        ge=200,
        le=20000,
        unit=Text(en="batches", zh="个批次"),
        about=Text(en="give up after so many", zh="最多训练的批次数"),
    )


def measure(knobs, seeds):
    import torch
    from torch.nn.functional import mse_loss

    for seed in seeds:
        torch.manual_seed(seed)
        net = torch.nn.Linear(3, 1)
        optimizer = torch.optim.SGD(net.parameters(), lr=knobs.learning_rate)
        fresh = _examples(FRESH)
        course, stopped, reached = [], None, None
        for step in range(knobs.most_batches + 1):
            features, y = _examples(knobs.batch_size)
            loss = mse_loss(net(features), y)
            if stopped is None and loss.item() < knobs.tolerance:
                stopped = step
                yield from _at_the_stop(seed, step, loss.item(), _loss(net, fresh), net)
            if step % max(1, step // 40) == 0 or stopped == step:
                on_fresh = _loss(net, fresh)
                course.append((step, loss.item(), on_fresh, *_coefficients(net)))
                if on_fresh < knobs.tolerance:
                    reached = reached or step
                if reached and stopped is not None:
                    break
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        yield Row(
            kind="course", seed=seed, batches=[c[0] for c in course], batch_loss=[c[1] for c in course],
            fresh_loss=[c[2] for c in course], coefficients=[c[3:] for c in course], tolerance=knobs.tolerance
        )  # fmt: skip
        yield Row(
            kind="end", seed=seed, error=max(abs(a - b) for a, b in zip(_coefficients(net), TRUE)),
            batches_needed=float(reached or knobs.most_batches), reached=reached is not None
        )  # fmt: skip


def verdict(rows):
    return all_of(
        paired_ratio(
            rows, "loss", by="data", greater="fresh", lesser="batch", margin=1.1, where={"kind": "stop"},
            what=Text(en="when a batch's loss first fell below the tolerance, loss on fresh data over that batch's", zh="某批次损失首次达标时，新数据损失与该批次损失之比")
        ),
        level(
            rows, "batches_needed", above=2.0 * CLAIMED, ratio=True, where={"kind": "end"}, unit=Text(en="batches", zh="个批次"),
            what=Text(en="until fresh data's loss was below the tolerance it took", zh="新数据损失达标所需")
        ),
        level(
            rows, "error", below=0.1, where={"kind": "end"},
            what=Text(en="the largest error of a coefficient at the end", zh="训练结束时系数的最大误差")
        )
    )  # fmt: skip


def figure(rows, lang):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.6), layout="constrained")
    curve, losses, weights = figure.subplots(1, 3, width_ratios=[1, 1.35, 1])
    courses = rows.where(kind="course")
    _draw_curve(curve, courses[:1], lang)
    _draw_losses(losses, rows, lang)
    _draw_coefficients(weights, courses[:1], lang)
    title = Text(
        en="The cubic is recovered, but not in 100 batches, and the first small loss is a lucky batch",
        zh="三次函数能够还原，但 100 个批次远远不够；第一个很小的损失只是碰巧",
    )
    headline(figure, title, lang)
    return figure


def _draw_curve(axes, courses, lang):
    import numpy as np

    x = np.linspace(-2, 2, 200)
    powers = np.stack([x, x**2, x**3, np.ones_like(x)])
    axes.plot(x, np.array(TRUE) @ powers, color="#BBBBBB", lw=7, solid_capstyle="round")
    for course in courses:
        after = course["batches"]
        shown = sorted(
            {0, int(np.searchsorted(after, 20)), int(np.searchsorted(after, CLAIMED)), len(after) - 1}
        )
        shown = [place for place in shown if place < len(after)]
        for place, colour in zip(shown, (COLOURS[5], COLOURS[4], COLOURS[1], COLOURS[0])):
            axes.plot(x, course["coefficients"][place] @ powers, color=colour, lw=1.8)
            words = Text(en=f"{after[place]:,} batches", zh=f"{after[place]:,} 个批次")
            note(axes, words, (0.03, 0.95 - 0.08 * shown.index(place)), lang, color=colour)
    note(
        axes,
        Text(en="grey: the true curve", zh="灰色：真实曲线"),
        (0.97, 0.04),
        lang,
        color="#777777",
        ha="right",
    )
    label(axes, lang, title=Text(en="The fitted curve", zh="拟合曲线"), x="x", y="y")


def _draw_losses(axes, rows, lang):

    for number, course in enumerate(rows.where(kind="course")):
        later = course["batches"] > 0
        x = course["batches"][later]
        if number == 0:
            axes.plot(x, course["batch_loss"][later], color=COLOURS[4], lw=0.8)
        axes.plot(
            x,
            course["fresh_loss"][later],
            color=COLOURS[0],
            lw=2 if number == 0 else 0.7,
            alpha=1 if number == 0 else 0.35,
        )
    for stop in rows.where(kind="stop", data="batch"):
        axes.plot(stop["after"], stop["loss"], "v", color=COLOURS[1], ms=6, mec="white", mew=0.5)
    tolerance = [row["tolerance"] for row in rows.where(kind="course")]
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(0.8, 2e4)
    for level_ in tolerance[:1]:
        axes.axhline(level_, color="black", lw=1, ls="--")
        note(axes, f" {level_:g}", (0.0, level_), lang, at="y data", va="bottom")
    axes.axvline(CLAIMED, color="#777777", lw=1, ls=":")
    note(axes, Text(en="the notes: about 100", zh="讲义：约 100"), (CLAIMED, 0.99), lang, at="x data",
                  offset=(4, 0), va="top", color="#555555")  # fmt: skip
    words = (
        (Text(en="loss on fresh data", zh="新数据上的损失"), COLOURS[0]),
        (Text(en="loss of the batch itself", zh="批次自身的损失"), COLOURS[4]),
        (
            Text(en="▼ first batch below: training would stop", zh="▼ 首次达标的批次：训练会在此停止"),
            COLOURS[1],
        ),
    )
    for place, (text, colour) in enumerate(words):
        note(axes, text, (0.03, 0.3 - 0.07 * place), lang, color=colour, fontweight="bold")
    label(
        axes,
        lang,
        title=Text(en="Two ways to read the loss", zh="损失的两种读法"),
        x=Text(en="batches trained", zh="已训练的批次数"),
        y=Text(en="mean squared error", zh="均方误差"),
    )


def _draw_coefficients(axes, courses, lang):

    for name, true, place, colour in zip(
        ("x", "x²", "x³", "1"), TRUE, range(4), (COLOURS[2], COLOURS[3], COLOURS[0], COLOURS[1])
    ):
        axes.axhline(true, color=colour, lw=0.8, ls=":")
        for course in courses:
            later = course["batches"] > 0
            axes.plot(course["batches"][later], course["coefficients"][later, place], color=colour, lw=1.8)
        words = (
            Text(en=f"{name}: {true:g}", zh=f"{name}：{true:g}")
            if name != "1"
            else Text(en="constant: 1", zh="常数项：1")
        )
        note(axes, words, (0.02, true), lang, at="y data", va="bottom", color=colour, fontweight="bold")
    axes.set_xscale("log")
    axes.set_xlim(0.8, 2e4)
    axes.set_ylim(-1, 5)
    label(
        axes,
        lang,
        title=Text(en="The coefficients", zh="系数"),
        x=Text(en="batches trained", zh="已训练的批次数"),
        y=Text(en="coefficient", zh="系数"),
    )


def _examples(count):
    import torch

    x = torch.randn(count, 1)
    features = torch.cat([x, x**2, x**3], 1)  # [count, 3]
    return features, features @ torch.tensor([TRUE[:3]]).T + TRUE[3]  # [count, 1]


def _loss(net, examples):
    import torch

    with torch.no_grad():
        return torch.nn.functional.mse_loss(net(examples[0]), examples[1]).item()


def _coefficients(net):
    return [*net.weight.detach()[0].tolist(), net.bias.item()]


def _at_the_stop(seed, step, batch_loss, fresh_loss, net):
    for data, loss in (("batch", batch_loss), ("fresh", fresh_loss)):
        yield Row(kind="stop", seed=seed, data=data, loss=loss, after=step)
