"""``fit`` beside the loop that somebody who knows all its tricks would write by hand, in blocks of steps that take turns.

``python -m bench.speed.raw_loop --net lenet5 --batch-size 64`` prints ``{"raw": [seconds a step …], "fit": [… ]}``.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.speed.nets import NETS
from bench.speed.peak import SHAPES
from etude.core.devices import tune_process
from etude.tasks.classification import Classification
from etude.train.choices import choose
from etude.train.fit import fit
from etude.train.recipe import Recipe
from etude.train.state import State

BATCHES = 20
"""Different ones; the loops go round them."""

Batch = tuple[Tensor, Tensor]


class Ready:
    """Batches made beforehand: neither loop is charged for them."""

    resumes_mid_epoch = True
    validation = test = None

    def __init__(self, batches: list[Batch]) -> None:
        self.ready = batches

    def __len__(self) -> int:
        return len(self.ready)

    def batches(self, epoch: int, after: int = 0) -> Iterator[Batch]:
        yield from self.ready[after:]


def begin(net: str, batch_size: int) -> State:
    """A state before its first step; the weights are the same each time."""
    torch.manual_seed(0)
    sgd = net.startswith("resnet")
    recipe = Recipe(
        steps=10**9,
        batch_size=batch_size,
        optimizer="sgd" if sgd else "adam",
        learning_rate=0.01 if sgd else 1e-3,
        schedule="constant",
        weight_decay=0.0,
    )
    task = Classification(NETS[net]())
    return State.begin(task, recipe, BATCHES, choose(recipe, dict(task.modules)))


def make_batches(net: str, batch_size: int, state: State) -> list[Batch]:
    layout = (
        torch.channels_last if state.choices.channels_last and SHAPES[net][0] > 1 else torch.contiguous_format
    )
    return [
        (
            torch.randn(batch_size, *SHAPES[net]).contiguous(memory_format=layout),
            torch.randint(10, (batch_size,)),
        )
        for _ in range(BATCHES)
    ]


def by_hand(state: State, batches: list[Batch]) -> Iterator[None]:
    """Step after step, with the engine's rewritten network, number format and update, and nothing else of it."""
    network, update = state.execution.model, state.updates["model"]  # type: ignore[attr-defined]
    bf16 = state.choices.precision == "bf16"
    state.task.modules["model"].train()
    while True:
        for inputs, labels in batches:
            update.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                loss = F.cross_entropy(network(inputs), labels)
            loss.backward()
            update.step()
            yield


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--net", choices=sorted(NETS), default="lenet5")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--blocks", type=int, default=30)
    parser.add_argument("--block-seconds", type=float, default=0.5)
    arguments = parser.parse_args()
    tune_process()
    ours, theirs = (begin(arguments.net, arguments.batch_size) for _ in range(2))
    batches = make_batches(arguments.net, arguments.batch_size, ours)
    loops = {
        "raw": by_hand(theirs, batches),
        "fit": fit(ours.task, Ready(copy.copy(batches)), state=ours),
    }
    steps = _steps_of_a_block(loops["raw"], arguments.block_seconds)
    for loop in loops.values():
        block(loop, max(steps // 2, 3))
    times: dict[str, list[float]] = {name: [] for name in loops}
    for number in range(arguments.blocks):
        # who goes first changes: a machine that slows down would favour the same one each time
        for name in list(loops)[:: 1 if number % 2 else -1]:
            times[name].append(block(loops[name], steps))
    print(json.dumps(times))


def _steps_of_a_block(loop: Iterator, seconds: float) -> int:
    block(loop, 3)
    return max(3, int(seconds / block(loop, 3)))


def block(loop: Iterator, steps: int) -> float:
    """Seconds a step over a block of steps; an epoch's end counts with them and is no step."""
    began = time.perf_counter()
    done = 0
    while done < steps:
        record = next(loop)
        done += not hasattr(record, "improved")
    return (time.perf_counter() - began) / steps


if __name__ == "__main__":
    main()
