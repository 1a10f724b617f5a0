"""Any picture file as a plain 8-bit one, upright, in grey or in colour; or the reason why not."""

from __future__ import annotations

import errno
import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from etude.core.text import Text
from etude.data.jpeg import decode_jpeg

MAX_PIXELS = 178_956_970  # Pillow's own limit against decompression bombs: 512 MiB in colour

REASONS = {
    "empty": Text(en="empty file", zh="空文件"),
    "missing": Text(en="not a file", zh="不是文件"),
    "forbidden": Text(en="permission denied", zh="没有权限"),
    "unknown": Text(en="not a picture", zh="不是图片"),
    "huge": Text(en="more than 178 million pixels", zh="超过 1.78 亿像素"),
    "failed": Text(en="the disk or the memory failed", zh="磁盘或内存出错"),
    "damaged": Text(en="damaged", zh="已损坏"),
}
"""Why a file could not be read, by the word that `Unreadable` carries."""

_GREY_MODES = frozenset({"1", "L", "LA", "La", "I", "I;16", "I;16L", "I;16B", "I;16N", "F"})
_PASSING = frozenset({errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ETIMEDOUT, errno.ENETDOWN})
_SIDEWAYS = frozenset({5, 6, 7, 8})  # EXIF orientations that swap width and height
_ORIENTATION = 0x0112


