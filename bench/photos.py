"""Few photographs: networks beside logistic regression on colours: ``python -m bench.photos FOLDER``.

Five folds, in which the copies of a picture stay together. In each, on the same pictures,

- logistic regression on the standardised colours of each picture: 8×8×8 cells of red, green and blue, and 16 bins of each
  of red, green, blue, hue, saturation and value; its penalty chosen by cross-validation within the training part;
- LeNet-5 from random weights, with the recipe that `etude.train.recommended` has for it;
- ResNet-20 with the weights that étude ships (CIFAR-10), fine-tuned with that of `etude.train.fine_tuning`.

The recipes are fixed beforehand; nothing is chosen by a test part, and no epoch either (the last weights count). Each
network's accuracy in a fold is the mean over ``--seeds`` runs. The intervals are Student's (99 %), over the folds; for
differences also over the distinct pictures, which is narrower, because it takes the five training parts as given.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from etude.core.seeds import seed_everything
from etude.data.cache import decode_files
from etude.data.catalog import channel_statistics
from etude.data.dataset import Examples, ImageData
from etude.data.look import choose_classes, same_pictures
from etude.data.scan import scan_folder
from etude.models.catalog import build_model
from etude.study.interval import estimate
from etude.tasks.classification import Classification
from etude.train.feed import as_feed, steps_per_epoch
from etude.train.fit import fit
from etude.train.pretrained import pretrained_weights
from etude.train.recommended import recommend
from etude.train.state import State
from etude.train.weights import apply_weights

FOLDS, NETWORK_SIDE, COLOUR_SIDE = 5, 32, 64
TITLES = {
    "colours": "logistic regression",
    "lenet5": "random weights",
    "resnet20": "fine-tuned",
}

Fold = tuple[NDArray[Any], NDArray[Any]]
Way = Callable[[NDArray[Any], NDArray[Any], int], NDArray[Any]]  # which of the test pictures it is right about


class Photos:
    """The pictures of a folder in two sizes, their labels, and which of them are copies of each other."""

    def __init__(self, folder: Path, settle_copies: bool) -> None:
        scan = scan_folder(folder)
        paths = [picture.path for picture in scan.pictures]
        small = decode_files(paths, image_size=NETWORK_SIDE)
        large = decode_files(paths, image_size=COLOUR_SIDE)
        pictures = [scan.pictures[index] for index in small.files]
        self.classes = choose_classes(scan, pictures)
        self.labels = np.array([self.classes.index(each.label) for each in pictures], dtype=np.int64)
        self.groups = np.arange(len(pictures))
        for copies in same_pictures(small.digests):
            self.groups[copies] = copies[0]
        self.rows = self._settled() if settle_copies else np.arange(len(pictures))
        self.small, self.large = small.images, np.asarray(large.images)

    def folds(self) -> Iterator[Fold]:
        """Rows to train on and rows to test on."""
        from sklearn.model_selection import StratifiedGroupKFold

        split = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
        for train, test in split.split(self.rows, self.labels[self.rows], self.groups[self.rows]):
            yield self.rows[train], self.rows[test]

    def data(self, train: NDArray[Any], test: NDArray[Any], statistics: Any = None) -> ImageData:
        """One fold as `fit` takes it, normalised by the training part, or as trained weights want it."""
        part = [Examples(self.small, self.labels[rows], rows) for rows in (train, train[:0], test)]
        mean, std = statistics or channel_statistics(self.small, train)
        return ImageData("photos", self.classes, *part, mean, std, "", {}, ("flip", "crop"))

    def _settled(self) -> NDArray[Any]:
        """Of a picture in two classes, the one in the smaller class."""
        sizes = np.bincount(self.labels)
        kept = {}
        for row in np.argsort(-sizes[self.labels], kind="stable"):
            kept[self.groups[row]] = row
        return np.sort(np.array(list(kept.values())))


def colours(images: NDArray[Any]) -> NDArray[Any]:
    """Shares of the pixels by colour, float64 ``[n, 512 + 96]``, from uint8 ``[n, 3, height, width]``."""
    from matplotlib.colors import rgb_to_hsv

    cells = (images.astype(np.int64) // 32).transpose(1, 0, 2, 3).reshape(3, len(images), -1)
    cells = (cells[0] * 8 + cells[1]) * 8 + cells[2]
    joint = [np.bincount(each, minlength=512) for each in cells]
    shares = images.transpose(0, 2, 3, 1) / 255.0
    channels = np.concatenate([shares, rgb_to_hsv(shares)], axis=-1).reshape(len(images), -1, 6)
    single = [[np.histogram(each[:, c], 16, (0, 1))[0] for c in range(6)] for each in channels]
    return np.concatenate([joint, np.reshape(single, (len(images), -1))], axis=1) / cells.shape[1]


def logistic_regression(photos: Photos) -> Way:
    """Logistic regression on colours, with its penalty chosen within the training part."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, StratifiedKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    inputs, labels = colours(photos.large), photos.labels

    def way(train: NDArray[Any], test: NDArray[Any], seed: int) -> NDArray[Any]:
        search = GridSearchCV(
            make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000)),
            {"logisticregression__C": 10.0 ** np.arange(-5, 2)},
            cv=StratifiedKFold(5, shuffle=True, random_state=0),
        )
        return search.fit(inputs[train], labels[train]).predict(inputs[test]) == labels[test]

    return way


