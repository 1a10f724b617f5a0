"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009) in every form in which people have them.

The binary archive (which étude downloads), its folder, the "python" archive and folder that torchvision keeps, and
pictures in ``train|test/CLASS/*.jpg``. The python form is pickled; it is read here opcode by opcode, as data:
nothing in it is ever executed.
"""

from __future__ import annotations

import hashlib
import io
import pickletools
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from etude.core.errors import EtudeError
from etude.data.download import NotFetched, fetch
from etude.data.entry import Progress, RawImages

_BYTES = 3 * 32 * 32


@dataclass(frozen=True)
class Cifar:
    """What differs between the two sets.

    Args:
        name: étude's name for the set, and of the folder where étude keeps it.
        title: as people write it.
        classes: in the order of the labels.
        url, archive_md5: of the binary archive.
        binary_folder, binary_files: the folder in it, and its files: those of the training part, then the test file.
        python_archive, python_md5, python_folder: of the pickled form, as torchvision has it.
        python_files: the MD5 of each of its files, by name: those of the training part, then the test file.
        label_bytes: bytes before the pixels of a picture in a binary file; the last of them is the label.
        label_key: the key of the labels in a pickled file.
    """

    name: str
    title: str
    classes: tuple[str, ...]
    url: str
    archive_md5: str
    binary_folder: str
    binary_files: tuple[str, ...]
    python_archive: str
    python_md5: str
    python_folder: str
    python_files: dict[str, str]
    label_bytes: int
    label_key: str

    @property
    def archive(self) -> str:
        return self.url.rpartition("/")[2]


def find(cifar: Cifar, data_dir: Path) -> Path | None:
    """Where the set is at hand: an archive, or a folder that holds one of its forms."""
    for place in (data_dir, data_dir / cifar.name):
        for name in (cifar.archive, cifar.python_archive):
            if (place / name).is_file():
                return place / name
        for folder, files in (
            (cifar.binary_folder, cifar.binary_files),
            (cifar.python_folder, cifar.python_files),
        ):
            for inside in (place / folder, place):
                if all((inside / file).is_file() for file in files):
                    return inside
        if all((place / part / each).is_dir() for part in ("train", "test") for each in cifar.classes):
            return place
    return None


def load(cifar: Cifar, data_dir: Path, progress: Progress) -> RawImages:
    """The set from wherever it is at hand, else downloaded.

    Raises:
        EtudeError: it is damaged, or not at hand and cannot be downloaded.
    """
    path = find(cifar, data_dir) or _download(cifar, data_dir / cifar.name / cifar.archive, progress)
    if path.is_dir() and (path / "train").is_dir() and (path / "test").is_dir():
        return _load_pictures(cifar, path, progress)
    parts: list[list[tuple[np.ndarray, np.ndarray]]] = [[], []]
    files = list(_files(cifar, path))
    for number, (name, content) in enumerate(files):
        pickled = name in cifar.python_files
        read = _read_pickled if pickled else _read_binary
        parts[number == len(files) - 1].append(read(cifar, content, path / name))
    (train, train_labels), (test, test_labels) = (
        (np.concatenate([images for images, _ in part]), np.concatenate([labels for _, labels in part]))
        for part in parts
    )
    return RawImages(train, train_labels, test, test_labels)


def _files(cifar: Cifar, path: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file of the set, the test file last."""
    if path.is_dir():
        pickled = all((path / name).is_file() for name in cifar.python_files)
        for name in cifar.python_files if pickled else cifar.binary_files:
            yield name, (path / name).read_bytes()
        return
    pickled = path.name == cifar.python_archive
    content = path.read_bytes()
    if hashlib.md5(content).hexdigest() != (cifar.python_md5 if pickled else cifar.archive_md5):
        raise _damaged(cifar, path)
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        folder = cifar.python_folder if pickled else cifar.binary_folder
        for name in cifar.python_files if pickled else cifar.binary_files:
            member = archive.extractfile(f"{folder}/{name}")
            assert member is not None  # the hash says that it is there
            yield name, member.read()


def _read_binary(cifar: Cifar, content: bytes, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """uint8 ``[n, 3, 32, 32]`` and int64 ``[n]`` of one binary file."""
    row = cifar.label_bytes + _BYTES
    if not content or len(content) % row:
        raise _damaged(cifar, path)
    rows = np.frombuffer(content, dtype=np.uint8).reshape(-1, row)
    labels = rows[:, cifar.label_bytes - 1].astype(np.int64)
    if labels.max() >= len(cifar.classes):
        raise _damaged(cifar, path)
    return rows[:, cifar.label_bytes :].reshape(-1, 3, 32, 32), labels


def _read_pickled(cifar: Cifar, content: bytes, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The same of a pickled file: its one long string of pixels, and the whole numbers after the labels' key."""
    if hashlib.md5(content).hexdigest() != cifar.python_files[path.name]:
        raise _damaged(cifar, path)
    pixels, labels, key = "", [], ""
    for opcode, argument, _ in pickletools.genops(content):
        if isinstance(argument, str) and "STRING" in opcode.name:
            if len(argument) >= _BYTES:
                pixels = argument
            else:
                key = argument
        elif key == cifar.label_key and opcode.name in ("BININT", "BININT1", "BININT2"):
            labels.append(argument)
    images = np.frombuffer(pixels.encode("latin-1"), dtype=np.uint8).reshape(-1, 3, 32, 32)
    if len(images) != len(labels):
        raise _damaged(cifar, path)
    return images, np.array(labels, dtype=np.int64)


def _load_pictures(cifar: Cifar, path: Path, progress: Progress) -> RawImages:
    from etude.data.cache import decode_files
    from etude.data.scan import scan_folder

    scan = scan_folder(path)
    preparation = {"channels": 3, "height": 32, "width": 32, "fit": "stretch"}
    decoded = decode_files([each.path for each in scan.pictures], preparation=preparation, progress=progress)
    if decoded.unreadable:
        raise _damaged(cifar, scan.pictures[min(decoded.unreadable)].path)
    number = {name: label for label, name in enumerate(cifar.classes)}
    labels = np.array([number[each.label] for each in scan.pictures], dtype=np.int64)
    tested = np.array([each.part == "test" for each in scan.pictures])
    return RawImages(
        decoded.images[~tested], labels[~tested], np.ascontiguousarray(decoded.images[tested]), labels[tested]
    )


def _download(cifar: Cifar, target: Path, progress: Progress) -> Path:
    try:
        return fetch(
            [cifar.url],
            target,
            lambda path: hashlib.md5(path.read_bytes()).hexdigest() == cifar.archive_md5,
            progress,
        )
    except NotFetched as error:
        raise EtudeError(
            en=f"{cifar.title} is not in {target.parents[1]} and could not be downloaded (no network?). Put "
            f"{cifar.archive} into {target.parent}, or name the folder of your copy (torchvision's, or "
            f"train|test/CLASS/*.jpg) with --data-dir. ({error.text.en})",
            zh=f"{target.parents[1]} 中没有 {cifar.title}，也无法下载（没有网络？）。请把 {cifar.archive} 放入 "
            f"{target.parent}，或用 --data-dir 指明已有副本（torchvision 的文件夹，或 train|test/类别/*.jpg）。（{error.text.zh}）",
        ) from None


def _damaged(cifar: Cifar, path: Path) -> EtudeError:
    return EtudeError(
        en=f"{path} is damaged, or not a file of {cifar.title}. Take it away; it is then looked for elsewhere or downloaded.",
        zh=f"{path} 已损坏，或不是 {cifar.title} 的文件。请移走它，之后会从别处读取或下载。",
    )
