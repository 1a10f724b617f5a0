"""A set of pictures and boxes written in COCO's format."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from etude.core.errors import EtudeError
from etude.core.files import new_directory, write_json
from etude.data.coco import Box

NAME = "instances.json"


def write_coco(
    folder: Path, pictures: Sequence[np.ndarray], boxes: Sequence[Sequence[Box]], classes: Sequence[str]
) -> Path:
    """Write pictures as PNG files with one JSON file beside them, whole or not at all.

    Args:
        folder: made here.
        pictures: uint8 ``[channels, height, width]`` each, 1 or 3 channels; sizes may differ.
        boxes: those of each picture; their labels index ``classes``.
        classes: the names of the categories; their ids count from 1, as COCO's do.

    Returns:
        the JSON file, as `etude.data.coco.read_coco` takes it.

    Raises:
        EtudeError: the folder is there already.
    """
    if folder.exists():
        raise EtudeError(
            en=f"{folder} exists already; choose another folder for the pictures and boxes.",
            zh=f"{folder} 已存在；请为图片和标注框另选一个文件夹。",
        )
    images, annotations = [], []
    with new_directory(folder) as made:
        for number, (picture, inside) in enumerate(zip(pictures, boxes, strict=True), start=1):
            name = f"{number:06}.png"
            _, height, width = picture.shape
            pixels = picture[0] if len(picture) == 1 else picture.transpose(1, 2, 0)
            Image.fromarray(np.ascontiguousarray(pixels)).save(made / name)
            images.append({"id": number, "file_name": name, "width": int(width), "height": int(height)})
            annotations += [
                _annotation(len(annotations) + place, number, box) for place, box in enumerate(inside, 1)
            ]
        categories = [{"id": label, "name": name} for label, name in enumerate(classes, start=1)]
        write_json(made / NAME, {"images": images, "annotations": annotations, "categories": categories})
    return folder / NAME


def _annotation(number: int, image: int, box: Box) -> dict[str, object]:
    return {
        "id": number,
        "image_id": image,
        "category_id": box.label + 1,
        "bbox": [round(float(side), 2) for side in (box.x, box.y, box.width, box.height)],
        "area": round(float(box.width * box.height), 2),
        "iscrowd": int(box.crowd),
    }
