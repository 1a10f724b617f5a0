"""Whether a picture file is whole, told without decoding it."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image

_STANDALONE = frozenset({0x01, *range(0xD0, 0xD8)})  # JPEG's markers that no length follows
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, b"\xff\xd9"


def is_whole(content: bytes) -> bool | None:
    """Whether nothing of a picture file is missing; None where only decoding can tell.

    A JPEG is whole if its end-of-image marker comes after the start of its scan, where no other byte sequence looks like
    it (ITU-T T.81, B.1.1.5); what cameras append after that is passed over. Of a PNG every chunk's checksum must be right.
    """
    if content.startswith(b"\xff\xd8\xff"):
        scan = _start_of_scan(content)
        return scan is not None and content.rfind(_END_OF_IMAGE) >= scan  # from the end, where it is
    if content.startswith(b"\x89PNG"):
        return _verifies(content)
    return None


def _start_of_scan(content: bytes) -> int | None:
    """Where the first scan begins: past the thumbnails, which are pictures inside of segments."""
    place = 2
    while place + 4 <= len(content) and content[place] == 0xFF:
        marker = content[place + 1]
        if marker == _START_OF_SCAN:
            return place
        if marker == 0xFF:  # padding
            place += 1
        elif marker in _STANDALONE:
            place += 2
        else:
            place += 2 + int.from_bytes(content[place + 2 : place + 4], "big")
    return None


def _verifies(content: bytes) -> bool:
    image: Any = None
    try:
        with Image.open(io.BytesIO(content)) as image:
            image.verify()
    except Exception:  # a damaged file makes Pillow's plugins raise nearly anything
        return False
    return b"IEND" in content[-1 << 16 :]
