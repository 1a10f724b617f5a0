"""Pictures decoded once: a memory-mapped uint8 array on the disk, found again by the content of the files."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import math
import os
import shutil
import stat
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from etude.core.errors import EtudeError
from etude.core.files import explain_os_error, new_directory, sha256_of
from etude.core.paths import cache_dir
from etude.core.text import Text
from etude.data.decode import Header, Unreadable, read_header
from etude.data.prepare import choose_preparation, prepare_file
from etude.data.threads import in_threads, threads_for

FORMAT = 1
"""Raised whenever the same file would be decoded to other pixels, so that no old entry is taken for a new one."""

_LARGE = 1 << 24  # bytes from which a file is hashed piece by piece
_PATIENCE = 0.5  # seconds of hashing before progress is told
_ABANDONED = 86400  # seconds after which an entry that is not finished never will be

Progress = Callable[[int, int], None] | None
Preparation = dict[str, Any]


class _NotKept(Exception):
    """Another process has made the entry meanwhile, or a file failed that may be read well another time."""


@dataclass(frozen=True)
class Decoded:
    """Pictures as arrays.

    Args:
        images: uint8 ``[n, channels, height, width]``: the files that could be read, in their order; a
            read-only memory map, or an ordinary array where the cache could not be written.
        files: int64 ``[n]``: which file each is.
        digests: a hash of each picture's pixels; equal if and only if the pixels are.
        preparation: how they were prepared.
        unreadable: for each file that could not be read, its place and a key of `decode.REASONS`.
        finding: why there is no cache, if there is none.
    """

    images: np.ndarray
    files: np.ndarray
    digests: tuple[bytes, ...]
    preparation: Preparation
    unreadable: dict[int, str]
    finding: Text | None = None


def decode_files(
    paths: Sequence[Path],
    *,
    image_size: int | None = None,
    preparation: Preparation | None = None,
    progress: Progress = None,
) -> Decoded:
    """Decode picture files, or find them decoded already.

    The entry in the cache is found by the content of all the files, in their order. One that is damaged, or was
    left by a process that died, is made again. Two processes may do this at the same moment.

    Args:
        paths: the files; at least one.
        image_size: the side of the squares to make; None: chosen by `prepare.choose_preparation`.
        preparation: the whole preparation, where it is given: that of a trained run.
        progress: called with (done, total).

    Raises:
        EtudeError: none of the files could be read.
    """
    wish = {"preparation": preparation} if preparation else {"image_size": image_size}
    key = _key(paths, wish, progress)
    place = cache_dir() / "images" / key
    decoded = _open(place, key)
    if decoded is not None:
        return decoded
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Pillow thinks of metadata is of no use to the person
        preparation = preparation or _survey(paths, image_size)
        try:
            _build(place, key, paths, preparation, progress)
            problem = None
        except _NotKept:
            problem = None
        except OSError as error:  # the disk is full, or the folder is closed
            problem = explain_os_error(error, place)
        return _open(place, key) or _in_memory(paths, preparation, progress, problem)


def _key(paths: Sequence[Path], wish: dict[str, Any], progress: Progress) -> str:
    digest = hashlib.sha256(json.dumps([FORMAT, wish], sort_keys=True).encode())
    began = time.monotonic()
    for done, content in enumerate(in_threads(_content, paths, threads_for(paths)), start=1):
        digest.update(content)
        if progress and time.monotonic() - began > _PATIENCE:
            progress(done, 2 * len(paths))  # the other half is decoding
    return digest.hexdigest()


def _content(path: Path) -> bytes:
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):  # opening a named pipe would wait for ever
            return bytes(32)
        if status.st_size > _LARGE:
            return bytes.fromhex(sha256_of(path))
        with open(path, "rb", buffering=0) as file:
            return hashlib.sha256(file.readall()).digest()
    except OSError:
        return bytes(32)


def _survey(paths: Sequence[Path], image_size: int | None) -> Preparation:
    headers = [found for found in in_threads(_header, paths, 1) if found]
    if not headers:
        raise _nothing_readable(paths)
    return choose_preparation(headers, image_size)


def _header(path: Path) -> Header | None:
    try:
        return read_header(path)
    except Unreadable:
        return None


def _decode_each(
    paths: Sequence[Path], preparation: Preparation, progress: Progress
) -> Iterator[np.ndarray | str]:
    """For each file its pixels, or why there are none."""

    def decode(path: Path) -> np.ndarray | str:
        try:
            return prepare_file(path, preparation).pixels
        except Unreadable as error:
            return error.reason

    for done, result in enumerate(in_threads(decode, paths, threads_for(paths)), start=1):
        yield result
        if progress:
            progress(len(paths) + done, 2 * len(paths))


def _build(place: Path, key: str, paths: Sequence[Path], preparation: Preparation, progress: Progress) -> None:
    """Write the entry, whole or not at all. Plain writes: a full disk under a memory map kills the process."""
    _remove_leftovers(place)
    unreadable: dict[int, str] = {}
    digests = []
    shape = tuple(preparation[name] for name in ("channels", "height", "width"))
    with new_directory(place) as made:
        with open(made / "images.npy", "wb") as file:
            file.write(_npy_header((len(paths), *shape)))
            for index, result in enumerate(_decode_each(paths, preparation, progress)):
                if isinstance(result, str):
                    unreadable[index] = result
                else:
                    file.write(result)
                    digests.append(hashlib.sha256(result).digest())
            if "failed" in unreadable.values():
                raise _NotKept
            if not digests:
                raise _nothing_readable(paths)
            file.seek(0)
            file.write(_npy_header((len(digests), *shape)))
        content = {
            "key": key,
            "shape": [len(digests), *shape],
            "pixels": _joint(digests),
            "preparation": preparation,
            "unreadable": {str(index): reason for index, reason in unreadable.items()},
        }
        signed = {"content": content, "sha256": _hash_of(content)}
        (made / "index.json").write_text(json.dumps(signed), encoding="utf-8")
        if _open(place, key):
            raise _NotKept


def _remove_leftovers(place: Path) -> None:
    """What processes that were killed while they made this entry have left; not what one is still making."""
    for left in place.parent.glob(f".{place.name}.*.tmp"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > _ABANDONED:
                shutil.rmtree(left)


def _open(place: Path, key: str) -> Decoded | None:
    """The entry, if it is there and every byte of it is what was written."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        index = json.loads((place / "index.json").read_text(encoding="utf-8"))
        content = index["content"]
        if index["sha256"] != _hash_of(content) or content["key"] != key:
            return None
        header, shape = _npy_header(tuple(content["shape"])), tuple(content["shape"])
        with open(place / "images.npy", "rb") as file:
            whole = len(header) + math.prod(shape)
            if file.read(len(header)) != header or os.fstat(file.fileno()).st_size != whole:
                return None
            images = np.memmap(file, np.uint8, "r", len(header), shape)
        digests = tuple(hashlib.sha256(pixels).digest() for pixels in np.asarray(images))
        if _joint(digests) != content["pixels"]:
            return None
        unreadable = {int(place): reason for place, reason in content["unreadable"].items()}
        files = _without(unreadable, len(images) + len(unreadable))
        return Decoded(images, files, digests, content["preparation"], unreadable)
    return None