def network(photos: Photos, name: str, *, fine_tuned: bool, **chosen: Any) -> Way:
    """A network trained with étude's recommended recipe, from random or from shipped weights."""
    weights = pretrained_weights(name) if fine_tuned else None

    def way(train: NDArray[Any], test: NDArray[Any], seed: int) -> NDArray[Any]:
        wanted = {"keep": "last", "seed": seed} | chosen
        recipe = recommend(name, len(train), wanted, trained=weights is not None)
        data = photos.data(train, test, weights.normalisation if weights else None)
        seed_everything(recipe.seed)
        dropout = {} if recipe.dropout is None else {"dropout": recipe.dropout}
        net = build_model(name, data.input_shape, data.num_classes, **dropout)
        if weights:
            apply_weights(net, weights.tensors, weights.where)
        task = Classification(net, recipe.label_smoothing)
        feed = as_feed(data, recipe, None, task)
        state = State.begin(task, recipe, steps_per_epoch(feed, recipe))
        for _ in fit(task, feed, state=state):
            pass
        state.keep_final_weights()
        net.eval()
        with torch.inference_mode(), state.autocast():
            probabilities, labels = task.predict(feed.test)
        return (probabilities.argmax(1) == labels).numpy()

    return way


def right(way: Way, folds: Sequence[Fold], seeds: int) -> list[NDArray[Any]]:
    """For each fold, how often each of its test pictures is told rightly, over the seeds."""
    return [np.mean([way(*fold, seed) for seed in range(seeds)], axis=0) for fold in folds]


def show(name: str, values: Sequence[float], signed: bool = False) -> None:
    """A line of percentages: each fold, and the mean with its 99 % interval over them."""
    each = "  ".join(f"{100 * value:{'+' if signed else ''}6.1f}" for value in values)
    print(f"{name:<38} {each}   {interval(values)}", flush=True)


def interval(values: Sequence[float]) -> str:
    found = estimate([float(value) for value in values])
    return f"{100 * found.mean:.1f} [{100 * found.low:.1f}, {100 * found.high:.1f}]"


def compare(
    name: str, photos: Photos, folds: Sequence[Fold], one: list[NDArray[Any]], other: list[NDArray[Any]]
) -> None:
    """How much more often ``one`` is right: over the folds, and over the pictures (copies count as one)."""
    gains = [first - second for first, second in zip(one, other)]
    show(name, [float(gain.mean()) for gain in gains], signed=True)
    groups = photos.groups[np.concatenate([test for _, test in folds])]
    pooled = np.concatenate(gains)
    print(
        f"{'  over distinct pictures':<38} {interval([float(pooled[groups == g].mean()) for g in np.unique(groups)])}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="CLASS/PICTURE")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each network in each fold")
    parser.add_argument(
        "--settle-copies", action="store_true", help="of a picture in two classes, keep that in the smaller"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    photos = Photos(arguments.folder, arguments.settle_copies)
    counts = np.bincount(photos.labels[photos.rows])
    print(", ".join(f"{count} {name}" for name, count in zip(photos.classes, counts)))
    ways = {
        "colours": logistic_regression(photos),
        "lenet5": network(photos, "lenet5", fine_tuned=False),
        "resnet20": network(photos, "resnet20", fine_tuned=True),
    }
    folds = list(photos.folds())
    found = {}
    for name, way in ways.items():
        found[name] = right(way, folds, 1 if name == "colours" else arguments.seeds)
        show(f"{name}: {TITLES[name]}", [float(each.mean()) for each in found[name]])
    for one, other in (("lenet5", "colours"), ("resnet20", "colours"), ("resnet20", "lenet5")):
        compare(f"{one} - {other}", photos, folds, found[one], found[other])


if __name__ == "__main__":
    main()
