"""How fast it computes: measured, with the spread, and with what other programs take of the machine."""

from __future__ import annotations

import os
import time
from dataclasses import asdict

from etude.cli.diagnosis.advice import System
from etude.cli.diagnosis.finding import Section, survive
from etude.core.text import Text, same
from etude.insight.hardware import Cores, busy_seconds
from etude.insight.machine import Measurement, call_overhead, copy_bandwidth, matrix_speed

_IN_THE_WAY = 0.3  # cores that others use beyond those that étude leaves free
_GAIN = 1.3  # one thread is advised only if it is this much faster


def examine(
    system: System, cores: Cores, cache_bytes: int | None, device: str, precision: str, quick: bool
) -> Section:
    """The section. Its facts have ``measurements``: one dictionary for each `Measurement`.

    Args:
        device: what ``--device auto`` chooses; if it is not the CPU, both are measured.
        precision: what ``--precision auto`` chooses.
    """
    section = Section("speed", Text(en="Speed", zh="速度"))
    share = 0.12 if quick else 0.6

    def look() -> None:
        measured: list[Measurement] = []
        section.facts["measurements"] = measurements = []
        watch = Watch()
        for where in dict.fromkeys((device, "cpu")):
            products = _products(where, share)
            memory = copy_bandwidth(where, share, cache_bytes or 0)
            calls = call_overhead(where, share / 2)
            measured += [*products, memory, calls]
            on = same("" if where == "cpu" and device == "cpu" else f"{where}: ")
            _matrix(section, products, on, precision if where == device else "float32")
            _line(
                section,
                memory,
                Text(en=f"{on.en}memory copy", zh=f"{on.zh}内存复制"),
                Text(en="bytes read and written", zh="读写字节合计"),
            )
            _line(
                section,
                calls,
                Text(en=f"{on.en}small operation", zh=f"{on.zh}小运算"),
                Text(en="before any arithmetic", zh="每次调用的固定开销"),
            )
        on_cpu = next(each for each in measured if each.device == "cpu")
        measured += _others(section, system, cores, on_cpu, share, watch.cores_of_others())
        measurements += [asdict(each) for each in measured]

    return survive(section, look)


def _products(device: str, seconds: float) -> list[Measurement]:
    """Matrix products in float32 and in bf16, of one size so that they can be compared; float32 only where bf16 is refused."""
    single = matrix_speed("float32", device, seconds)
    try:
        half = matrix_speed("bf16", device, seconds)
    except (RuntimeError, TypeError):  # Apple's GPUs under older systems
        return [single]
    size = min(single.size, half.size)
    return [
        each if each.size == size else matrix_speed(each.number_format, device, seconds, size=size)
        for each in (single, half)
    ]


def _matrix(section: Section, products: list[Measurement], on: Text, precision: str) -> None:
    single = products[0]
    size = f"{single.size}×{single.size}"
    _line(section, single, Text(en=f"{on.en}float32 product", zh=f"{on.zh}float32 矩阵乘"), same(size))
    label = Text(en=f"{on.en}bf16 product", zh=f"{on.zh}bf16 矩阵乘")
    if len(products) == 1:
        section.add(f"speed.{single.device}.bf16", label, Text(en="this device refuses it", zh="此设备不支持"))
        return
    ratio = products[1].median / single.median
    words = Text(
        en=f"{ratio:.1f} times float32; --precision auto takes {precision}",
        zh=f"是 float32 的 {ratio:.1f} 倍；--precision auto 用 {precision}",
    )
    _line(section, products[1], label, words)


def _line(section: Section, measured: Measurement, label: Text, words: Text) -> None:
    name = ".".join(filter(None, (measured.device, measured.what.replace(" ", "_"), measured.number_format)))
    said = measured_text(measured)
    section.add(f"speed.{name}", label, Text(en=f"{said.en}; {words.en}", zh=f"{said.zh}；{words.zh}"))


def measured_text(measured: Measurement) -> Text:
    """The median with the quartiles: ``102 GFLOP/s (101–103)``."""
    digits = 0 if measured.median >= 100 else 1 if measured.median >= 10 else 2
    low, middle, high = (f"{value:,.{digits}f}" for value in (measured.low, measured.median, measured.high))
    said = f"{middle} {measured.unit}"
    return Text(en=f"{said} ({low}–{high})", zh=f"{said}（{low}–{high}）")


class Watch:
    """From when it is made: how many cores other programs keep busy."""

    def __init__(self) -> None:
        self._began = time.perf_counter(), time.process_time(), busy_seconds()

    def cores_of_others(self) -> float | None:
        """Their cores, on average; where the system does not say, the load of the last minute, or None."""
        wall, own, all_then = self._began
        all_now = busy_seconds()
        if all_now is None or all_then is None:
            return os.getloadavg()[0] if hasattr(os, "getloadavg") else None
        others = (all_now - all_then) - (time.process_time() - own)
        return max(0.0, others / max(time.perf_counter() - wall, 1e-9))


def _others(
    section: Section, system: System, cores: Cores, product: Measurement, share: float, busy: float | None
) -> list[Measurement]:
    """Whether other programs were in the way; if so, whether one thread is faster than several.

    Args:
        busy: cores that others used meanwhile.

    Returns:
        what was measured with one thread, if it was.
    """
    section.facts |= {
        "cores_of_others": busy,
        "load": list(os.getloadavg()) if hasattr(os, "getloadavg") else None,
    }
    label = Text(en="other programs", zh="其他程序")
    if busy is None:
        section.add("others", label, Text(en="the system does not tell", zh="系统未提供"))
        return []
    value = Text(
        en=f"kept {busy:.1f} of {cores.logical} cores busy meanwhile; étude has {product.threads} thread{'s' if product.threads > 1 else ''}",
        zh=f"测量期间占用 {cores.logical} 个核心中的 {busy:.1f} 个；étude 用 {product.threads} 个线程",
    )
    if busy <= cores.logical - product.threads + _IN_THE_WAY:
        section.add("others", label, value)
        return []
    advice = Text(en="They take cores that étude computes on, so the speeds above are too low: close them.",
                  zh="它们占用了 étude 计算所用的核心，上面的速度偏低：请关闭它们。")  # fmt: skip
    if product.threads == 1:
        section.add("others", label, value, "improvable", advice)
        return []
    alone = matrix_speed("float32", "cpu", share / 2, threads=1, size=product.size)
    command = None
    if alone.median > _GAIN * product.median:
        said = measured_text(alone)
        advice = Text(
            en=f"They take cores, and étude's {product.threads} threads wait for each other: one thread alone reaches {said.en}. Close "
            "them, or compute with fewer threads.",
            zh=f"它们占用了核心，étude 的 {product.threads} 个线程互相等待：单线程反而可达 {said.zh}。请关闭它们，或减少线程。",
        )
        command = system.set_variable("OMP_NUM_THREADS", str(max(1, product.threads // 2)))
    section.add("others", label, value, "improvable", advice, command)
    return [alone]
