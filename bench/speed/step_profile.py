"""Where the time of a training step goes: étude's network, number format and update, watched by torch's profiler.

``python -m bench.speed.step_profile --net resnet20 --batch-size 128`` prints ``{"step": seconds, "watched": seconds,
"groups": {GROUP: seconds a step while watched}}``.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Iterator
from statistics import median

from torch.profiler import ProfilerActivity, profile

from bench.speed.nets import NETS
from bench.speed.raw_loop import begin, by_hand, make_batches
from etude.core.devices import tune_process

GROUPS = {
    "products, convolutions": r"conv|linear|addmm|\bmm\b|bmm|matmul",
    "batch norm": r"batch_norm",
    "pooling": r"pool",
    "dropout": r"random_|bernoulli|dropout",
    "formats, copies": r"copy|\bto\b|contiguous|clone|reorder|\bcat\b|constant_pad|slice|as_strided|reshape|flatten",
    "update": r"_fused_|optimizer|zero_",
}
"""What an operation counts as, by its name: the first that fits."""
ELEMENTWISE, REST = "ReLU, sums, loss", "Python, dispatch"


def group_of(operation: str) -> str:
    """The group of an operation of torch, by its name."""
    name = operation.removeprefix("aten::")
    return next((group for group, pattern in GROUPS.items() if re.search(pattern, name)), ELEMENTWISE)


def watch(loop: Iterator, steps: int) -> tuple[float, dict[str, float]]:
    """Seconds of a step under the profiler, and of each group of operations in it; what is left is `REST`."""
    with profile(activities=[ProfilerActivity.CPU]) as watched:
        began = time.perf_counter()
        for _ in range(steps):
            next(loop)
        each = (time.perf_counter() - began) / steps
    groups = dict.fromkeys([*GROUPS, ELEMENTWISE], 0.0)
    for event in watched.key_averages():
        groups[group_of(event.key)] += event.self_cpu_time_total / 1e6 / steps
    return each, groups | {REST: max(each - sum(groups.values()), 0.0)}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--net", choices=sorted(NETS), default="lenet5")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=5.0)
    arguments = parser.parse_args()
    tune_process()
    state = begin(arguments.net, arguments.batch_size)
    loop = by_hand(state, make_batches(arguments.net, arguments.batch_size, state))
    for _ in range(3):
        next(loop)
    times, until = [], time.perf_counter() + arguments.seconds
    while len(times) < 5 or time.perf_counter() < until:
        began = time.perf_counter()
        next(loop)
        times.append(time.perf_counter() - began)
    watched, groups = watch(loop, min(max(len(times) // 2, 3), 200))
    print(json.dumps({"step": median(times), "watched": watched, "groups": groups}))


if __name__ == "__main__":
    main()
