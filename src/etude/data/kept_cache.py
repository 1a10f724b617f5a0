"""Pictures for which training does not wait: looked over by their bytes, decoded into the cache while it goes on."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import time
import warnings
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from etude.core.devices import available_memory
from etude.core.errors import EtudeError
from etude.core.files import explain_os_error
from etude.core.paths import cache_dir
from etude.core.text import Text
from etude.data.decode import Header, Unreadable, check_file, read_header, read_picture
from etude.data.kept import KeptPictures, Progress
from etude.data.kept_entry import Entry, InMemory, Room, open_entry
from etude.data.lazy import LazyPictures
from etude.data.prepare import choose_preparation, size_to_keep
from etude.data.threads import in_threads, threads_for
from etude.data.whole import is_whole

FORMAT = 1
"""Raised whenever the same file would be decoded to other pixels, so that no old entry is taken for a new one."""

MANY_BYTES = 200 << 20
"""Folders of more than this (about 2,000 photographs, some two seconds of decoding on two cores) are trained on while they
are decoded. A number of bytes and not of seconds, so that a folder is treated alike on every machine."""

_SHARE_OF_MEMORY = 0.4  # that pictures may take where the disk has no room for them
_TOGETHER = 16  # files that a thread reads before it hashes them,
_HELD = 1 << 23  # or as many bytes, so that large files do not fill the memory
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
    damaged: Collection[Path] = (),
    progress: Progress = None,
) -> Looked:
    """Read picture files through without decoding them, and find or prepare their place in the cache.

    A file that is cut short, is no picture or has no pixels is known from its bytes and headers; damage in the midst of
    one is found when it is decoded, and stops whoever waits for it (`LazyPictures.wait`). It is remembered, and the file
    is left out the next time.

    Args:
        paths: the files; at least one.
        image_size: the side of the squares that the network takes; None: chosen by `prepare.choose_preparation`.
        room_to_crop: keep the pictures larger, for random resized crops.
        preparation: the whole preparation, where it is given: that of a trained run.
        damaged: files that are known to be.
        progress: called with (done, total).

    Raises:
        EtudeError: none of the files is a picture.
    """
    found: list[tuple[Header, bytes] | str] = []
    began, known = time.monotonic(), _known_to_be_damaged()
    groups = [paths[start : start + _TOGETHER] for start in range(0, len(paths), _TOGETHER)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Pillow thinks of metadata is of no use to the person
        for looked in in_threads(_look, groups, threads_for(paths)):
            for each in looked:
                spoilt = paths[len(found)] in damaged or (not isinstance(each, str) and each[1].hex() in known)
                found.append("damaged" if spoilt else each)
            if progress and time.monotonic() - began > _PATIENCE:
                progress(len(found), 2 * len(paths))  # the other half is decoding
    unreadable = {place: each for place, each in enumerate(found) if isinstance(each, str)}
    whole = [place for place in range(len(paths)) if place not in unreadable]
    if not whole:
        raise nothing_readable(paths)
    headers, digests = zip(*(each for each in found if not isinstance(each, str)))
    preparation = preparation or choose_preparation(headers, image_size, room_to_crop)
    images, finding = _open_or_begin([paths[place] for place in whole], headers, digests, preparation)
    return Looked(images, np.array(whole, dtype=np.int64), digests, preparation, unreadable, finding)


def _look(paths: Sequence[Path]) -> list[tuple[Header, bytes] | str]:
    """Header and digest of each file that is whole; or why it is left out.

    First all are read, then all are hashed: two threads that let go of Python's lock and ask for it again at every file
    wait for one another more than they work (measured: 3,540 photographs in 0.78 s so, in 0.33 s in this way).
    """
    found: list[tuple[Header, bytes] | str] = []
    read: list[tuple[Header, bytes] | str] = []
    for path in paths:
        read.append(_read(path))
        if sum(len(each[1]) for each in read if not isinstance(each, str)) > _HELD:
            found += map(_hashed, read)
            read = []
    return [*found, *map(_hashed, read)]


def _hashed(read: tuple[Header, bytes] | str) -> tuple[Header, bytes] | str:
    return read if isinstance(read, str) else (read[0], hashlib.sha256(read[1]).digest())


def _read(path: Path) -> tuple[Header, bytes] | str:
    """Header and content of a file that is whole; or why it is left out."""
    try:
        check_file(path)
        content = path.read_bytes()
        header = read_header(path, content)
        whole = is_whole(content)
        if whole is None:
            read_picture(path, 3)
        return "damaged" if whole is False else (header, content)
    except Unreadable as error:
        return error.reason
    except Exception:
        return "damaged"


def _known_to_be_damaged() -> frozenset[str]:
    """The digests of files that proved damaged when they were decoded."""
    with contextlib.suppress(OSError):
        return frozenset(os.listdir(cache_dir() / "damaged"))
    return frozenset()


def _note(digests: Sequence[bytes]) -> None:
    """Remember that files with these digests are damaged, each by an empty file."""
    with contextlib.suppress(OSError):  # it is found anew the next time, then
        folder = cache_dir() / "damaged"
        folder.mkdir(parents=True, exist_ok=True)
        for digest in digests:
            (folder / digest.hex()).touch()


def _open_or_begin(
    paths: Sequence[Path], headers: Sequence[Header], digests: Sequence[bytes], preparation: dict[str, Any]
) -> tuple[KeptPictures, Text | None]:
    key = hashlib.sha256(json.dumps([FORMAT, preparation], sort_keys=True).encode() + b"".join(digests))
    place = cache_dir() / "kept" / key.hexdigest()
    channels = preparation["channels"]
    shape = (channels, preparation["height"], preparation["width"])
    lengths = [math.prod(size_to_keep(header, preparation)) * channels for header in headers]
    offsets = np.cumsum([0, *lengths], dtype=np.int64)
    kept = open_entry(place, offsets, shape)
    if kept is not None:
        return kept, None
    room: Room
    finding = None
    try:
        room = Entry(place, offsets)
    except OSError as error:  # the disk is full, or the folder is closed
        problem = explain_os_error(error, place)
        if offsets[-1] > _SHARE_OF_MEMORY * available_memory():
            raise problem from None
        room, finding = InMemory(offsets), _not_kept(problem)

    def note(rows: Sequence[int]) -> None:
        _note([digests[row] for row in rows])

    return LazyPictures(paths, headers, preparation, room, offsets, note, threads_for(paths)), finding


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
