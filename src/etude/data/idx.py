"""The idx format of the MNIST files (LeCun, Cortes, Burges; http://yann.lecun.com/exdb/mnist)."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np

from etude.core.errors import EtudeError

_UNSIGNED_BYTE = 8


def read_idx(path: Path) -> np.ndarray:
    """The array in an idx file of unsigned bytes, gzipped or not: uint8, of the shape that the file states.

    Raises:
        EtudeError: the file is missing, cut short, or no idx file.
    """
    return parse_idx(read_unpacked(path), path)


def read_unpacked(path: Path) -> bytes:
    """The bytes of a file, unzipped if it is gzipped.

    Raises:
        EtudeError: it is missing, or its compression is damaged.
    """
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    except FileNotFoundError:
        raise EtudeError(en=f"{path} does not exist.", zh=f"{path} 不存在。") from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise _damaged(path, str(error)) from None


def parse_idx(content: bytes, path: Path) -> np.ndarray:
    """The array in the bytes of an idx file; ``path`` is for the error.

    Raises:
        EtudeError: they are no idx file of unsigned bytes, or of another length than stated.
    """
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] != _UNSIGNED_BYTE or not 1 <= content[3] <= 4:
        raise _damaged(path, "it does not begin as an idx file of bytes does")
    start = 4 + 4 * content[3]
    shape = tuple(int.from_bytes(content[place : place + 4], "big") for place in range(4, start, 4))
    if len(content) != start + math.prod(shape):
        raise _damaged(
            path, f"it should hold {math.prod(shape):,} bytes of data and holds {len(content) - start:,}"
        )
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)


def _damaged(path: Path, why: str) -> EtudeError:
    return EtudeError(
        en=f"{path} is damaged: {why}. Delete it and fetch it again.",
        zh=f"{path} 已损坏：{why}。请删除后重新获取。",
    )
