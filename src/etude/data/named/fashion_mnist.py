"""Fashion-MNIST (Xiao, Rasul, Vollgraf 2017), bundled in full: everything works with no network."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from etude.core.errors import EtudeError
from etude.core.text import Text
from etude.data.entry import NamedDataset, Progress, RawImages
from etude.data.idx import read_idx

_FOLDER = Path(__file__).parents[1] / "bundled" / "fashion-mnist"
_SHA256 = {
    "train-images-idx3-ubyte.gz": "b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7",
    "train-labels-idx1-ubyte.gz": "0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056",
    "t10k-images-idx3-ubyte.gz": "cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa",
    "t10k-labels-idx1-ubyte.gz": "8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05",
}  # fmt: skip


def _load(data_dir: Path, progress: Progress) -> RawImages:
    arrays = []
    for name, expected in _SHA256.items():
        path = _FOLDER / name
        if not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() != expected:
            raise EtudeError(
                en=f"{path}, which comes with étude, is missing or damaged; install étude again.",
                zh=f"étude 自带的 {path} 缺失或已损坏；请重新安装 étude。",
            )
        arrays.append(read_idx(path))
    images, labels, test_images, test_labels = arrays
    return RawImages(
        images[:, None], labels.astype(np.int64), test_images[:, None], test_labels.astype(np.int64)
    )


DATASET = NamedDataset(
    name="fashion-mnist",
    title=Text(en="grey pictures of clothes", zh="服装灰度图片"),
    classes=(
        "T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
    ),
    licence="MIT",
    source="Xiao, Rasul, Vollgraf 2017, arXiv:1708.07747; bundled with étude",
    input_shape=(1, 28, 28),
    sizes=(60_000, 10_000),
    load=_load,
    where=lambda data_dir: "bundled",
    validation_size=5_000,
    augmentations=("flip", "crop"),
    background="dark",
)  # fmt: skip
