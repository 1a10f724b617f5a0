"""The data of a comparison, written to a temporary folder for the processes that are compared."""

from __future__ import annotations

import io
import itertools
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

VALIDATION_SHARE = 0.15
"""Of the pictures that are not tested: what `etude.load_data` holds out of an ``.npz`` file."""

Arrays = dict[str, np.ndarray]


class NotAtHand(Exception):
    """The data of a comparison is not there; the message says where it should be."""


def write_job_data(source: Arrays, folder: Path, images: int, test: int, seed: int = 0) -> int:
    """Write ``images`` pictures in two parts, and ``test`` more: ``data.npz`` for étude, ``x_train.npy`` … for the peers.

    étude holds its validation part out of ``x_train`` of the archive by itself; the peers get as many.

    Returns:
        how many pictures there are to train on.
    """
    chance = np.random.default_rng(seed)
    chosen = chance.permutation(len(source["x_train"]))[:images]
    tested = chance.permutation(len(source["x_test"]))[:test]
    x, y = source["x_train"][chosen], source["y_train"][chosen]
    held = round(VALIDATION_SHARE * len(x))
    kept = len(x) - held
    parts = {
        "train": (x[:kept], y[:kept]),
        "validation": (x[kept:], y[kept:]),
        "test": (source["x_test"][tested], source["y_test"][tested]),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for part, (pictures, labels) in parts.items():
        np.save(folder / f"x_{part}.npy", pictures)
        np.save(folder / f"y_{part}.npy", labels)
    np.savez(folder / "data.npz", x_train=x, y_train=y, x_test=parts["test"][0], y_test=parts["test"][1])
    return kept


def mnist(data: Path | None) -> Arrays:
    """MNIST from ``data`` (four idx files); without it Fashion-MNIST, which comes with étude and is as large."""
    from etude.data.catalog import list_datasets
    from etude.data.named.mnist import find

    entry = list_datasets()["mnist" if data and find(data) else "fashion-mnist"]
    raw = entry.load(data or Path(), None)
    return {
        "x_train": raw.train_images[:, 0],
        "y_train": raw.train_labels,
        "x_test": raw.test_images[:, 0],
        "y_test": raw.test_labels,
    }


def cifar10(data: Path | None, most: int = 10_000) -> Arrays:
    """CIFAR-10's pictures, ``[n, 32, 32, 3]``: from JPEG or PNG files ``train`` and ``test/CLASS/*``, a folder or a tar file.

    Args:
        data: the folder that holds ``cifar10/``, ``cifar10.tar`` or ``cifar10-jpg.tar``.
        most: pictures of a part; the same number of each class.

    Raises:
        NotAtHand: there are none.
    """
    from PIL import Image

    parts: dict[str, dict[str, list[np.ndarray]]] = {"train": {}, "test": {}}
    for part, label, content in _files(data):
        pictures = parts[part].setdefault(label, [])
        if len(pictures) < most // 10:
            pictures.append(np.asarray(Image.open(io.BytesIO(content)).convert("RGB")))
    found: Arrays = {}
    for part, classes in parts.items():
        names = sorted(classes)
        found[f"x_{part}"] = np.concatenate([np.stack(classes[name]) for name in names])
        found[f"y_{part}"] = np.repeat(np.arange(len(names)), [len(classes[name]) for name in names])
    return found


def _files(data: Path | None) -> Iterator[tuple[str, str, bytes]]:
    """Part, class and content of each picture file."""
    folder = data / "cifar10" if data else Path("cifar10")
    packed = next(
        (path for path in (folder.with_suffix(".tar"), folder.with_name("cifar10-jpg.tar")) if path.is_file()),
        None,
    )
    if folder.is_dir():
        for part in ("train", "test"):
            for path in sorted((folder / part).glob("*/*")):
                yield part, path.parent.name, path.read_bytes()
    elif packed:
        with tarfile.open(packed) as archive:
            for member in archive:
                place = Path(member.name).parts
                if member.isfile() and len(place) >= 3 and place[-3] in ("train", "test"):
                    content = archive.extractfile(member)
                    assert content is not None
                    yield place[-3], place[-2], content.read()
    else:
        raise NotAtHand(
            f"CIFAR-10 is not at hand: put train/CLASS/*.jpg and test/CLASS/*.jpg into {folder}, and name its folder with --data"
        )


def photo_files(data: Path | None) -> list[tuple[str, bytes]]:
    """Class and content of every photograph in ``photos/CLASS/`` or ``photos.tar``, in the order of their names.

    Raises:
        NotAtHand: there are none.
    """
    folder = data / "photos" if data else Path("photos")
    if folder.is_dir():
        return [(path.parent.name, path.read_bytes()) for path in sorted(folder.glob("*/*.jpg"))]
    packed = folder.with_suffix(".tar")
    if not packed.is_file():
        raise NotAtHand(
            f"There are no photographs: put CLASS/*.jpg into {folder}, and name its folder with --data"
        )
    with tarfile.open(packed) as archive:
        members = sorted((m for m in archive if m.name.endswith(".jpg")), key=lambda member: member.name)
        return [(Path(m.name).parent.name, archive.extractfile(m).read()) for m in members]  # type: ignore[union-attr]


def write_photos(photos: list[tuple[str, bytes]], folder: Path, images: int) -> None:
    """``images`` photographs in ``train/CLASS``, and one of each class in ``val`` and in ``test``.

    One of each class comes first, then all in a random order that is the same each time. Where more are asked for than
    there are, they come again with some bytes after the end of the picture, which no decoder reads, so that nothing can
    take two files for one.
    """
    firsts = dict(photos)
    order = np.random.default_rng(0).permutation(len(photos))
    endless = itertools.chain(firsts.items(), itertools.cycle(photos[place] for place in order))
    for place, (label, content) in enumerate(itertools.islice(endless, images)):
        path = folder / "train" / label / f"{place:06}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content + place.to_bytes(8, "big"))
    for part in ("val", "test"):
        for label, content in firsts.items():
            path = folder / part / label / "one.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content + part.encode())