class Unreadable(Exception):
    """A file that is no usable picture; ``reason`` is a key of `REASONS`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Header(NamedTuple):
    """What the first bytes of a picture tell: its size as it is looked at, whether it has no colour, whether it is a JPEG,
    and whether it is one whose pixels `etude.data.jpeg` gives as they are looked at."""

    width: int
    height: int
    grey: bool
    jpeg: bool = False
    direct: bool = False


def read_header(path: Path, content: bytes | None = None) -> Header:
    """The header of a picture file; its pixels are not decoded.

    Args:
        path: the file.
        content: its bytes, where they have been read already.

    Raises:
        Unreadable: it is no picture.
    """
    try:
        if content is None:
            check_file(path)
        with Image.open(path if content is None else io.BytesIO(content)) as image:
            _check_size(image)
            width, height = image.size
            # a PNG would be decoded whole to find this; Pillow turns TIFFs itself
            told = image.format not in ("PNG", "TIFF")
            orientation = image.getexif().get(_ORIENTATION, 1) if told else 1
            if orientation in _SIDEWAYS:
                width, height = height, width
            jpeg = _is_jpeg(image)
            direct = jpeg and image.mode in ("RGB", "L") and orientation == 1
            return Header(width, height, _is_grey(image), jpeg, direct)
    except Exception as error:  # a damaged file makes Pillow's plugins raise nearly anything
        raise Unreadable(_reason(error)) from None


def read_picture(path: Path, channels: int, enough: int | None = None) -> Image.Image:
    """A picture file, upright, in mode L (one channel) or RGB (three). Of an animation, the first frame.

    Args:
        path: the file.
        channels: 1 or 3.
        enough: a JPEG may be decoded at a fraction of its size if its shorter side keeps this many pixels;
            several times as fast for photographs.

    Raises:
        Unreadable: it is no picture, or it is cut short.
    """
    try:
        check_file(path)
        with Image.open(path) as image:
            _check_size(image)
            if enough and (scale := draft_scale(image.size, enough)) > 1:
                image.draft(None, (image.width // scale, image.height // scale))
            return _plain(image, channels)
    except Exception as error:
        raise Unreadable(_reason(error)) from None


def read_pixels(
    path: Path, channels: int, enough: int | None = None, header: Header | None = None
) -> np.ndarray:
    """`read_picture` as uint8 ``[height, width, channels]``; JPEGs that are decoded whole come by a faster way.

    Args:
        path, channels, enough: see `read_picture`.
        header: of the file, where it has been read already.

    Raises:
        Unreadable: it is no picture, or it is cut short.
    """
    try:
        check_file(path)
        content = path.read_bytes()
        header = header or read_header(path, content)
        whole = enough is None or draft_scale((header.width, header.height), enough) == 1
        direct = header.direct and whole and (channels == 3 or header.grey)
        pixels = decode_jpeg(content, channels) if direct else None
    except Exception as error:
        raise Unreadable(_reason(error)) from None
    if pixels is not None:
        return pixels
    picture = read_picture(path, channels, enough)
    return np.array(picture).reshape(picture.height, picture.width, channels)  # a copy: torch wants it writable


def draft_scale(size: tuple[int, int], enough: int) -> int:
    """By what a JPEG of this size is divided when it is decoded, its sides rounded up: 8, 4, 2 or 1."""
    return next((scale for scale in (8, 4, 2) if min(size) >= scale * enough), 1)


def plain(image: Image.Image, channels: int) -> Image.Image:
    """A Pillow image, upright, in mode L (``channels=1``) or RGB (3); the original is not changed.

    What is transparent becomes white. 16-bit, 32-bit and floating-point greys are scaled to 8 bits, not clipped.
    """
    result = _plain(image, channels)
    return image.copy() if result is image else result


def _plain(image: Image.Image, channels: int) -> Image.Image:
    """`plain`; an image that is so already is not copied, which costs a tenth of decoding it."""
    image.load()
    if _is_turned(image):
        image = ImageOps.exif_transpose(image)
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        image = _narrowed(image)
    elif image.has_transparency_data:
        colours = image.convert("RGBA")
        image = Image.new("RGBA", image.size, "white")
        image.alpha_composite(colours)
    elif image.mode not in ("1", "L", "P", "RGB"):
        image = image.convert("RGB")
    mode = "L" if channels == 1 else "RGB"
    return image if image.mode == mode else image.convert(mode)


def _narrowed(image: Image.Image) -> Image.Image:
    """Mode L from wide greys.

    16-bit values are divided by 257. For 32-bit integers and floating point, which have no fixed white, the
    smallest usual range that holds the picture's values counts (1 for floating point, 255, 65535); where none
    does, black and white are the picture's own extremes.
    """
    values = np.nan_to_num(np.asarray(image, dtype=np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    if image.mode.startswith("I;16"):
        whites: tuple[float, ...] = (65535.0,)
    else:
        whites = (1.0, 255.0, 65535.0) if image.mode == "F" else (255.0, 65535.0)
    fitting = [white for white in whites if low >= 0 and high <= white]
    if fitting:
        low, high = 0.0, fitting[0]
    # halved, so that the difference of two huge numbers does not overflow
    span = high / 2 - low / 2
    scaled = (values / 2 - low / 2) * (255.0 / span) if span > 0 else np.zeros_like(values)
    return Image.fromarray(np.rint(scaled).astype(np.uint8))


def _is_turned(image: Image.Image) -> bool:
    try:
        return image.getexif().get(_ORIENTATION, 1) != 1
    except Exception:  # a picture with damaged EXIF is still a picture
        return False


def _is_jpeg(image: Image.Image) -> bool:
    return image.format in ("JPEG", "MPO")


def _is_grey(image: Image.Image) -> bool:
    if image.mode == "P" and image.palette:
        entries = np.frombuffer(image.palette.tobytes(), dtype=np.uint8)
        width = len(image.palette.mode)
        colours = entries[: len(entries) // width * width].reshape(-1, width)[:, :3]
        return bool((colours == colours[:, :1]).all())
    return image.mode in _GREY_MODES


def check_file(path: Path) -> None:
    """See that it is a file with something in it.

    Raises:
        Unreadable: it is not.
    """
    if not path.is_file():  # opening a named pipe would wait for ever
        raise Unreadable("missing")
    if path.stat().st_size == 0:
        raise Unreadable("empty")


def _check_size(image: Image.Image) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise Unreadable("huge")
    if min(image.size) < 1:
        raise Unreadable("damaged")


def _reason(error: Exception) -> str:
    if isinstance(error, Unreadable):
        return error.reason
    if isinstance(error, Image.DecompressionBombError):
        return "huge"
    if isinstance(error, UnidentifiedImageError):
        return "unknown"
    if isinstance(error, PermissionError):
        return "forbidden"
    if isinstance(error, FileNotFoundError):
        return "missing"
    if isinstance(error, MemoryError) or getattr(error, "errno", None) in _PASSING:
        return "failed"
    return "damaged"
