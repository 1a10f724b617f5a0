"""A look at a data set: some pictures of every class."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from etude.core.plotting import word
from etude.core.text import Lang, Text
from etude.data.dataset import ImageData

_MOST_CLASSES = 20


def sample_grid(data: ImageData, lang: Lang, per_class: int = 8) -> Figure:
    """Training pictures, a row a class, beside the class's name and size (the first 20 classes)."""
    labels = data.train.labels
    classes = data.classes[:_MOST_CLASSES]
    figure = Figure(figsize=(1.05 * per_class + 2.2, 1.08 * len(classes) + 0.5), layout="constrained")
    axes = figure.subplots(len(classes), per_class, squeeze=False)
    for row, name in enumerate(classes):
        places = np.flatnonzero(labels == row)
        count = len(places)
        for column, each in enumerate(axes[row]):
            each.set_xticks([])
            each.set_yticks([])
            for spine in each.spines.values():
                spine.set_visible(False)
            if column < count:
                each.imshow(_picture(data, int(places[column])), cmap="gray", vmin=0, vmax=255)
        pictures = word(Text(en="{count:,} pictures", zh="{count:,} 张").format(count=count), lang)
        short = name if len(name) <= 18 else name[:17] + "…"
        axes[row, 0].set_ylabel(
            f"{short}\n{pictures}".replace("$", r"\$"), rotation=0, ha="right", va="center", labelpad=8
        )
    more = len(data.classes) - len(classes)
    title = Text(en=f"{data.name}: training pictures", zh=f"{data.name}：训练图片")
    if more > 0:
        title = Text(en=f"{title.en} ({more} more classes)", zh=f"{title.zh}（另有 {more} 类）")
    figure.suptitle(word(title, lang), x=0.01, ha="left", weight="bold")
    return figure


def _picture(data: ImageData, place: int) -> np.ndarray:
    row = place if data.train.rows is None else data.train.rows[place]
    picture = np.asarray(data.train.images[row]).transpose(1, 2, 0)
    return picture[:, :, 0] if picture.shape[2] == 1 else picture
