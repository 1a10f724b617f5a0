"""The catalogue of data sets: every module in ``named/``; and `load_data`.

Adding a data set is adding one file; listing, checks, command line and tests follow from it.
"""

from __future__ import annotations

import functools
import hashlib
import os
import pkgutil
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

import etude.data.named
from etude.core.errors import EtudeError, unknown
from etude.core.paths import data_dir as data_folder
from etude.core.seeds import derive_seed
from etude.core.text import Text
from etude.data.dataset import Examples, ImageData
from etude.data.entry import NamedDataset, Progress, RawImages
from etude.data.split import stratified_split

_TEST_SHARE = 0.2  # of a set that has no official test part
_ARCHIVES = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".7z", ".rar")


@functools.cache
def list_datasets() -> dict[str, NamedDataset]:
    """Every data set by its name."""
    names = [module.name for module in pkgutil.iter_modules(etude.data.named.__path__)]
    found = [import_module(f"etude.data.named.{name}").DATASET for name in names]
    return {each.name: each for each in found}


def load_data(
    name_or_path: str | os.PathLike[str],
    *,
    data_dir: str | os.PathLike[str] | None = None,
    seed: int = 0,
    validation_size: int | float | None = None,
    image_size: int | None = None,
    progress: Progress = None,
) -> ImageData:
    """A data set by its name, or a person's own folder of pictures, split in three.

    Args:
        name_or_path: a name of `list_datasets`; else a folder with one sub-folder a class, or with ``train/``,
            ``val/``, ``test/`` above those. A folder called like a data set is meant by ``./name``, or by a `Path`.
        data_dir: where downloaded data sets are (else ``ETUDE_DATA``).
        seed: the split follows from it.
        validation_size: examples held out of the training part (an int), or a fraction of it (a float below 1).
        image_size: the side of the squares that a folder's pictures become, in pixels.
        progress: called with (done, total) while downloading or decoding.

    Raises:
        EtudeError: there is no such data, or it is no good.

    Returns:
        the data. Its ``source["load"]`` holds the arguments that give the same again, its ``split`` the sizes of
        the parts, the seed, the rule, and the SHA-256 of the rows of each part.
    """
    name = os.fspath(name_or_path)
    load: dict[str, Any] = {
        "name_or_path": name,
        "data_dir": str(data_folder(data_dir).absolute()) if data_dir else None,
        "seed": seed,
        "validation_size": validation_size,
        "image_size": image_size,
    }
    _check_sizes(validation_size, image_size)
    if name in list_datasets() and (isinstance(name_or_path, str) or not Path(name).is_dir()):
        if image_size is not None:
            raise EtudeError(
                en=f"image_size is for your own folder of pictures; {name} has pictures of one size already.",
                zh=f"image_size 只用于自己的图片文件夹；{name} 的图片大小已经统一。",
            )
        entry = list_datasets()[name]
        data = _split(entry, entry.load(data_folder(data_dir), progress), seed, validation_size)
    else:
        path = _folder(name)
        load["name_or_path"] = str(path)
        from etude.data.folder import load_folder

        fraction = 0.15 if validation_size is None else validation_size
        data = load_folder(
            path, seed=seed, validation_fraction=fraction, image_size=image_size, progress=progress
        )
    split = {**data.split, "sha256": _rows_hash(data.train, data.validation, data.test)}
    return replace(data, split=split, source={**data.source, "load": load})


def _folder(name: str) -> Path:
    path = Path(os.path.expanduser(name)).absolute()  # unlike Path.expanduser it leaves an unknown ~user alone
    if path.is_dir() and name.strip():  # an empty name is an unset variable, not the current folder
        return path
    if path.is_file():
        packed = path.suffix.lower() in _ARCHIVES
        unpack = Text(en="unpack it and ", zh="请先解压，再") if packed else Text(en="", zh="请")
        known = ", ".join(list_datasets())
        raise EtudeError(
            en=f"'{name}' is a file; {unpack.en}give a folder of pictures (CLASS/*.jpg) or a data set: {known}.",
            zh=f"“{name}”是一个文件；{unpack.zh}给出图片文件夹（类别/*.jpg）或数据集名称：{known}。",
        )
    what = Text(en="data set or folder", zh="数据集或文件夹")
    raise unknown(what, name, list_datasets())


