"""CIFAR-10 (Krizhevsky 2009): small photographs of ten kinds of things."""

from __future__ import annotations

from pathlib import Path

from etude.core.text import Text
from etude.data.cifar import Cifar, find, load
from etude.data.entry import NamedDataset, Progress, RawImages

_BATCHES = tuple(f"data_batch_{number}" for number in range(1, 6))

CIFAR = Cifar(
    name="cifar10",
    title="CIFAR-10",
    classes=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    url="https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
    archive_md5="c32a1d4ab5d03f1284b67883e8d87530",
    binary_folder="cifar-10-batches-bin",
    binary_files=(*(f"{name}.bin" for name in _BATCHES), "test_batch.bin"),
    python_archive="cifar-10-python.tar.gz",
    python_md5="c58f30108f718f92721af3b95e74349a",
    python_folder="cifar-10-batches-py",
    python_files={
        "data_batch_1": "c99cafc152244af753f735de768cd75f",
        "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
        "test_batch": "40351d587109b95175f43aff81a1287e",
    },
    label_bytes=1,
    label_key="labels",
)


def _load(data_dir: Path, progress: Progress) -> RawImages:
    return load(CIFAR, data_dir, progress)


def _where(data_dir: Path) -> str | None:
    found = find(CIFAR, data_dir)
    return str(found) if found else None


DATASET = NamedDataset(
    name=CIFAR.name,
    title=Text(en="small photographs of ten kinds of things", zh="十类事物的小照片"),
    classes=CIFAR.classes,
    licence="free for research",
    source="Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images; downloaded once",
    input_shape=(3, 32, 32),
    sizes=(50_000, 10_000),
    load=_load,
    where=_where,
    validation_size=5_000,
    augmentations=("flip", "crop"),
)
