"""Pictures for which training does not wait: looked over by their bytes, decoded into the cache while it goes on."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import tempfile
import time
import warnings
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from etude.core.devices import available_memory
from etude.core.errors import EtudeError
from etude.core.files import explain_os_error, write_bytes
from etude.core.paths import cache_dir
from etude.core.text import Text
from etude.data.decode import Header, Unreadable, check_file, read_header, read_picture
from etude.data.kept import KeptPictures, Progress
from etude.data.lazy import LazyPictures, into, writer_to
from etude.data.prepare import choose_preparation, size_to_keep
from etude.data.threads import in_threads, threads_for
from etude.data.whole import is_whole

FORMAT = 1
"""Raised whenever the same file would be decoded to other pixels, so that no old entry is taken for a new one."""

MANY_BYTES = 200 << 20
"""Folders of more than this (about 2,000 photographs, some two seconds of decoding on two cores) are trained on while they
are decoded. A number of bytes and not of seconds, so that a folder is treated alike on every machine."""

_SAMPLED = (
    64  # pictures whose pixels are checked when an entry is opened; all would be read from the disk otherwise
)
_ABANDONED = 86400  # seconds after which a file of pixels that belongs to no entry is nobody's
_SHARE_OF_MEMORY = 0.4  # that pictures may take where the disk has no room for them
_PATIENCE = 0.5  # seconds of looking before progress is told


@dataclass(frozen=True)
class Looked:
    """Picture files looked over, their pixels known or on the way.

    Args:
        images: of the files that are whole, in their order.
        files: int64 ``[n]``: which file each is.
        digests: SHA-256 of each file's bytes: equal for copies of a file.
        preparation: how they are prepared.
        unreadable: for each file that is left out, its place and a key of `decode.REASONS`.
        finding: why there is no cache, if there is none.
    """

    images: KeptPictures
    files: np.ndarray
    digests: tuple[bytes, ...]
    preparation: dict[str, Any]
    unreadable: dict[int, str]
    finding: Text | None = None


def is_large(paths: Sequence[Path]) -> bool:
    """Whether the files have more than `MANY_BYTES` together."""
    total = 0
    for path in paths:
        with contextlib.suppress(OSError):
            total += os.stat(path).st_size
        if total > MANY_BYTES:
            return True
    return False


def look_at_files(
    paths: Sequence[Path],
    *,
    image_size: int | None = None,
    room_to_crop: bool = False,
    preparation: dict[str, Any] | None = None,
    progress: Progress = None,
) -> Looked:
    """Read picture files through without decoding them, and find or prepare their place in the cache.

    A file that is cut short, is no picture or has no pixels is known from its bytes and headers; damage in the midst of
    one is found when it is decoded, and stops whoever waits for it (`LazyPictures.wait`).

    Args:
        paths: the files; at least one.
        image_size: the side of the squares that the network takes; None: chosen by `prepare.choose_preparation`.
        room_to_crop: keep the pictures larger, for random resized crops.
        preparation: the whole preparation, where it is given: that of a trained run.
        progress: called with (done, total).

    Raises:
        EtudeError: none of the files is a picture.
    """
    found, began = [], time.monotonic()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Pillow thinks of metadata is of no use to the person
        for done, each in enumerate(in_threads(_look, paths, threads_for(paths)), start=1):
            found.append(each)
            if progress and time.monotonic() - began > _PATIENCE:
                progress(done, 2 * len(paths))  # the other half is decoding
    unreadable = {place: each for place, each in enumerate(found) if isinstance(each, str)}
    whole = [place for place in range(len(paths)) if place not in unreadable]
    if not whole:
        raise nothing_readable(paths)
    headers, digests = zip(*(each for each in found if not isinstance(each, str)))
    preparation = preparation or choose_preparation(headers, image_size, room_to_crop)
    images, finding = _open_or_begin([paths[place] for place in whole], headers, digests, preparation)
    return Looked(images, np.array(whole, dtype=np.int64), digests, preparation, unreadable, finding)


def _look(path: Path) -> tuple[Header, bytes] | str:
    """Header and digest of a file that is whole; or why it is left out."""
    try:
        check_file(path)
        content = path.read_bytes()
        header = read_header(path, content)
        whole = is_whole(content)
        if whole is None:
            read_picture(path, 3)
        return (header, hashlib.sha256(content).digest()) if whole is not False else "damaged"
    except Unreadable as error:
        return error.reason
    except Exception:
        return "damaged"


def _open_or_begin(
    paths: Sequence[Path], headers: Sequence[Header], digests: Sequence[bytes], preparation: dict[str, Any]
) -> tuple[KeptPictures, Text | None]:
    key = hashlib.sha256(json.dumps([FORMAT, preparation], sort_keys=True).encode() + b"".join(digests))
    place = cache_dir() / "kept" / key.hexdigest()
    channels = preparation["channels"]
    shape = (channels, preparation["height"], preparation["width"])
    lengths = [math.prod(size_to_keep(header, preparation)) * channels for header in headers]
    offsets = np.cumsum([0, *lengths], dtype=np.int64)
    kept = _open(place, offsets, shape)
    if kept is not None:
        return kept, None
    try:
        pixels, write, finish = _new_entry(place, offsets)
        finding = None
    except OSError as error:  # the disk is full, or the folder is closed
        problem = explain_os_error(error, place)
        if offsets[-1] > _SHARE_OF_MEMORY * available_memory():
            raise problem from None
        pixels, finding = np.empty(offsets[-1], dtype=np.uint8), _not_kept(problem)
        write, finish = into(pixels), _forget
    workers = threads_for(paths)
    return LazyPictures(paths, headers, preparation, pixels, offsets, write, finish, workers), finding


def _forget(sizes: np.ndarray) -> None:
    """What is done with pictures that cannot be kept."""


def _new_entry(
    place: Path, offsets: np.ndarray
) -> tuple[np.ndarray, Callable[[int, np.ndarray], None], Callable[[np.ndarray], None]]:
    """Room for the pixels, what stores a picture in it, and what makes it an entry once all are there.

    An entry is an index that names a file of pixels. The index is written last, so what a killed process leaves is never
    taken for whole; and two processes that decode the same pictures have a file each.

    Raises:
        OSError: there is no room, or it may not be written.
    """
    place.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(place.parent)
    with contextlib.suppress(FileNotFoundError):
        (place / "index.json").unlink()  # it was looked at, and proved wrong
    descriptor, name = tempfile.mkstemp(dir=place, prefix="pixels-")
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(descriptor, 0, int(offsets[-1]))
        else:
            os.ftruncate(descriptor, int(offsets[-1]))
        pixels = np.memmap(name, np.uint8, "r+")
        write = writer_to(descriptor, pixels)
    except BaseException:
        _discard(descriptor, name)
        raise
    # held by whoever may still write: the file must not be closed before
    unlink = weakref.finalize(write, _discard, descriptor, name)

    def finish(sizes: np.ndarray) -> None:
        with contextlib.suppress(OSError):  # not kept then, and decoded again the next time
            os.fsync(descriptor)
            content = {"pixels": Path(name).name, "sizes": sizes.tolist(), "sample": _sample(pixels, offsets)}
            if not (place / "index.json").exists():
                signed = {"content": content, "sha256": _hash(json.dumps(content, sort_keys=True).encode())}
                write_bytes(place / "index.json", json.dumps(signed).encode())
                unlink.detach()
                os.close(descriptor)

    return pixels, write, finish


def _open(place: Path, offsets: np.ndarray, shape: tuple[int, int, int]) -> KeptPictures | None:
    """The entry, if it is there; its size and a sample of its pixels are checked."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        index = json.loads((place / "index.json").read_text(encoding="utf-8"))
        content = index["content"]
        path = place / Path(content["pixels"]).name
        if index["sha256"] != _hash(json.dumps(content, sort_keys=True).encode()):
            return None
        if path.stat().st_size != offsets[-1]:
            return None
        # "c": torch wants it writable, and nothing is ever written through it
        pixels = np.memmap(path, np.uint8, "c")
        if _sample(pixels, offsets) == content["sample"]:
            return KeptPictures(pixels, offsets[:-1], np.array(content["sizes"], dtype=np.int64), shape)
    return None


