"""The trained networks that come with étude, made anew: ``python -m bench.train_shipped lenet5-mnist``.

Trains one, on data that must be there (``--data-dir``; MNIST and CIFAR-10 are downloaded where the network allows), and
puts ``run.json`` and ``weights.safetensors`` where étude looks for them. With ``--from RUN`` a run that is finished
already, made with the same recipe, is taken as it is. The LeNets take a minute on one core, ResNet-20 three quarters of an hour.
"""

from __future__ import annotations

import argparse
import copy
import tempfile
from pathlib import Path
from typing import Any

import torch

import etude
from etude.core.devices import tune_process
from etude.core.files import write_bytes, write_json
from etude.train.run import Run, open_run
from etude.train.start import start_run

RECIPES: dict[str, dict[str, Any]] = {
    "lenet5-mnist": {"data": "mnist", "model": "lenet5"},
    "lenet5-fashion-mnist": {"data": "fashion-mnist", "model": "lenet5"},
    "resnet20-cifar10": {"data": "cifar10", "model": "resnet20", "epochs": 30, "precision": "bf16"},
}
FOLDER = Path(etude.__file__).parent / "train" / "trained"


def train(name: str, data_dir: str | None, folder: Path) -> Run:
    """Train one with its recipe; the settings that it does not name are those that étude recommends."""
    settings = RECIPES[name] | {"run_dir": folder, "load": {"data_dir": data_dir}}
    with start_run(**settings) as session:
        for record in session:
            if hasattr(record, "improved"):
                print(f"epoch {record.epoch + 1}: {record.validation}", flush=True)
        session.finish()
    return session.run


def ship(run: Run, name: str, folder: Path = FOLDER) -> Path:
    """Copy what a trained network needs into ``folder/name``, without anything that tells of the machine.

    Raises:
        ValueError: the run is not finished, or was made with another recipe.
    """
    wanted = RECIPES[name]
    made = {"data": run.record["data"]["name"], "model": run.record["model"]["name"], **run.record["recipe"]}
    differing = [key for key, value in wanted.items() if made[key] != value]
    if not run.finished or differing:
        raise ValueError(
            f"{run.path} is not a finished run of {name}: {', '.join(differing) or 'not finished'}"
        )
    target = folder / name
    target.mkdir(parents=True, exist_ok=True)
    write_bytes(target / "weights.safetensors", run.weights.read_bytes())
    write_json(target / "run.json", without_machine(run.record, name))
    return target


def without_machine(record: dict[str, Any], name: str) -> dict[str, Any]:
    """A run's record with the folders and the system of the machine taken out; the data is found by its name."""
    record = copy.deepcopy(record) | {"name": name}
    data = record["data"]
    data["load"] = (data.get("load") or {}) | {"name_or_path": data["name"], "data_dir": None}
    data["source"] = {key: value for key, value in data["source"].items() if not _is_path(value)}
    record["versions"]["system"] = record["versions"]["system"].split(" ")[0]
    return record


def _is_path(value: Any) -> bool:
    return isinstance(value, str) and Path(value).is_absolute()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+", choices=list(RECIPES), metavar="NAME", help=", ".join(RECIPES))
    parser.add_argument("--data-dir", help="where downloaded data sets are")
    parser.add_argument("--from", dest="source", metavar="RUN", help="a run finished already, for one NAME")
    arguments = parser.parse_args()
    if arguments.source and len(arguments.names) > 1:
        parser.error("--from goes with one NAME")
    tune_process()
    torch.set_num_threads(1)  # the number decides the rounding, and with it the weights
    for name in arguments.names:
        with tempfile.TemporaryDirectory() as folder:
            run = open_run(arguments.source) if arguments.source else None
            run = run or train(name, arguments.data_dir, Path(folder) / name)
            print(f"{name}: {run.results} -> {ship(run, name)}")


if __name__ == "__main__":
    main()
