"""A person's own folder of pictures as a data set."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Container, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from etude.core.errors import EtudeError
from etude.core.seeds import derive_seed
from etude.core.text import Text
from etude.data.cache import Decoded, Progress, decode_files
from etude.data.catalog import channel_statistics, fingerprint
from etude.data.dataset import Examples, ImageData
from etude.data.folder_parts import divide, look_over_parts
from etude.data.kept_cache import Looked, is_large, look_at_files
from etude.data.lazy import Damaged
from etude.data.look import (
    PARTS,
    choose_classes,
    look_for_copies,
    look_over_classes,
    look_over_files,
    same_pictures,
)
from etude.data.sample_statistics import sample_statistics
from etude.data.scan import Part, Picture, scan_folder

_Loaded = TypeVar("_Loaded")

SAMPLE = 256
"""How many training pictures give mean and standard deviation where training does not wait for all of them."""


def load_folder(
    path: Path,
    *,
    seed: int,
    validation_fraction: float = 0.15,
    image_size: int | None = None,
    room_to_crop: bool = False,
    progress: Progress = None,
) -> ImageData:
    """The pictures in ``CLASS/…``, or in ``train/CLASS/…`` with or without ``val`` and ``test``, looked over and split.

    ImageNet's own layout is known too (`etude.data.scan.scan_folder`). A part that the folder lacks is held out of the training pictures: stratified, seeded, with the
    copies of a picture always in one part. Grey pictures are only moved by augmentation, never mirrored:
    they are often letters and digits.

    A folder of many photographs (`kept_cache.MANY_BYTES`), or one whose pictures are kept larger, is looked over by the bytes
    of its files: copies are files of equal bytes, ``fingerprint`` is over bytes, preparation and split, ``mean`` and
    ``std`` are those of `SAMPLE` training pictures. The pixels of many are decoded while training goes on. All that is the
    same whether the cache has them or not. Other folders are decoded first; copies are pictures of equal pixels then.

    Args:
        path: the folder.
        seed: the split follows from it.
        validation_fraction: share of the pictures held out for validation; from 1 on, how many of them.
        image_size: the side of the squares that the pictures become, in pixels; None: one that suits them.
        room_to_crop: keep the pictures larger than that, so that random resized crops are cut from the whole picture.
        progress: called with (done, total) while pictures are decoded.

    Raises:
        EtudeError: there is nothing to learn from in the folder.
    """
    return without_damaged(
        lambda damaged: _load_folder(
            path, seed, validation_fraction, image_size, room_to_crop, progress, damaged
        )
    )


def without_damaged(load: Callable[[frozenset[Path]], _Loaded]) -> _Loaded:
    """What ``load`` gives; where it finds files damaged as it decodes them, it is called again with these."""
    damaged: frozenset[Path] = frozenset()
    while True:
        try:
            return load(damaged)
        except Damaged as found:
            damaged |= set(found.paths)


def _load_folder(
    path: Path,
    seed: int,
    validation_fraction: float,
    image_size: int | None,
    room_to_crop: bool,
    progress: Progress,
    damaged: frozenset[Path],
) -> ImageData:
    scan = scan_folder(path)
    paths = [each.path for each in scan.pictures]
    large = is_large(paths)
    decoded: Decoded | Looked
    if large or room_to_crop:
        decoded = look_at_files(
            paths, image_size=image_size, room_to_crop=room_to_crop, damaged=damaged, progress=progress
        )
    else:
        decoded = decode_files(paths, image_size=image_size, progress=progress)
    pictures = [scan.pictures[index] for index in decoded.files]
    classes = choose_classes(scan, pictures)
    labels = _labels(pictures, classes)
    copies = same_pictures(decoded.digests)
    rows, rule, told = divide(path, pictures, labels, copies, seed, validation_fraction)
    parts = {part: _examples(decoded.images, labels, pictures, rows[part]) for part in PARTS}
    counts = np.bincount(labels, minlength=len(classes)).tolist()
    if isinstance(decoded, Looked):
        sample = _sampled(rows["train"], seed)
        decoded.images.wait(sample if large else None, _second_half(progress))
        mean, std = sample_statistics(decoded.images, sample)
        print_of_data = _fingerprint_of_files(decoded, labels, rows)
    else:
        mean, std = channel_statistics(decoded.images, rows["train"])
        print_of_data = fingerprint(parts["train"], parts["validation"], parts["test"])
    findings = [
        *look_over_files(scan, decoded.unreadable),
        *look_over_classes(classes, counts),
        *look_for_copies(pictures, copies, kept_together=len(scan.parts) < len(PARTS)),
        *told,
        *look_over_parts(classes, parts),
        *([decoded.finding] if decoded.finding else []),
    ]
    return ImageData(
        name=path.resolve().name,
        classes=classes,
        **parts,
        mean=mean,
        std=std,
        fingerprint=print_of_data,
        split={**{part: len(parts[part]) for part in PARTS}, "seed": seed, "rule": rule},
        augmentations=("flip", "crop") if decoded.preparation["channels"] == 3 else ("crop",),
        findings=tuple(findings),
        preparation=decoded.preparation,
        source={
            "path": str(path.absolute()),
            "pictures": len(pictures),
            "unreadable": [scan.pictures[index].name for index in sorted(decoded.unreadable)],
            **({"folders": folders} if (folders := _folders(pictures)) else {}),
        },
    )


def load_for(
    path: Path, classes: Sequence[str], preparation: dict[str, Any], progress: Progress = None
) -> tuple[Examples, tuple[Text, ...]]:
    """The pictures of a folder to measure a trained run on, prepared and labelled as that run was.

    Of a folder with parts, the test part counts, else the validation part, else all.

    Args:
        path: the folder.
        classes: the classes of the run, in the order of its labels.
        preparation: that of the run's data.
        progress: called with (done, total) while pictures are decoded.

    Returns:
        the examples, and what was noticed about them.

    Raises:
        EtudeError: there is nothing to measure on, or the folder has a class that the run does not know.
    """
    return without_damaged(lambda damaged: _load_for(path, classes, preparation, progress, damaged))


def _load_for(
    path: Path,
    classes: Sequence[str],
    preparation: dict[str, Any],
    progress: Progress,
    damaged: frozenset[Path],
) -> tuple[Examples, tuple[Text, ...]]:
    scan = scan_folder(path, to_train=False)
    part = next((part for part in ("test", "validation") if part in scan.parts), None)
    chosen = [index for index, each in enumerate(scan.pictures) if part in (None, each.part)]
    for index in chosen:
        label = _known(scan.pictures[index], classes)
        if label not in classes:
            raise EtudeError(
                en=f"{path} has a class '{label}' that the run does not know; its classes are {', '.join(classes)}.",
                zh=f"{path} 中的类别“{label}”不在该训练的类别之内；其类别为：{'、'.join(classes)}。",
            )
    paths = [scan.pictures[index].path for index in chosen]
    decoded: Decoded | Looked
    if "keep" in preparation:
        decoded = look_at_files(paths, preparation=preparation, damaged=damaged, progress=progress)
        decoded.images.wait(progress=_second_half(progress))
    else:
        decoded = decode_files(paths, preparation=preparation, progress=progress)
    pictures = [scan.pictures[chosen[index]] for index in decoded.files]
    findings = look_over_files(scan, {chosen[index]: why for index, why in decoded.unreadable.items()})
    if part:
        word = PARTS[part]
        findings.insert(
            0, Text(en=f"Measured on the {word.en} part of the folder.", zh=f"在该文件夹的{word.zh}上评估。")
        )
    if decoded.finding:
        findings.append(decoded.finding)
    examples = _examples(decoded.images, _labels(pictures, classes), pictures, np.arange(len(pictures)))
    return examples, tuple(findings)


def _sampled(rows: np.ndarray, seed: int) -> np.ndarray:
    """Up to `SAMPLE` of the rows, sorted; chance follows from the seed."""
    chance = np.random.default_rng(derive_seed(seed, "statistics"))
    return np.sort(chance.permutation(rows)[:SAMPLE])


def _second_half(progress: Progress) -> Progress:
    return None if progress is None else lambda done, total: progress(total + done, 2 * total)


def _fingerprint_of_files(looked: Looked, labels: np.ndarray, rows: dict[Part, np.ndarray]) -> str:
    """SHA-256 over the bytes of the files, how they are prepared, the labels and the split."""
    digest = hashlib.sha256(json.dumps(looked.preparation, sort_keys=True).encode())
    for content in (*looked.digests, labels, *(rows[part] for part in PARTS)):
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()


def _labels(pictures: Sequence[Picture], classes: Sequence[str]) -> np.ndarray:
    number = {name: label for label, name in enumerate(classes)}
    return np.array([number[_known(each, number)] for each in pictures], dtype=np.int64)


def _known(picture: Picture, classes: Container[str]) -> str:
    """What the run calls the picture's class.

    That may be its folder's name, where the run had no words; or its word with that, where it had two of the word.
    """
    both = f"{picture.label} ({picture.folder})"
    return next((name for name in (picture.folder, both) if name in classes), picture.label)


def _folders(pictures: Sequence[Picture]) -> dict[str, str]:
    """The folder of each class that goes by a word."""
    return {each.label: each.folder for each in pictures if each.folder}


def _examples(images: Any, labels: np.ndarray, pictures: Sequence[Picture], rows: np.ndarray) -> Examples:
    return Examples(images, labels[rows], rows, tuple(pictures[row].name for row in rows))
