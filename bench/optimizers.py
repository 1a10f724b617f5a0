"""Every optimiser on the same small network and data: how right it gets, and how long it takes.

    python -m bench.optimizers [--seeds 3] [--only sgd muon]

An MLP (64-512-256-10) on scikit-learn's digits (1,437 pictures of 8 x 8 to learn from, less the validation part), with the
settings that étude takes if nothing but the optimiser is set. Prints a table and writes nothing.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any, get_args

from etude.core.errors import EtudeError
from etude.core.seeds import seed_everything
from etude.data.catalog import load_data
from etude.models.catalog import build_model
from etude.tasks.classification import Classification
from etude.train.feed import as_feed, steps_per_epoch
from etude.train.fit import fit, measure
from etude.train.optimizer_defaults import suggested_settings
from etude.train.recipe import Optimizer, Recipe
from etude.train.recommended import recommend
from etude.train.state import State


def train(data: Any, optimizer: str, seed: int) -> tuple[float, float, Recipe]:
    """Test accuracy (0 to 1), seconds, and the recipe."""
    base = recommend("mlp", len(data.train)).model_dump()
    recipe = Recipe(
        **base | suggested_settings(optimizer, base, len(data.train)) | {"seed": seed, "device": "cpu"}
    )
    seed_everything(seed)
    task = Classification(build_model("mlp", data.input_shape, data.num_classes))
    began = time.perf_counter()
    feed = as_feed(data, recipe, None, task)
    state = State.begin(task, recipe, steps_per_epoch(feed, recipe))
    for _ in fit(task, feed, state=state):
        pass
    seconds = time.perf_counter() - began
    state.keep_final_weights()
    return measure(state, feed.test)["accuracy"], seconds, recipe


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=get_args(Optimizer), default=get_args(Optimizer))
    arguments = parser.parse_args()
    data = load_data("digits")
    print(
        "| optimiser | learning rate | schedule | batch | epochs | test accuracy (%) | smallest-largest | seconds |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for optimizer in arguments.only:
        try:
            runs = [train(data, optimizer, seed) for seed in range(arguments.seeds)]
        except EtudeError as error:
            print(f"| {optimizer} | refused: {error} |")
            continue
        right = [100 * accuracy for accuracy, _, _ in runs]
        r = runs[0][2]
        seconds = statistics.median(s for _, s, _ in runs)
        print(
            f"| {optimizer} | {r.learning_rate:g} | {r.schedule} | {r.batch_size} | {r.epochs} | {statistics.median(right):.2f} "
            f"| {min(right):.2f}-{max(right):.2f} | {seconds:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