def _in_memory(
    paths: Sequence[Path], preparation: Preparation, progress: Progress, problem: EtudeError | None
) -> Decoded:
    shape = tuple(preparation[name] for name in ("channels", "height", "width"))
    images = np.empty((len(paths), *shape), dtype=np.uint8)
    unreadable: dict[int, str] = {}
    for index, result in enumerate(_decode_each(paths, preparation, progress)):
        if isinstance(result, str):
            unreadable[index] = result
        else:
            images[index - len(unreadable)] = result
    images = images[: len(paths) - len(unreadable)]
    if not len(images):
        raise _nothing_readable(paths)
    digests = tuple(hashlib.sha256(pixels).digest() for pixels in images)
    why = problem.text if problem else Text(en="Some files failed this time.", zh="有些文件这次读取失败。")
    finding = Text(
        en=f"The decoded pictures could not be kept for the next time, so it will start no faster. {why.en}",
        zh=f"解码后的图片无法缓存，下次启动不会更快。{why.zh}",
    )
    return Decoded(images, _without(unreadable, len(paths)), digests, preparation, unreadable, finding)


def _without(unreadable: Iterable[int], count: int) -> np.ndarray:
    return np.setdiff1d(np.arange(count), np.fromiter(unreadable, dtype=np.int64))


def _nothing_readable(paths: Sequence[Path]) -> EtudeError:
    place = os.path.commonpath([path.parent for path in paths])
    return EtudeError(
        en=f"None of the {len(paths)} files in {place} can be read as a picture; check that they are whole.",
        zh=f"{place} 中的 {len(paths)} 个文件都无法作为图片读取；请检查文件是否完整。",
    )


def _npy_header(shape: tuple[int, ...]) -> bytes:
    """The first bytes of an .npy file of uint8; as long for every number of pictures (NumPy leaves room for it)."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return buffer.getvalue()


def _joint(digests: Iterable[bytes]) -> str:
    return hashlib.sha256(b"".join(digests)).hexdigest()


def _hash_of(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
