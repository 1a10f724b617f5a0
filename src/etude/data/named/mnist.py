"""MNIST (LeCun, Bottou, Bengio, Haffner 1998): found where it lies, else downloaded."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from etude.core.errors import EtudeError
from etude.core.text import Text
from etude.data.download import NotFetched, fetch
from etude.data.entry import NamedDataset, Progress, RawImages
from etude.data.idx import parse_idx, read_unpacked

# SHA-256 of the unpacked files: how they were gzipped differs from mirror to mirror
_FILES = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://raw.githubusercontent.com/fgnt/mnist/master/",
)
_PLACES = ("", "mnist", "MNIST/raw", "raw")  # flat, étude's own, torchvision's


def find(data_dir: Path) -> dict[str, Path] | None:
    """The four files, in the first place that has them all, or None."""
    for place in _PLACES:
        found = {}
        for name in _FILES:
            # older copies of the set write a dot for the last dash: train-images.idx3-ubyte
            for candidate in (name, name.replace("-idx", ".idx")):
                for ending in ("", ".gz"):
                    path = data_dir / place / f"{candidate}{ending}"
                    if path.is_file():
                        found.setdefault(name, path)
        if len(found) == len(_FILES):
            return found
    return None


def _load(data_dir: Path, progress: Progress) -> RawImages:
    paths = find(data_dir) or _download(data_dir, progress)
    arrays = []
    for name, expected in _FILES.items():
        content = read_unpacked(paths[name])
        if hashlib.sha256(content).hexdigest() != expected:
            parse_idx(content, paths[name])  # says more where the file is damaged
            raise EtudeError(
                en=f"{paths[name]} is not MNIST's {name}: its content differs. Take the file away; it is then looked "
                "for elsewhere or downloaded.",
                zh=f"{paths[name]} 不是 MNIST 的 {name}：内容不同。请移走该文件，之后会从别处读取或下载。",
            )
        arrays.append(parse_idx(content, paths[name]))
    images, labels, test_images, test_labels = arrays
    return RawImages(
        images[:, None], labels.astype(np.int64), test_images[:, None], test_labels.astype(np.int64)
    )


def _download(data_dir: Path, progress: Progress) -> dict[str, Path]:
    folder, paths = data_dir / "mnist", {}
    for name, expected in _FILES.items():
        target = folder / f"{name}.gz"
        paths[name] = target
        if target.is_file():
            continue
        try:
            fetch(
                [f"{mirror}{name}.gz" for mirror in _MIRRORS],
                target,
                lambda path, sha=expected: _is(path, sha),
                progress,
            )  # type: ignore[misc]
        except NotFetched as error:
            files = [f"{each}.gz" for each in _FILES]
            listed, listed_zh = ", ".join(files), "、".join(files)
            raise EtudeError(
                en=f"MNIST is not in {data_dir} and could not be downloaded (no network?). Put {listed} into {folder}, "
                f"or name their folder with --data-dir; Fashion-MNIST needs no download: etude train fashion-mnist. "
                f"({error.text.en})",
                zh=f"{data_dir} 中没有 MNIST，也无法下载（没有网络？）。请把 {listed_zh} 放入 {folder}，"
                f"或用 --data-dir 指明所在文件夹；Fashion-MNIST 无需下载：etude train fashion-mnist。（{error.text.zh}）",
            ) from None
    return paths


def _is(path: Path, sha256: str) -> bool:
    try:
        return hashlib.sha256(read_unpacked(path)).hexdigest() == sha256
    except EtudeError:
        return False


def _where(data_dir: Path) -> str | None:
    found = find(data_dir)
    return str(next(iter(found.values())).parent) if found else None


DATASET = NamedDataset(
    name="mnist",
    title=Text(en="handwritten digits", zh="手写数字"),
    classes=tuple("0123456789"),
    licence="CC BY-SA 3.0",
    source="LeCun, Bottou, Bengio, Haffner 1998; downloaded once",
    input_shape=(1, 28, 28),
    sizes=(60_000, 10_000),
    load=_load,
    where=_where,
    validation_size=5_000,
    augmentations=("crop",),
    background="dark",
)
