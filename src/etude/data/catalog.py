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
from etude.data.entry import Entry, NamedDataset, NamedTable, Progress, RawImages
from etude.data.load_table import RawTable, TableTask, load_table, make_table
from etude.data.split import stratified_split
from etude.data.table import TableData, TableExamples

_TEST_SHARE = 0.2  # of a set that has no official test part
_ARCHIVES = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".7z", ".rar")
_FILES = (".csv", ".tsv", ".tab", ".txt", ".data", ".npz")
_WORKBOOKS = (".xlsx", ".xls", ".ods", ".parquet", ".feather", ".json", ".pkl", ".mat", ".arff")


@functools.cache
def list_datasets() -> dict[str, Entry]:
    """Every data set by its name: those of pictures and the tables."""
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
    room_to_crop: bool = False,
    target: str | None = None,
    task: TableTask | None = None,
    progress: Progress = None,
) -> ImageData | TableData:
    """A data set by its name, or a person's own folder of pictures or file with a table, split in three.

    Args:
        name_or_path: a name of `list_datasets`; else a folder with one sub-folder a class, or with ``train/``,
            ``val/``, ``test/`` above those; or a file of delimited text (CSV, TSV) or NumPy's arrays (``.npz``). A
            folder called like a data set is meant by ``./name``, or by a `Path`.
        data_dir: where downloaded data sets are (else ``ETUDE_DATA``).
        seed: the split follows from it.
        validation_size: examples held out of the training part (an int), or a fraction of it (a float below 1).
        image_size: the side of the squares that a folder's pictures become, in pixels.
        room_to_crop: keep a folder's pictures larger than that, for random resized crops to be cut from; they are
            decoded as they are first wanted. No difference elsewhere.
        target: the column of a table to be learnt; None: one called target, label, class or y, else the last one.
        task: what to do with it, classification or regression; None: classification of text and of at most 20
            different whole numbers.
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
    if room_to_crop:
        load["room_to_crop"] = True
    _check_sizes(validation_size, image_size)
    named = name in list_datasets() and (isinstance(name_or_path, str) or not Path(name).is_dir())
    entry = list_datasets()[name] if named else None
    path = None if named else _own(name)
    is_table = isinstance(entry, NamedTable) or (path is not None and not path.is_dir())
    if not is_table:
        _refuse_given(name, {"target": target, "task": task}, Text(en="tables", zh="表格"))
    if is_table or named:
        _refuse_given(
            name, {"image_size": image_size}, Text(en="your own folder of pictures", zh="自己的图片文件夹")
        )
    if path is not None:
        load["name_or_path"] = str(path)
    if is_table:
        load |= {"target": target, "task": task}
    how = {"seed": seed, "validation_size": validation_size}
    if isinstance(entry, NamedTable):
        source = {"source": entry.source, "licence": entry.licence}
        known = task or ("classification" if entry.classes else "regression") if target is None else task
        data: ImageData | TableData = make_table(
            name, entry.load(), **how, target=target, task=known, source=source
        )
    elif entry is not None:
        data = _split(entry, entry.load(data_folder(data_dir), progress), **how)
    elif path is not None and is_table:
        data = _load_file(path, **how, target=target, task=task)
    else:
        from etude.data.folder import load_folder

        fraction = 0.15 if validation_size is None else validation_size
        sizes = {"image_size": image_size, "room_to_crop": room_to_crop}
        data = load_folder(path, seed=seed, validation_fraction=fraction, **sizes, progress=progress)
    split = {**data.split, "sha256": _rows_hash(data.train, data.validation, data.test)}
    return replace(data, split=split, source={**data.source, "load": load})


def _load_file(path: Path, *, target: str | None, task: TableTask | None, **how: Any) -> ImageData | TableData:
    if path.suffix.lower() != ".npz":
        return load_table(path, **how, target=target, task=task)
    from etude.data.npz import read_npz

    found, source = read_npz(path), {"path": str(path)}
    if isinstance(found, RawTable):
        return make_table(path.stem, found, **how, target=target, task=task, source=source)
    entry, raw, findings = found
    _refuse_given(path.name, {"target": target, "task": task}, Text(en="tables", zh="表格"))
    data = _split(entry, raw, **how)
    return replace(data, findings=findings, source=source)


def _refuse_given(name: str, options: dict[str, Any], where: Text) -> None:
    for option, value in options.items():
        if value is not None:
            raise EtudeError(
                en=f"{option} is '{value}', but {option} is for {where.en} only, which {name} is not; leave it out.",
                zh=f"{option} 为“{value}”，但 {option} 只用于{where.zh}，而 {name} 不是；请去掉它。",
            )


def _own(name: str) -> Path:
    """The person's own folder or file that is meant."""
    path = Path(os.path.expanduser(name)).absolute()  # unlike Path.expanduser it leaves an unknown ~user alone
    if path.is_dir() and name.strip():  # an empty name is an unset variable, not the current folder
        return path
    if path.exists() and name.strip():
        if path.name.lower().removesuffix(".gz").endswith(_FILES):
            return path
        packed = path.suffix.lower() in _ARCHIVES
        unpack = Text(en="unpack it and ", zh="请先解压，再") if packed else Text(en="", zh="请")
        if path.suffix.lower() in _WORKBOOKS:
            unpack = Text(en="save the table as CSV, or ", zh="请把表格另存为 CSV，或")
        known = ", ".join(list_datasets())
        raise EtudeError(
            en=f"'{name}' is a file; {unpack.en}give a folder of pictures (CLASS/*.jpg), a table (.csv, .tsv, .npz) "
            f"or a data set: {known}.",
            zh=f"“{name}”是一个文件；{unpack.zh}给出图片文件夹（类别/*.jpg）、表格（.csv、.tsv、.npz）或数据集名称：{known}。",
        )
    what = Text(en="data set, folder or table", zh="数据集、文件夹或表格")
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


def _rows_hash(*parts: Examples | TableExamples) -> str:
    """SHA-256 over which rows each part has: equal splits have equal ones."""
    digest = hashlib.sha256()
    for part in parts:
        rows = np.arange(len(part)) if part.rows is None else part.rows
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(np.ascontiguousarray(rows, dtype="<i8"))
    return digest.hexdigest()
