"""Gradient descent recovers a cubic's coefficients, but not in about 100 batches, and one batch's small loss is luck."""

from etude.core.plotting import COLOURS, headline, label, note
from etude.core.text import Text
from etude.study import BaseKnobs, Row, all_of, knob, level, paired_ratio

TITLE = Text(en="Polynomial regression", zh="多项式回归")
CLAIM = Text(
    en="One linear layer on x, x² and x³ recovers y = 4x³ + 3x² + 2x + 1, but with the usual learning rate of 0.001 not in the "
    "notes' “about 100 batches”; and when one batch's loss first falls below 0.001, the loss on fresh data is still above it.",
    zh="以 x、x²、x³ 为输入的线性层能还原 y = 4x³ + 3x² + 2x + 1，但用常见的学习率 0.001 时，远不是讲义所说的“大约 100 个 batch”；"
    "而且某个批次的损失首次低于 0.001 时，新数据上的损失仍高于它。",
)
SOURCE = "notes 4.3; Bottou, Curtis & Nocedal 2018, section 4.2"
PREDICTED = "holds"
QUICK = {"learning_rate": 0.02, "tolerance": 0.1, "most_batches": 1000}
BUDGET_S = 40

TRUE = (2.0, 3.0, 4.0, 1.0)  # of x, x², x³ and the constant
CLAIMED = 100  # batches, say the notes; their learning rate was in a picture that is lost
RATES = (0.003, 0.01, 0.03, 0.1)  # tried beside the knob's, to see which one makes the notes' number true
EDGE = 0.064  # 2/λmax of the expected loss; `step_size` is about it
FRESH = 4096  # examples
STEP = Text(
    en="How many batches it takes depends on the step size, which the notes leave out: near 0.03, half its edge, about 100 do.",
    zh="所需批次数取决于步长，而讲义没有给出：取 0.03 左右（临界值的一半）时，大约 100 个批次就够了。",
)


class Knobs(BaseKnobs):
    learning_rate: float = knob(
        1e-3, ge=1e-4, le=0.05,
        about=Text(en="size of the step; the example the notes follow has 0.001", zh="学习率；讲义所依据的例子用 0.001"),
    )  # fmt: skip
    batch_size: int = knob(
        32, ge=1, le=1024, unit=Text(en="examples", zh="个样本"),
        about=Text(en="examples drawn for each step", zh="每一步抽取的样本数"),
    )  # fmt: skip
    tolerance: float = knob(
        1e-3, ge=1e-5, le=1.0, about=Text(en="training stops when the loss is below this", zh="损失低于此值即停止训练")
    )  # fmt: skip
    most_batches: int = knob(
        8000, ge=200, le=20000, unit=Text(en="batches", zh="个批次"),
        about=Text(en="give up after so many", zh="最多训练的批次数"),
    )  # fmt: skip


def measure(knobs, seeds):
    import torch

    for seed in seeds:
        net, batch_losses, course, stop, reached = _train(seed, knobs.learning_rate, knobs)
        for data, loss in zip(("batch", "fresh"), stop[1:]):
            yield Row(kind="stop", seed=seed, data=data, loss=loss, after=stop[0])
        yield Row(
            kind="course", seed=seed, batch_losses=batch_losses, tolerance=knobs.tolerance,
            batches=[c[0] for c in course], fresh_loss=[c[1] for c in course], coefficients=[c[2] for c in course],
        )  # fmt: skip
        yield Row(
            kind="end", seed=seed, error=(torch.tensor(_coefficients(net)) - torch.tensor(TRUE)).abs().max(),
            batches_needed=float(knobs.most_batches if reached is None else reached), reached=reached is not None,
        )  # fmt: skip
        yield Row(
            kind="rate", seed=seed, rate=knobs.learning_rate, reached=reached is not None, batches=reached or 0
        )
        for rate in RATES:
            reached = _train(seed, rate, knobs)[-1]
            yield Row(kind="rate", seed=seed, rate=rate, reached=reached is not None, batches=reached or 0)


def _train(seed, learning_rate, knobs):
    """The network, each batch's loss, (batches, fresh loss, coefficients) now and then, where it would have stopped
    (batches, that batch's loss, fresh loss), and after how many batches the fresh loss was small enough, or None."""
    import torch
    from torch.nn.functional import mse_loss

    torch.manual_seed(seed)
    net = torch.nn.Linear(3, 1)
    optimizer = torch.optim.SGD(net.parameters(), lr=learning_rate)
    fresh = _examples(FRESH)
    batch_losses, course, reached = [], [], None
    stop: tuple[float, ...] = ()
    for step in range(knobs.most_batches + 1):
        features, y = _examples(knobs.batch_size)
        loss = mse_loss(net(features), y)
        batch_losses.append(loss.item())
        if not batch_losses[-1] < 1e9:  # it diverges; later losses overflow
            break
        stops = not stop and batch_losses[-1] < knobs.tolerance
        if stops or step % max(1, step // 40) == 0:
            course.append((step, _loss(net, fresh), _coefficients(net)))
            if reached is None and course[-1][1] < knobs.tolerance:
                reached = step
        if stops:
            stop = (step, batch_losses[-1], course[-1][1])
        if stop and reached is not None:
            break
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return net, torch.tensor(batch_losses), course, stop, reached


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
    ).saying(holds=STEP, fails=STEP)  # fmt: skip


