"""What many members cost as one model, beside one of them trained by a loop written by hand, and by `fit`.

    python -m bench.fit_many [--threads 1 2] [--members 16] [--repeats 7]

Prints a table and writes nothing. A time is that of one step: the median over the repeats, with the
smallest and the largest. The repeats of all ways take turns, so that a machine that slows down slows all of them.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time
from collections.abc import Callable, Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import nn

from etude.data.batches import epoch_order
from etude.tasks.classification import Classification
from etude.train.fit import Step, fit
from etude.train.fit_many import ManyStep, fit_many
from etude.train.recipe import Recipe
from etude.train.stacked import StackedModel

TARGETS = {((2, 16, 16, 2), 32): 2, ((64, 64, 10), 64): 3, ((784, 128, 10), 128): 6}
ALSO = [((784, 128, 10), 32)]  # no target: how the ratio moves when one seed has less to compute
EXAMPLES, SECONDS = 4096, 0.15


class Batches:
    """Batches of tensors in the order that `fit` derives; what its loop needs of data, with nothing an item."""

    resumes_mid_epoch, validation, test = True, None, None

    def __init__(self, inputs: torch.Tensor, labels: torch.Tensor, batch_size: int, seed: int) -> None:
        self.inputs, self.labels, self.batch_size, self.seed = inputs, labels, batch_size, seed

    def __len__(self) -> int:
        return len(self.labels) // self.batch_size

    def batches(self, epoch: int, after: int = 0) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        order = torch.from_numpy(epoch_order(len(self.labels), self.seed, epoch))
        for rows in order.split(self.batch_size)[after : len(self)]:
            yield self.inputs[rows], self.labels[rows]


def by_hand(model: nn.Module, data: Batches, recipe: Recipe) -> Iterator[float]:
    """The loop that a learner writes."""
    if recipe.optimizer == "sgd":
        optimizer: torch.optim.Optimizer = torch.optim.SGD(
            model.parameters(), recipe.learning_rate, 0.9, nesterov=True
        )
    else:
        optimizer = torch.optim.Adam(model.parameters(), recipe.learning_rate)
    for epoch in itertools.count():
        for inputs, labels in data.batches(epoch):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(inputs), labels)
            loss.backward()
            optimizer.step()
            yield loss.item()


def ways(sizes: Sequence[int], batch_size: int, optimizer: str, members: int) -> dict[str, Callable[[], None]]:
    """One step of each way of training, each with a state of its own."""
    chance = torch.Generator().manual_seed(0)
    inputs = torch.randn(EXAMPLES, sizes[0], generator=chance)
    labels = torch.randint(0, sizes[-1], (EXAMPLES,), generator=chance)

    def make_model() -> nn.Module:
        pairs = itertools.pairwise(sizes)
        layers = [layer for a, b in pairs for layer in (nn.Linear(a, b), nn.ReLU())]
        return nn.Sequential(*layers[:-1])

    recipes = [
        Recipe(
            seed=seed, optimizer=optimizer, learning_rate=0.001, batch_size=batch_size, epochs=10**6, device="cpu",
            weight_decay=0.0, schedule="constant", precision="float32",
        )
        for seed in range(members)
    ]  # fmt: skip
    one = Batches(inputs, labels, batch_size, 0)
    many = (inputs, labels)
    rates = [r.model_copy(update={"learning_rate": 0.001 * (1 + r.seed)}) for r in recipes]
    steps: dict[str, Iterator] = {
        "by hand": by_hand(make_model(), one, recipes[0]),
        "fit": (r for r in fit(Classification(make_model()), one, recipes[0]) if isinstance(r, Step)),
        "many": _steps(fit_many(StackedModel.begin(make_model, recipes), many, recipes)),
        "shared": _steps(fit_many(StackedModel.begin(make_model, recipes), many, recipes, order_seed=0)),
        "rates": _steps(fit_many(StackedModel.begin(make_model, rates), many, rates)),
    }
    return {name: lambda records=records: next(records) and None for name, records in steps.items()}


def _steps(records: Iterator) -> Iterator[ManyStep]:
    return (record for record in records if isinstance(record, ManyStep))


def measure(calls: dict[str, Callable[[], None]], repeats: int) -> dict[str, list[float]]:
    """Microseconds a step, ``repeats`` of each, taken in turns after a warm-up."""
    counts = {}
    for name, call in calls.items():
        for _ in range(5):
            call()
        counts[name] = max(5, int(SECONDS / (_timed(call, 10) * 1e-6)))
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            times[name].append(_timed(call, counts[name]))
    return times


def _timed(call: Callable[[], None], count: int) -> float:
    start = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - start) / count * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--members", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=7)
    asked = parser.parse_args()
    print(f"torch {torch.__version__}, {asked.members} members; microseconds a step: median (smallest-largest)")
    print("| threads | network | batch | optimiser | one by hand | one by fit | many | ÷ hand | ÷ fit | target "
          "| one order ÷ hand | own step sizes ÷ hand |")  # fmt: skip
    print("|" + "---|" * 12)
    cases = [*TARGETS, *ALSO]
    for threads, (sizes, batch_size), optimizer in itertools.product(asked.threads, cases, ("sgd", "adam")):
        torch.set_num_threads(threads)
        times = measure(ways(sizes, batch_size, optimizer, asked.members), asked.repeats)
        mid = {name: statistics.median(values) for name, values in times.items()}
        spread = {name: f"{mid[name]:.0f} ({min(v):.0f}-{max(v):.0f})" for name, v in times.items()}
        ratios = [mid["many"] / mid["by hand"], mid["many"] / mid["fit"]]
        others = [mid["shared"] / mid["by hand"], mid["rates"] / mid["by hand"]]
        print(
            f"| {threads} | {'-'.join(map(str, sizes))} | {batch_size} | {optimizer} | {spread['by hand']} | {spread['fit']} "
            f"| {spread['many']} | {ratios[0]:.2f} | {ratios[1]:.2f} | {TARGETS.get((sizes, batch_size), '')} "
            f"| {others[0]:.2f} | {others[1]:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
