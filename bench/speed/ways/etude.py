"""What ``etude train`` does, from its own functions: a file of arrays in, a run with its report out.

It is not the command itself only because a recipe is needed that is the peers' in everything (`etude train` would
average LeNet-5's weights, for instance), and because one of the networks is not étude's.
"""

import tempfile
from pathlib import Path
from typing import Any

from bench.speed.job import Job, answer

CATALOGUE = ("lenet5", "resnet18", "resnet20", "resnet32", "resnet44", "resnet56", "resnet110")


def train(job: Job, **engine: Any) -> float:
    from etude.cli.clock import since_enter
    from etude.cli.output import Output
    from etude.cli.training import prepare_process, train_to_the_end

    prepare_process()
    from etude import Recipe, load_data, start_run

    if job.net in CATALOGUE:
        model = job.net
    else:
        from bench.speed.nets import NETS

        model = NETS[job.net]()
    recipe = Recipe(
        epochs=job.epochs,
        batch_size=job.batch_size,
        optimizer=job.optimizer,
        learning_rate=job.learning_rate,
        schedule="constant",
        weight_decay=0.0,
        augment=job.augment,
        keep="last",
        seed=job.seed,
        **engine,
    )
    with tempfile.TemporaryDirectory() as folder:
        data = load_data(Path(job.folder) / "data.npz", seed=job.seed)
        session = start_run(data, model, recipe, run_dir=Path(folder) / "run")
        train_to_the_end(session, Output("en"), since_enter)
        return session.run.results["test_accuracy"]


if __name__ == "__main__":
    answer(train)