def figure(rows, lang):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 6.8), layout="constrained")
    axes = figure.subplot_mosaic([["curve", "losses", "losses"], ["weights", "stop", "rates"]])
    courses = rows.where(kind="course")
    _draw_curve(axes["curve"], courses[:1], lang)
    _draw_losses(axes["losses"], courses, lang)
    _draw_coefficients(axes["weights"], courses[:1], lang)
    _draw_stop(axes["stop"], rows, lang)
    _draw_rates(axes["rates"], rows.where(kind="rate"), lang)
    title = Text(
        en="The cubic is recovered, but “about 100 batches” asks for a large step, and the first small loss is luck",
        zh="三次函数能够还原；但“大约 100 个批次”需要很大的步长，而第一个很小的损失只是碰巧",
    )
    headline(figure, title, lang)
    return figure


def _draw_curve(axes, courses, lang):
    import numpy as np

    x = np.linspace(-2, 2, 200)
    powers = np.stack([x, x**2, x**3, np.ones_like(x)])
    axes.plot(x, np.array(TRUE) @ powers, color="#C8C8C8", lw=8, solid_capstyle="round")
    for course in courses:
        after = course["batches"]
        places = [0, *(int(np.searchsorted(after, number)) for number in (20, CLAIMED)), len(after) - 1]
        shown = sorted({place for place in places if place < len(after)})
        looks = ((COLOURS[5], ":"), (COLOURS[4], "--"), (COLOURS[1], "-."), (COLOURS[0], "-"))
        for row, (place, (colour, dash)) in enumerate(zip(shown, looks[-len(shown) :])):
            axes.plot(x, course["coefficients"][place] @ powers, color=colour, lw=2, ls=dash)
            words = Text(en=f"after {after[place]:,} batches", zh=f"{after[place]:,} 个批次后")
            note(axes, words, (0.04, 0.95 - 0.09 * row), lang, color=colour, fontweight="bold", va="top")
    note(axes, Text(en="grey: the true curve", zh="灰色：真实曲线"), (0.97, 0.04), lang, color="#777777", ha="right")  # fmt: skip
    axes.set_ylim(-32, 58)
    label(axes, lang, title=Text(en="The curve is found", zh="曲线被找到"), x="x", y="y")


def _draw_losses(axes, courses, lang):
    import numpy as np

    for number, course in enumerate(courses):
        first = number == 0
        if first:
            each = course["batch_losses"][1:]
            axes.plot(np.arange(1, len(each) + 1), each, ".", color=COLOURS[4], ms=2.5, mec="none", alpha=0.6)
            at = course["tolerance"]
            axes.axhline(at, color="black", lw=1, ls="--")
            note(axes, Text(en=f"the notes stop at {at:g}", zh=f"讲义在 {at:g} 处停止"), (0.01, at), lang, at="y data", offset=(0, 3))  # fmt: skip
        later = course["batches"] > 0
        axes.plot(
            course["batches"][later], course["fresh_loss"][later], color=COLOURS[0],
            lw=2.2 if first else 0.7, alpha=1 if first else 0.4, zorder=4 if first else 2,
        )  # fmt: skip
    _logarithmic(axes)
    axes.axvline(CLAIMED, color=COLOURS[1], lw=1.5, ls=":")
    note(axes, Text(en="the notes: about 100 batches", zh="讲义：大约 100 个批次"), (CLAIMED, 0.98), lang, at="x data",
                  offset=(5, 0), va="top", color=COLOURS[1], fontweight="bold")  # fmt: skip
    for place, (words, colour) in enumerate((
        (Text(en="line: loss on fresh data (thin: other seeds)", zh="线：新数据上的损失（细线：其他种子）"), COLOURS[0]),
        (Text(en="dots: loss of each batch", zh="点：每个批次自身的损失"), "#B07800"),
    )):  # fmt: skip
        note(axes, words, (0.01, 0.42 - 0.09 * place), lang, color=colour, fontweight="bold")
    label(axes, lang, title=Text(en="At 100 batches the loss is still large", zh="100 个批次时损失仍然很大"),
          x=Text(en="batches trained", zh="已训练的批次数"), y=Text(en="mean squared error", zh="均方误差"))  # fmt: skip