def _remove_leftovers(folder: Path) -> None:
    """Files of pixels that processes which were killed have left."""
    for left in folder.glob("*/pixels-*"):
        with contextlib.suppress(OSError):
            index = left.with_name("index.json")
            named = index.exists() and left.name in index.read_text(encoding="utf-8")
            if not named and time.time() - left.stat().st_mtime > _ABANDONED:
                left.unlink()


def _discard(descriptor: int, name: str) -> None:
    with contextlib.suppress(OSError):
        os.close(descriptor)
    with contextlib.suppress(OSError):
        os.unlink(name)


def _sample(pixels: np.ndarray, offsets: np.ndarray) -> str:
    """A hash of some of the pictures."""
    rows = np.unique(np.linspace(0, len(offsets) - 2, _SAMPLED).astype(np.int64))
    return _hash(b"".join(pixels[offsets[row] : offsets[row + 1]].tobytes() for row in rows))


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _not_kept(problem: EtudeError) -> Text:
    why = problem.text
    return Text(
        en=f"The decoded pictures could not be kept for the next time, so it will start no faster. {why.en}",
        zh=f"解码后的图片无法缓存，下次启动不会更快。{why.zh}",
    )


def nothing_readable(paths: Sequence[Path]) -> EtudeError:
    """The error for a folder none of whose files is a picture."""
    place = os.path.commonpath([path.parent for path in paths])
    return EtudeError(
        en=f"None of the {len(paths)} files in {place} can be read as a picture; check that they are whole.",
        zh=f"{place} 中的 {len(paths)} 个文件都无法作为图片读取；请检查文件是否完整。",
    )
