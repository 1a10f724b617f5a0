"""What is cut short is known from its bytes; what is whole is never thought to be cut."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from etude.data.whole import is_whole


def _bytes(image_format: str, **how) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, image_format, **how)
    return file.getvalue()


@pytest.mark.parametrize(
    ("image_format", "how"),
    [("JPEG", {}), ("JPEG", {"progressive": True}), ("PNG", {}), ("PNG", {"optimize": True})],
)
def test_cut_anywhere_a_file_is_not_whole(image_format, how):
    content = _bytes(image_format, **how)
    assert is_whole(content)
    for length in range(5, len(content) - 1, max(len(content) // 200, 1)):
        assert is_whole(content[:length]) is False
    assert is_whole(content + b"what a camera appends" * 100)


def test_the_end_of_a_thumbnail_is_not_the_end_of_the_picture():
    picture, thumbnail = _bytes("JPEG"), _bytes("JPEG", quality=20)
    segment = b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail
    whole = picture[:2] + segment + picture[2:]
    assert Image.open(io.BytesIO(whole)).size == (80, 60)
    assert is_whole(whole)
    assert is_whole(whole[: len(whole) // 2 + len(segment) // 2]) is False
    assert is_whole(whole[: len(segment) + 2]) is False


def test_a_changed_byte_of_a_png_is_found():
    content = bytearray(_bytes("PNG"))
    content[len(content) // 2] ^= 1
    assert is_whole(bytes(content)) is False


@pytest.mark.parametrize("image_format", ["GIF", "BMP", "WEBP", "TIFF"])
def test_of_other_formats_nothing_is_said(image_format):
    assert is_whole(_bytes(image_format)) is None
