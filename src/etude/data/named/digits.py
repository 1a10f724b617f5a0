"""The handwritten digits that come with scikit-learn: small, quick, on every machine."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from etude.core.text import Text
from etude.data.entry import NamedDataset, Progress, RawImages

_INK = 16  # the largest value in scikit-learn's arrays


def _load(data_dir: Path, progress: Progress) -> RawImages:
    from sklearn.datasets import load_digits

    images, labels = load_digits().images, load_digits().target
    pixels = np.rint(images * (255 / _INK)).astype(np.uint8)
    return RawImages(pixels[:, None], labels.astype(np.int64))


DATASET = NamedDataset(
    name="digits",
    title=Text(en="handwritten digits, very small", zh="很小的手写数字"),
    classes=tuple("0123456789"),
    licence="CC BY 4.0",
    source="Alpaydin & Kaynak 1998, UCI; comes with scikit-learn",
    input_shape=(1, 8, 8),
    sizes=(1_797, 0),
    load=_load,
    where=lambda data_dir: "bundled",
    validation_size=270,
    background="dark",
)