def _draw_stop(axes, rows, lang):
    """The moments around the first small batch, batch by batch; losses in units of the tolerance."""
    import numpy as np

    for course in rows.where(kind="course")[:1]:
        stops = [rows.where(kind="stop", seed=course["seed"], data=data) for data in ("batch", "fresh")]
        if not all(stops):
            continue
        (batch,), (fresh,) = stops
        after, unit, each = batch["after"], course["tolerance"], course["batch_losses"]
        x = np.arange(int(0.9 * after), len(each))
        axes.plot(x, each[x] / unit, ".", color=COLOURS[4], ms=3.5, mec="none", alpha=0.6)
        axes.plot(course["batches"], course["fresh_loss"] / unit, color=COLOURS[0], lw=2.2)
        axes.axhline(1, color="black", lw=1, ls="--")
        for stop, mark, colour in ((batch, "v", COLOURS[1]), (fresh, "o", COLOURS[0])):
            axes.plot(after, stop["loss"] / unit, mark, color=colour, ms=9, mec="white", zorder=5)
        behind = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1.5}
        top = 3.2 * max(1.0, fresh["loss"] / unit)
        axes.annotate("", (after, fresh["loss"] / unit), (after, batch["loss"] / unit), zorder=4,
                      arrowprops={"arrowstyle": "-", "color": COLOURS[1], "lw": 1.5})  # fmt: skip
        words = Text(en=f"▼ batch {after:,}: {batch['loss']:.2g}, the stop", zh=f"▼ 第 {after:,} 个批次：{batch['loss']:.2g}，停止")  # fmt: skip
        note(axes, words, (0.02, 0.98), lang, va="top", color=COLOURS[1], fontweight="bold", bbox=behind)
        words = Text(
            en=f"● fresh data just then: {fresh['loss']:.2g}", zh=f"● 此时新数据上：{fresh['loss']:.2g}"
        )
        note(axes, words, (0.02, 0.89), lang, va="top", color=COLOURS[0], fontweight="bold", bbox=behind)
        axes.set_xlim(x[0], max(x[-1], x[0] + 1))
        axes.set_ylim(0, top)
    label(axes, lang, title=Text(en="The stop is a lucky batch", zh="停止处是碰巧的批次"),
          x=Text(en="batches trained", zh="已训练的批次数"), y=Text(en="loss, in tolerances", zh="损失（以容限为单位）"))  # fmt: skip


def _draw_rates(axes, rows, lang):
    """Batches that each learning rate needs, a point a seed; a cross where the loss did not get there."""
    import numpy as np

    rates = sorted(rows.distinct("rate"))
    for rate in rates:
        mine = rows.where(rate=rate)
        got = mine.where(reached=True).column("batches")
        axes.plot([rate] * len(got), got, "o", color=COLOURS[0], ms=5, alpha=0.45, mec="none")
        if len(got):
            middle = float(np.exp(np.log(got).mean())) if got.min() > 0 else float(got.mean())
            note(
                axes,
                f"{middle:,.0f}",
                (rate, middle),
                lang,
                at="data",
                offset=(8, 2),
                color=COLOURS[0],
                fontweight="bold",
            )
        if len(got) < len(mine):
            words = Text(
                en=f"{len(mine) - len(got)} of {len(mine)}\nnever",
                zh=f"{len(mine)} 次中\n{len(mine) - len(got)} 次失败",
            )
            note(
                axes,
                "✕",
                (rate, 0.87),
                "en",
                at="x data",
                ha="center",
                va="center",
                color=COLOURS[1],
                fontsize=15,
                fontweight="bold",
            )
            note(axes, words, (rate, 0.8), lang, at="x data", ha="center", va="top", color=COLOURS[1])
    axes.axhline(CLAIMED, color=COLOURS[1], lw=1.5, ls=":")
    note(axes, Text(en="the notes", zh="讲义"), (0.02, CLAIMED), lang, at="y data", offset=(0, 3), color=COLOURS[1], fontweight="bold")  # fmt: skip
    axes.axvspan(EDGE, 1, color="#888888", alpha=0.18, lw=0)
    note(axes, Text(en="diverges", zh="发散"), (0.1, 0.03), lang, at="x data", ha="center", color="#555555")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(min([5e-4, *(0.6 * rate for rate in rates)]), 0.2)
    axes.set_ylim(20, 20000)
    label(axes, lang, title=Text(en="Larger steps, fewer batches", zh="步长越大，批次越少"),
          x=Text(en="learning rate", zh="学习率"), y=Text(en="batches until the fresh loss is small", zh="新数据损失达标所需的批次数"))  # fmt: skip


def _draw_coefficients(axes, courses, lang):
    looks = ((COLOURS[2], "-"), (COLOURS[3], "--"), (COLOURS[0], "-"), (COLOURS[1], "-."))
    for place, (name, true, (colour, dash)) in enumerate(zip(("x", "x²", "x³", "1"), TRUE, looks)):
        axes.axhline(true, color=colour, lw=0.8, ls=":")
        for course in courses:
            later = course["batches"] > 0
            axes.plot(
                course["batches"][later], course["coefficients"][later, place], color=colour, lw=2, ls=dash
            )
        words = Text(en="constant", zh="常数项") if name == "1" else name
        note(
            axes,
            words,
            (1, true),
            lang,
            at="y data",
            offset=(4, 0),
            va="center",
            color=colour,
            fontweight="bold",
        )
    axes.set_xscale("log")
    axes.set_ylim(-1, 5)
    label(axes, lang, title=Text(en="x settles last: x³ stands in for it", zh="x 最后到位：先由 x³ 代替"),
          x=Text(en="batches trained", zh="已训练的批次数"), y=Text(en="coefficient", zh="系数"))  # fmt: skip


def _logarithmic(axes):
    axes.set_xscale("log")
    axes.set_yscale("log")


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
