"""How a picture becomes what a network was trained on. Training and prediction do exactly the same."""

from __future__ import annotations

import math
import statistics
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageOps

from etude.core.errors import EtudeError
from etude.data.decode import REASONS, Header, Unreadable, draft_scale, plain, read_picture, read_pixels

_LARGEST, _SMALLEST, _MULTIPLE = 64, 16, 8  # of the side chosen for a folder, in pixels
_DRAFT = 2.0  # a JPEG is decoded at no less than this many times the size it is wanted in
_ROOM = 8 / 7
"""How many times the side that a network takes the shorter side of a picture is kept for random resized crops: 256 for 224,
the usual size of ImageNet on fast storage."""


class Prepared(NamedTuple):
    """``pixels`` uint8 ``[channels, height, width]``; ``inverted``: dark on light was turned into light on dark."""

    pixels: np.ndarray
    inverted: bool


def prepare_image(source: Path | str | Image.Image, preparation: dict[str, Any]) -> Prepared:
    """A picture as the network wants it.

    Args:
        source: a picture file, or a Pillow image (which is not changed).
        preparation: ``channels`` (1 or 3), ``height`` and ``width`` in pixels, and ``fit``: ``"crop"`` fills the
            size and cuts off what is left over on both sides, ``"pad"`` keeps all of the picture and fills up
            with the background, ``"stretch"`` does neither and changes the proportions. With
            ``"background": "dark"`` a picture whose border is bright is inverted. ``keep``, where given, is how
            many pixels the shorter side needs of the picture that training keeps (`etude.data.kept`) and cuts from.

    Raises:
        EtudeError: the file is no picture that can be read.
    """
    if isinstance(source, Image.Image):
        return _prepared(plain(source, preparation["channels"]), preparation)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Pillow thinks of metadata is of no use to the person
            return prepare_file(Path(source), preparation)
    except Unreadable as error:
        reason = REASONS[error.reason]
        raise EtudeError(
            en=f"{source} cannot be read as a picture: {reason.en}. Give a JPEG, PNG, GIF, BMP, WebP or TIFF file.",
            zh=f"无法把 {source} 作为图片读取：{reason.zh}。请给出 JPEG、PNG、GIF、BMP、WebP 或 TIFF 文件。",
        ) from None


def prepare_file(path: Path, preparation: dict[str, Any]) -> Prepared:
    """`prepare_image` of a file.

    Raises:
        Unreadable: it is no picture.
    """
    enough = preparation.get("keep") or int(_DRAFT * max(preparation["height"], preparation["width"]))
    return _prepared(read_picture(path, preparation["channels"], enough), preparation)


def choose_preparation(
    headers: Sequence[Header], image_size: int | None = None, room_to_crop: bool = False
) -> dict[str, Any]:
    """A preparation that suits a folder's pictures.

    One channel if all are grey, else three. Pictures that all have one size of at most 64 pixels keep it;
    others become squares whose side is the median shorter side, rounded to a multiple of 8, between 16 and 64.

    Args:
        headers: of every picture, at least one.
        image_size: the side of the squares, in pixels, where the person chose it.
        room_to_crop: keep the pictures larger, where they are, so that random resized crops can be cut from them.
    """
    uniform = len({(header.width, header.height) for header in headers}) == 1
    first = headers[0]
    if image_size is not None:
        height = width = image_size
    elif uniform and min(first.width, first.height) >= _MULTIPLE and max(first.width, first.height) <= _LARGEST:
        height, width = first.height, first.width
    else:
        median = statistics.median(min(header.width, header.height) for header in headers)
        height = width = min(max(round(median / _MULTIPLE) * _MULTIPLE, _SMALLEST), _LARGEST)
    preparation = {
        "channels": 1 if all(header.grey for header in headers) else 3,
        "height": height,
        "width": width,
        "fit": "stretch" if uniform else "crop",
    }
    shorter = statistics.median(min(header.width, header.height) for header in headers)
    # no larger than the pictures are: there would be nothing more to see
    kept = min(math.ceil(height * _ROOM), int(shorter))
    if room_to_crop and height == width and kept > height:
        return preparation | {"fit": "crop", "keep": kept}
    return preparation


