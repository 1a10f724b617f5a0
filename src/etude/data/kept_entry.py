"""An entry of the cache of kept pictures: a file of pixels, and an index that is written once all of them are there."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import threading
import time
import weakref
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from etude.core.files import write_bytes
from etude.data.kept import KeptPictures

_SAMPLED = (
    64  # pictures whose pixels are checked when an entry is opened; all would be read from the disk otherwise
)
_ABANDONED = 86400  # seconds after which a file of pixels that belongs to no entry is nobody's


class Room(Protocol):
    """Where pixels go while they are decoded.

    Attributes:
        pixels: uint8, those of all pictures, one after the other.
    """

    pixels: np.ndarray

    def write(self, offset: int, picture: np.ndarray) -> None:
        """Store the pixels of one picture."""
        ...

    def finish(self, sizes: np.ndarray) -> None:
        """All are there; their sizes are int64 ``[n, 2]``."""
        ...

    def settle(self) -> None:
        """Time to see that what is there outlives the machine's next fall."""
        ...


class InMemory:
    """Room for pictures that cannot be kept: the disk is full, or closed."""

    def __init__(self, offsets: np.ndarray) -> None:
        self.pixels = np.empty(offsets[-1], dtype=np.uint8)

    def write(self, offset: int, picture: np.ndarray) -> None:
        self.pixels[offset : offset + picture.size] = picture.reshape(-1)

    def finish(self, sizes: np.ndarray) -> None:
        pass

    def settle(self) -> None:
        pass


class Entry:
    """Room in the cache.

    The index is written last, so what a killed process leaves is never taken for whole; and two processes that decode the
    same pictures have a file each. Pixels need not have reached the disk by then: such an index counts until the system is
    started anew, which is when what has not reached the disk can be lost. `settle` makes them last, beside the training.

    Args:
        place: the folder of the entry.
        offsets: int64 ``[n + 1]``: where each picture begins, and the end.

    Raises:
        OSError: there is no room, or it may not be written.
    """

    def __init__(self, place: Path, offsets: np.ndarray) -> None:
        place.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(place.parent)
        self._index, self._offsets = place / "index.json", offsets
        with contextlib.suppress(FileNotFoundError):
            self._index.unlink()  # it was looked at, and proved wrong
        self._content: dict[str, Any] | None = None
        self._settled = threading.Lock()
        self._descriptor, self._name = tempfile.mkstemp(dir=place, prefix="pixels-")
        self._leave = weakref.finalize(self, _discard, self._descriptor, self._name)
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(self._descriptor, 0, int(offsets[-1]))
            else:
                os.ftruncate(self._descriptor, int(offsets[-1]))
            self.pixels: np.ndarray = np.memmap(self._name, np.uint8, "r+")
        except BaseException:
            self._leave()
            raise

    def write(self, offset: int, picture: np.ndarray) -> None:
        """Plain writes, because a full disk under a memory map kills the process; on Windows, where the two are not told of
        each other's changes but room is taken when a file is made, through the map."""
        if not hasattr(os, "pwrite"):
            self.pixels[offset : offset + picture.size] = picture.reshape(-1)
            return
        view = memoryview(picture).cast("B")
        while len(view):
            written = os.pwrite(self._descriptor, view, offset)
            view, offset = view[written:], offset + written

    def finish(self, sizes: np.ndarray) -> None:
        """Write the index; see `Room.finish`."""
        content = {
            "pixels": Path(self._name).name,
            "sizes": sizes.tolist(),
            "sample": _sample(self.pixels, self._offsets),
            "boot": boot_id(),
        }
        with contextlib.suppress(OSError):  # not kept then, and decoded again the next time
            if content["boot"] is None:
                os.fsync(self._descriptor)
            if self._index.exists():
                return
            _write_index(self._index, content)
            self._leave.detach()
            self._leave = weakref.finalize(self, os.close, self._descriptor)
            self._content = content if content["boot"] is not None else None

    def settle(self) -> None:
        """See `Room.settle`; at once, in a thread."""
        if self._content is not None and self._settled.acquire(blocking=False):
            threading.Thread(target=self._flush, daemon=True).start()

    def _flush(self) -> None:
        assert self._content is not None
        with contextlib.suppress(OSError):
            os.fsync(self._descriptor)
            if Path(self._name).exists():
                _write_index(self._index, self._content | {"boot": None})


def open_entry(place: Path, offsets: np.ndarray, shape: tuple[int, int, int]) -> KeptPictures | None:
    """The entry, if it is there; its size and a sample of its pixels are checked."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        index = json.loads((place / "index.json").read_text(encoding="utf-8"))
        content = index["content"]
        path = place / Path(content["pixels"]).name
        if index["sha256"] != _hash(json.dumps(content, sort_keys=True).encode()):
            return None
        if content.get("boot") not in (None, boot_id()) or path.stat().st_size != offsets[-1]:
            return None
        # "c": torch wants it writable, and nothing is ever written through it
        pixels = np.memmap(path, np.uint8, "c")
        if _sample(pixels, offsets) == content["sample"]:
            return KeptPictures(pixels, offsets[:-1], np.array(content["sizes"], dtype=np.int64), shape)
    return None


def boot_id() -> str | None:
    """Another word each time that the system is started; None where it has none (it is Linux that does)."""
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip() or None
    return None


def _write_index(path: Path, content: dict[str, Any]) -> None:
    signed = {"content": content, "sha256": _hash(json.dumps(content, sort_keys=True).encode())}
    write_bytes(path, json.dumps(signed).encode())


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