def _check_sizes(validation_size: int | float | None, image_size: int | None) -> None:
    share = isinstance(validation_size, float)
    if validation_size is not None and not (0 < validation_size < 1 if share else validation_size > 0):
        raise EtudeError(
            en=f"validation_size is {validation_size}; it must be a whole number of examples, or a fraction between 0 and 1.",
            zh=f"validation_size 为 {validation_size}；它必须是样本数（正整数），或 0 到 1 之间的比例。",
        )
    if image_size is not None and not 8 <= image_size <= 1024:
        raise EtudeError(
            en=f"image_size is {image_size}; it must be from 8 to 1024 pixels.",
            zh=f"image_size 为 {image_size}；它必须在 8 到 1024 像素之间。",
        )


def _split(entry: NamedDataset, raw: RawImages, seed: int, validation_size: int | float | None) -> ImageData:
    size = entry.validation_size if validation_size is None else validation_size
    images, labels = raw.train_images, raw.train_labels
    pool = np.arange(len(labels))
    rule = "stratified, seeded"
    if raw.test_images is None:
        pool, held = stratified_split(labels, _TEST_SHARE, derive_seed(seed, "test", entry.name))
        test = Examples(images, labels[held], held)
        rule += f"; {_TEST_SHARE:.0%} held out as the test part"
    else:
        test = Examples(raw.test_images, raw.test_labels)  # type: ignore[arg-type]
    if size >= len(pool):
        raise EtudeError(
            en=f"validation_size is {size}, but the training part of {entry.name} has {len(pool):,} examples.",
            zh=f"validation_size 为 {size}，但 {entry.name} 的训练集只有 {len(pool):,} 个样本。",
        )
    kept, held = stratified_split(labels[pool], size, derive_seed(seed, "validation", entry.name))
    if not len(held):
        raise EtudeError(
            en=f"validation_size is {size}, less than one example of the {len(pool):,} in {entry.name}; hold out more.",
            zh=f"validation_size 为 {size}，在 {entry.name} 的 {len(pool):,} 个样本中不足一个；请增大。",
        )
    train, validation = (Examples(images, labels[pool[rows]], pool[rows]) for rows in (kept, held))
    mean, std = channel_statistics(images, train.rows)
    channels, height, width = entry.input_shape
    split = {"train": len(train), "validation": len(validation), "test": len(test), "seed": seed, "rule": rule}
    return ImageData(
        name=entry.name,
        classes=entry.classes,
        train=train,
        validation=validation,
        test=test,
        mean=mean,
        std=std,
        fingerprint=fingerprint(train, validation, test),
        split=split,
        augmentations=entry.augmentations,
        preparation={
            "channels": channels,
            "height": height,
            "width": width,
            "fit": "pad",
            "background": entry.background,
        },
        source={"source": entry.source, "licence": entry.licence},
    )


def channel_statistics(
    images: np.ndarray, rows: np.ndarray | None
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel, on the scale where 255 is 1, from exact sums.

    A channel without variation gets the deviation 1, so that dividing by it changes nothing.
    """
    picked = np.arange(len(images)) if rows is None else rows
    channels, count = images.shape[1], len(picked) * images.shape[2] * images.shape[3]
    sums, squares = [0] * channels, [0] * channels
    for start in range(0, len(picked), 512):  # small enough to stay in the processor's cache
        chunk = images[picked[start : start + 512]].astype(np.float32)
        for channel in range(channels):
            values = chunk[:, channel].ravel()
            sums[channel] += int(values.sum(dtype=np.float64))
            squares[channel] += int(np.square(values, out=values).sum(dtype=np.float64))
    means = tuple(total / count / 255 for total in sums)
    variances = [(count * square - total**2) / count**2 for total, square in zip(sums, squares)]
    return means, tuple(float(np.sqrt(variance)) / 255 or 1.0 for variance in variances)


def fingerprint(*parts: Examples) -> str:
    """SHA-256 over the pictures, the labels and the split."""
    digest = hashlib.sha256()
    hashed: dict[int, bytes] = {}
    for part in parts:
        key = id(part.images)
        if key not in hashed:
            hashed[key] = hashlib.sha256(np.ascontiguousarray(part.images)).digest()
        digest.update(hashed[key])
        digest.update(np.ascontiguousarray(part.labels))
        digest.update(b"all" if part.rows is None else np.ascontiguousarray(part.rows))
    return digest.hexdigest()


def _rows_hash(*parts: Examples) -> str:
    """SHA-256 over which rows each part has: equal splits have equal ones."""
    digest = hashlib.sha256()
    for part in parts:
        rows = np.arange(len(part)) if part.rows is None else part.rows
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(np.ascontiguousarray(rows, dtype="<i8"))
    return digest.hexdigest()