def keep_file(path: Path, preparation: dict[str, Any], header: Header | None = None) -> np.ndarray:
    """A picture file as training keeps it, uint8 ``[height, width, channels]``: larger than the network takes it, where the
    preparation has ``keep``; else what `prepare_file` makes.

    Args:
        path: the file.
        preparation: see `prepare_image`.
        header: of the file, where it has been read already.

    Raises:
        Unreadable: it is no picture.
    """
    if "keep" not in preparation:
        return np.ascontiguousarray(prepare_file(path, preparation).pixels.transpose(1, 2, 0))
    from etude.data.kept import keep

    shorter = preparation["keep"]
    return keep(read_pixels(path, preparation["channels"], shorter, header), shorter)


def size_to_keep(header: Header, preparation: dict[str, Any]) -> tuple[int, int]:
    """Height and width of what `keep_file` will make, in either order: known before the picture is decoded."""
    if "keep" not in preparation:
        return preparation["height"], preparation["width"]
    from etude.data.kept import kept_size

    size = header.width, header.height
    scale = draft_scale(size, preparation["keep"]) if header.jpeg else 1
    wide, high = (-(-side // scale) for side in size)
    return kept_size(high, wide, preparation["keep"])


def _prepared(image: Image.Image, preparation: dict[str, Any]) -> Prepared:
    if "keep" in preparation:
        from etude.data.kept import KeptPictures, keep

        pixels = np.array(image).reshape(image.height, image.width, -1)
        whole = keep(pixels, preparation["keep"])
        shape = tuple(preparation[name] for name in ("channels", "height", "width"))
        sizes, start = np.array([whole.shape[:2]], dtype=np.int64), np.zeros(1, dtype=np.int64)
        return Prepared(KeptPictures(whole.reshape(-1), start, sizes, shape)[0], False)
    inverted = preparation.get("background") == "dark" and _has_bright_border(image)
    if inverted:
        image = ImageOps.invert(image)
    image = _fitted(image, (preparation["width"], preparation["height"]), preparation)
    pixels = np.asarray(image)
    channels_first = pixels[np.newaxis] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    return Prepared(np.ascontiguousarray(channels_first), inverted)


def _fitted(image: Image.Image, size: tuple[int, int], preparation: dict[str, Any]) -> Image.Image:
    if image.size == size:
        return image
    (width, height), (wide, high) = size, image.size
    if preparation["fit"] == "stretch":
        return _resized(image, size)
    if preparation["fit"] == "crop":
        scale = max(width / wide, height / high)
        left, top = (wide - width / scale) / 2, (high - height / scale) / 2
        return _resized(image, size, (max(left, 0), max(top, 0), min(wide - left, wide), min(high - top, high)))
    scale = min(width / wide, height / high)
    inner = _resized(image, (max(round(wide * scale), 1), max(round(high * scale), 1)))
    ground = 255 if preparation.get("background") == "light" else 0
    padded = Image.new(image.mode, size, ground if image.mode == "L" else (ground,) * 3)
    padded.paste(inner, ((width - inner.width) // 2, (height - inner.height) // 2))
    return padded


def _resized(
    image: Image.Image, size: tuple[int, int], box: tuple[float, float, float, float] | None = None
) -> Image.Image:
    return image.resize(size, Image.Resampling.BICUBIC, box=box, reducing_gap=_DRAFT)


def _has_bright_border(image: Image.Image) -> bool:
    """Whether the outermost sixteenth on each side is on average nearer to white than to black."""
    grey = np.asarray(image.convert("L"))
    thick = max(min(grey.shape) // 16, 1)
    inside = grey[thick:-thick, thick:-thick]
    count = grey.size - inside.size
    return bool((grey.sum(dtype=np.int64) - inside.sum(dtype=np.int64)) > 127.5 * count)
