"""Training as it is seen: a live display on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from etude.cli.output import Output
from etude.core.text import Text
from etude.train.report.nouns import noun

if TYPE_CHECKING:
    from etude.train.session import Session

_BARS = "▁▂▃▄▅▆▇█"
_REDRAW, _PLAIN_LINE = 0.1, 15.0  # seconds


@contextmanager
def show_training(session: Session, output: Output) -> Iterator[Callable[[Any], None]]:
    """A function that shows each record; what it shows suits where it goes."""
    if output.quiet:
        yield lambda record: None
        return
    output.say(_headline(session))
    if output.stream.isatty():
        with _live(session, output) as show:
            yield show
    else:
        yield _plain(session, output)


def _headline(session: Session) -> Text:
    record, state = session.run.record, session.state
    choices = state.choices
    threads = (
        Text(en=f", {choices.threads} thread{'s' * (choices.threads != 1)}", zh=f"，{choices.threads} 线程")
        if choices.device == "cpu"
        else Text(en="", zh="")
    )
    count, of = record["data"].get("split", {}).get("train"), noun(record)
    size = (
        Text(en=f", {count:,} training {of.many}", zh=f"，{count:,} {of.measure}训练{of.zh}")
        if isinstance(count, int)
        else Text(en="", zh="")
    )
    return Text(
        en=f"{record['data']['name']}{size.en} · {record['model']['name']}, {record['model']['parameters']:,} parameters"
        f" · {choices.device}, {choices.precision}{threads.en}\nRun: {session.run.path}",
        zh=f"{record['data']['name']}{size.zh} · {record['model']['name']}，{record['model']['parameters']:,} 个参数"
        f" · {choices.device}，{choices.precision}{threads.zh}\n训练记录：{session.run.path}",
    )


class _Pace:
    """Examples a second and the time left, over the last seconds."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._marks: deque[tuple[float, int]] = deque([(time.monotonic(), session.state.step)], maxlen=50)

    def mark(self) -> tuple[float, float]:
        """Examples a second, seconds left."""
        state = self._session.state
        now = time.monotonic()
        self._marks.append((now, state.step))
        then, step = self._marks[0]
        per_second = (state.step - step) / max(now - then, 1e-9)
        left = (state.total_steps - state.step) / per_second if per_second else float("inf")
        return per_second * state.recipe.batch_size, left


def _left(session: Session) -> Text:
    """What stands beside the time left; that to a target is not known beforehand."""
    if session.state.recipe.to_accuracy is None:
        return Text(en="left", zh="剩余")
    return Text(en="left at most", zh="最多剩余")


def _epoch_line(record: Any, session: Session, elapsed: float) -> Text:
    epochs = -(-session.state.total_steps // session.state.steps_per_epoch)
    loss = ", ".join(f"{value:.4f}" for value in record.losses.values())
    metrics = record.validation or {}
    best = " *" if record.improved else ""
    en = f"epoch {record.epoch + 1:>{len(str(epochs))}}/{epochs}  training loss {loss}"
    zh = f"第 {record.epoch + 1:>{len(str(epochs))}}/{epochs} 轮  训练损失 {loss}"
    if "accuracy" in metrics:
        en += f"  validation loss {metrics['loss']:.4f}, accuracy {metrics['accuracy']:.2%}"
        zh += f"  验证损失 {metrics['loss']:.4f}，准确率 {metrics['accuracy']:.2%}"
    elif "rmse" in metrics:
        en += f"  validation loss {metrics['loss']:.4f}, RMSE {metrics['rmse']:.4g}"
        zh += f"  验证损失 {metrics['loss']:.4f}，RMSE {metrics['rmse']:.4g}"
        if metrics.get("r2") is not None:
            en += f", R² {metrics['r2']:.3f}"
            zh += f"，R² {metrics['r2']:.3f}"
    en += f"  {elapsed:.1f} s{best}"
    zh += f"  {elapsed:.1f} 秒{best}"
    return Text(en=en, zh=zh)


def _plain(session: Session, output: Output) -> Callable[[Any], None]:
    pace, told, began = _Pace(session), [time.monotonic()], [time.monotonic()]
    of, said = noun(session.run.record), _left(session)

    def show(record: Any) -> None:
        now = time.monotonic()
        if hasattr(record, "improved"):
            output.say(_epoch_line(record, session, now - began[0]))
            began[0] = told[0] = now
        elif now - told[0] >= _PLAIN_LINE:
            speed, left = pace.mark()
            loss = ", ".join(f"{float(value):.4f}" for value in record.losses.values())
            output.say(
                Text(
                    en=f"  step {record.step:,}/{session.state.total_steps:,}  loss {loss}  {speed:,.0f} {of.many}/s  {_clock(left)} {said.en}",
                    zh=f"  第 {record.step:,}/{session.state.total_steps:,} 步  损失 {loss}  {speed:,.0f} {of.measure}/秒  {said.zh} {_clock(left)}",
                )
            )
            told[0] = now

    return show


@contextmanager
def _live(session: Session, output: Output) -> Iterator[Callable[[Any], None]]:
    from rich.progress import BarColumn, Progress, TextColumn

    of = noun(session.run.record)
    words = {
        "epoch": Text(en="epoch", zh="轮"), "loss": Text(en="loss", zh="损失"),
        "speed": Text(en=f"{of.many}/s", zh=f"{of.measure}/秒"), "left": _left(session),
    }  # fmt: skip
    said = {name: output.word(text) for name, text in words.items()}
    epochs = -(-session.state.total_steps // session.state.steps_per_epoch)
    columns = (
        TextColumn(said["epoch"] + " {task.fields[epoch]}/" + str(epochs)),
        BarColumn(bar_width=24),
        TextColumn(said["loss"] + " {task.fields[loss]} [cyan]{task.fields[history]}[/]"),
        TextColumn("{task.fields[speed]} " + said["speed"] + " · {task.fields[left]} " + said["left"]),
    )
    pace, began, drawn = _Pace(session), [time.monotonic()], [0.0]
    history: deque[float] = deque(maxlen=300)
    with Progress(*columns, console=output.console(), auto_refresh=False, transient=True) as progress:
        bar = progress.add_task(
            "", total=session.state.total_steps, completed=session.state.step,
            epoch=session.state.epoch + 1, loss="–", history="", speed="–", left="–",
        )  # fmt: skip

        def show(record: Any) -> None:
            now = time.monotonic()
            if hasattr(record, "improved"):
                progress.console.print(output.word(_epoch_line(record, session, now - began[0])))
                began[0] = now
            elif now - drawn[0] >= _REDRAW:
                drawn[0] = now
                loss = [float(value) for value in record.losses.values()]
                history.append(loss[0])
                speed, left = pace.mark()
                progress.update(
                    bar, completed=record.step, epoch=record.epoch + 1, loss=", ".join(f"{value:.4f}" for value in loss),
                    history=_sparkline(list(history)), speed=f"{speed:,.0f}", left=_clock(left),
                )  # fmt: skip
                progress.refresh()

        yield show


def _sparkline(values: list[float], width: int = 24) -> str:
    """The course of the loss in one line of block characters, the newest at the right."""
    size = max(1, -(-len(values) // width))
    means = [sum(values[i : i + size]) / len(values[i : i + size]) for i in range(0, len(values), size)]
    low, high = min(means), max(means)
    return "".join(_BARS[round((value - low) / ((high - low) or 1) * (len(_BARS) - 1))] for value in means)


def _clock(seconds: float) -> str:
    if seconds == float("inf"):
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
