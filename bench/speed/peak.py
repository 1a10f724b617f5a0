"""The most that torch gets out of this machine in a matrix product, and what a step of a network asks for.

``python -m bench.speed.peak`` prints ``{"float32": TFLOP/s, "bf16": TFLOP/s, "flops": {NET: FLOPs of an image}}``.
"""

from __future__ import annotations

import json
import time

import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from bench.speed.nets import NETS

SIDES = (1024, 2048, 4096)
SHAPES = {"lenet5": (1, 28, 28), "mnistnet": (1, 28, 28), "resnet20": (3, 32, 32), "resnet18": (3, 32, 32)}


def matrix_peak(dtype: torch.dtype, sides: tuple[int, ...] = SIDES, seconds: float = 1.5) -> float:
    """TFLOP/s of the fastest of many square products in ``dtype``, with all threads.

    Args:
        sides: of the matrices; each is tried for ``seconds``, twice at least.
    """
    best = 0.0
    for side in sides:
        a, b = (torch.randn(side, side).to(dtype) for _ in range(2))
        out = torch.empty(side, side, dtype=dtype)
        torch.mm(a, b, out=out)
        until, times = time.perf_counter() + seconds, []
        while len(times) < 2 or time.perf_counter() < until:
            began = time.perf_counter()
            torch.mm(a, b, out=out)
            times.append(time.perf_counter() - began)
        best = max(best, 2 * side**3 / min(times) / 1e12)
    return best


def step_flops(net: str, batch_size: int = 8) -> float:
    """FLOPs of one training step for one image, forward and backward: products and convolutions only."""
    model = NETS[net]()
    inputs, labels = torch.randn(batch_size, *SHAPES[net]), torch.zeros(batch_size, dtype=torch.int64)
    with FlopCounterMode(display=False) as counter:
        F.cross_entropy(model(inputs), labels).backward()
    return counter.get_total_flops() / batch_size


if __name__ == "__main__":
    found = {name: matrix_peak(dtype) for name, dtype in (("float32", torch.float32), ("bf16", torch.bfloat16))}
    print(json.dumps(found | {"flops": {net: step_flops(net) for net in NETS}}))
