"""What train and resume share: the process made ready, the loop shown, the end told."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from etude.cli.display import show_training
from etude.cli.output import Output
from etude.core.text import Text

if TYPE_CHECKING:
    from etude.cli.parser import Parser
    from etude.core.core_use import CoreUse
    from etude.train.run import Run
    from etude.train.session import Session

TEST_METRICS = {"classification": ("test_accuracy",), "regression": ("test_rmse", "test_r2", "test_mae")}


def prepare_process(threads: int | None = None, use: CoreUse | None = None) -> None:
    """The settings of the whole process that make training fast.

    Args:
        threads: how many are to compute; None: one for each core that is free.
        use: what tells which cores other processes use.
    """
    import torch

    from etude.core.devices import tune_process

    tune_process()
    if threads is None and use is not None and "OMP_NUM_THREADS" not in os.environ:
        threads = use.free(torch.get_num_threads())
    if threads:
        torch.set_num_threads(threads)


def train_to_the_end(
    session: Session, output: Output, clock: Callable[[], float], explained: bool = False
) -> int:
    """Train until the end or Ctrl-C, tell what came of it; the exit code.

    Args:
        clock: the seconds since Enter.
        explained: tell what the engine chose, and why, before training begins.
    """
    run = session.run
    if explained:
        _explain(session, output)
    with stop_asked() as asked, show_training(session, output) as show:
        for record in session:
            show(record)
            if asked():
                break
    if session.state.compiler_failed:
        output.warn(
            Text(
                en="torch.compile failed (is there a C++ compiler?); the network was computed as it is written.",
                zh="torch.compile 失败（是否装有 C++ 编译器？）；网络已按原样计算。",
            )
        )
    if not session.state.ended:
        session.save()
        session.close()
        output.warn(
            Text(
                en=f"Stopped after step {session.state.step:,}; all is kept. Carry on with: etude resume {run.spelt}",
                zh=f"已在第 {session.state.step:,} 步之后停止，内容全部保留。继续：etude resume {run.spelt}",
            )
        )
        output.json(summary(run, session.resumed_from_step, clock(), session))
        return 130
    output.say(Text(en="Measuring the test part and drawing the report …", zh="正在测试并绘制报告 …"))
    results = session.finish(output.lang)
    _tell(run, results, output)
    output.json(summary(run, session.resumed_from_step, clock()))
    return 0


def add_explain(parser: Parser) -> None:
    """The flag ``--explain``."""
    parser.add_argument(
        "--explain",
        action="store_true",
        help=parser.words(
            "tell what the engine chose (number format, memory layout, threads …), and why, before training begins",
            "在训练开始前说明引擎的选择（数值格式、内存布局、线程等）及其理由",
        ),
    )


@contextmanager
def stop_asked() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C was pressed (or SIGTERM sent) inside this block; a second one ends the process at once."""
    asked: list[int] = []

    def note(number: int, _: Any) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def summary(run: Run, resumed_from_step: int, seconds: float, session: Session | None = None) -> dict[str, Any]:
    """The JSON object of ``--json``; ``session`` is that of a run not finished."""
    results = dict(run.results)
    if session is not None:
        results = {
            "epochs": session.state.epoch,
            "steps": session.state.step,
            "train_seconds": round(session.train_seconds, 3),
        }
    return {
        "run": str(run.path),
        "status": run.record["status"] if session is None else "stopped",
        "model": run.record["model"]["name"],
        "dataset": run.record["data"]["name"],
        "parameters": run.record["model"]["parameters"],
        "device": run.record["choices"]["device"],
        "precision": run.record["choices"]["precision"],
        "choices": run.record["choices"],
        "seed": run.record["recipe"]["seed"],
        "seconds": round(seconds, 3),
        "resumed_from_step": resumed_from_step,
        **dict.fromkeys(TEST_METRICS[run.record["task"]["kind"]]),
        **results,
    }


def _explain(session: Session, output: Output) -> None:
    from etude.train.explain import explain

    output.say(Text(en="What the engine chose, and why:", zh="引擎的选择及其理由："))
    for reason in explain(session.state.choices, session.state.recipe, getattr(session.feed, "data", None)):
        output.say(Text(en=f"  {reason.en}", zh=f"  {reason.zh}"))


def _tell(run: Run, results: dict[str, Any], output: Output) -> None:
    if results.get("reached") is not None:
        _tell_target(run, results["reached"], output)
    found, epochs = test_result(results), results["epochs"]
    if found is not None:
        output.say(
            Text(
                en=f"Test {found.en} after {epochs} epoch{'s' * (epochs != 1)}, {results['train_seconds']:.1f} s of training.",
                zh=f"测试{found.zh}；训练 {epochs} 轮，用时 {results['train_seconds']:.1f} 秒。",
            )
        )
    report = run.path / "report.html"
    use = how_to_use(run)
    output.say(Text(en=f"Report:  {report}", zh=f"报告：{report}"))
    output.say(Text(en=f"Use it:  {use.en}", zh=f"使用：{use.zh}"))


def _tell_target(run: Run, reached: bool, output: Output) -> None:
    """Whether the accuracy asked for was reached; that it was not is told under ``--quiet`` too."""
    from etude.train.report.summary import target

    told = target(run.record)
    if told is None:
        return
    if reached:
        output.say(told)
        return
    output.warn(
        Text(
            en=f"{told.en} Give it more epochs, or another model.",
            zh=f"{told.zh}请增大 epochs，或换用其他模型。",
        )
    )


def how_to_use(run: Run) -> Text:
    """The command that puts a run to use."""
    table = run.record["data"].get("kind") == "table"
    what = Text(en="TABLE.csv", zh="表格.csv") if table else Text(en="PICTURE", zh="图片")
    return Text(en=f"etude predict {run.spelt} {what.en}", zh=f"etude predict {run.spelt} {what.zh}")


def test_result(results: dict[str, Any]) -> Text | None:
    """What came of the test part: the accuracy, or RMSE and R²; None where there is no test part."""
    if results.get("test_accuracy") is not None:
        accuracy = results["test_accuracy"]
        return Text(en=f"accuracy {accuracy:.2%}", zh=f"准确率 {accuracy:.2%}")
    if results.get("test_rmse") is not None:
        r2 = results.get("test_r2")
        error = f"RMSE {results['test_rmse']:.4g}"
        explained = "" if r2 is None else f"R² {r2:.3f}"
        return Text(
            en=", ".join(filter(None, (error, explained))), zh=" " + "，".join(filter(None, (error, explained)))
        )
    return None
