"""Tables: étude beside scikit-learn's ridge and logistic regression, on equal splits over ten seeds.

    python -m bench.tables [--seeds 10] [--model NAME] [DATA …]

For each seed the data is split anew. étude trains with what `etude train` would choose; scikit-learn gets the same
prepared features, and both the training and the validation part (its strength of the penalty is chosen by cross-validation
inside them). Both are measured on the same test part. Printed: the mean of each, and the mean difference with its 99 %
interval: étude does *as well* when the interval reaches above zero, and *better* when it lies above.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegressionCV, RidgeCV

from etude.data.catalog import load_data
from etude.data.table import TableData
from etude.study.interval import estimate
from etude.train.start import start_run

PENALTIES = np.logspace(-3, 4, 29)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "data", nargs="*", default=["diabetes", "wine", "iris", "breast-cancer"], metavar="DATA"
    )
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--model", default=None)
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", module="sklearn")  # of settings that scikit-learn is going to rename
    print("| data | measure | étude's model | étude | scikit-learn | difference (99 %) | as well | s a run |")
    print("|---|---|---|---|---|---|---|---|")
    for name in arguments.data:
        print(compare(name, arguments.seeds, arguments.model), flush=True)


def compare(name: str, seeds: int, model: str | None) -> str:
    """A row of the table."""
    ours, theirs, seconds = [], [], []
    for seed in range(seeds):
        data = load_data(name, seed=seed)
        began = time.perf_counter()
        found, used = by_etude(data, seed, model)
        seconds.append(time.perf_counter() - began)
        ours.append(found)
        theirs.append(by_scikit_learn(data))
    gap = estimate([a - b for a, b in zip(ours, theirs)])
    measure = "R²" if data.kind == "regression" else "accuracy"
    return (
        f"| {name} | {measure} | {used} | {np.mean(ours):.4f} | {np.mean(theirs):.4f} | {gap.mean:+.4f} "
        f"({gap.low:+.4f} to {gap.high:+.4f}) | {'yes' if gap.high >= 0 else 'no'} | {np.median(seconds):.1f} |"
    )


def by_etude(data: TableData, seed: int, model: str | None) -> tuple[float, str]:
    """R² or accuracy on the test part, and the model that was trained."""
    with tempfile.TemporaryDirectory() as folder:
        session = start_run(data, model, run_dir=Path(folder) / "run", seed=seed)
        for _ in session:
            pass
        results = session.finish()
        used = session.run.record["model"]["name"]
    return results["test_r2" if data.kind == "regression" else "test_accuracy"], used


def by_scikit_learn(data: TableData) -> float:
    """The same of ridge or logistic regression."""
    features = np.concatenate([data.train.features, data.validation.features])
    targets = np.concatenate([data.train.targets, data.validation.targets])
    if data.kind == "regression":
        fitted = RidgeCV(PENALTIES).fit(features, targets)
    else:
        fitted = LogisticRegressionCV(Cs=1 / PENALTIES[::4], cv=5, max_iter=2000).fit(features, targets)
    return float(fitted.score(data.test.features, data.test.targets))


if __name__ == "__main__":
    main()
