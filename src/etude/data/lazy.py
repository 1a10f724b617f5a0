"""Pictures decoded by threads while training has begun already, in the order in which it wants them."""

from __future__ import annotations

import os
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from etude.core.errors import EtudeError
from etude.core.files import explain_os_error
from etude.data.decode import REASONS, Header, Unreadable
from etude.data.kept import KeptPictures, Progress
from etude.data.prepare import keep_file
from etude.data.threads import on_one_core

_PATIENCE = 0.2  # seconds between two words of progress


class LazyPictures(KeptPictures):
    """`KeptPictures` that are still being decoded: whoever wants one that is not there yet waits for it.

    Args:
        paths: the picture files.
        headers: theirs.
        preparation: how each is prepared (`etude.data.prepare`).
        pixels: uint8, where ``write`` puts those of all pictures.
        offsets: int64 ``[n + 1]``: where each begins, and the end.
        write: stores the pixels of one picture at a place: ``write(offset, pixels)``.
        finish: called with the sizes of all pictures, int64 ``[n, 2]``, once, when all are there.
        workers: how many threads decode.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        headers: Sequence[Header],
        preparation: dict[str, Any],
        pixels: np.ndarray,
        offsets: np.ndarray,
        write: Callable[[int, np.ndarray], None],
        finish: Callable[[np.ndarray], None],
        workers: int,
    ) -> None:
        self._work = _Work(paths, headers, preparation, offsets, write, finish)
        shape = (preparation["channels"], preparation["height"], preparation["width"])
        super().__init__(pixels, offsets[:-1], self._work.sizes, shape)
        self._workers = workers
        self._started = False
        # the threads know the work alone, so that this object can go, and they with it
        weakref.finalize(self, self._work.stop)

    def ask(self, rows: Sequence[int] | np.ndarray) -> None:
        self._start()
        self._work.ask(rows)

    def wait(self, rows: Sequence[int] | np.ndarray | None = None, progress: Progress = None) -> None:
        """Wait until these pictures (all, by default) are there.

        Args:
            progress: called with (done, total), of those that are waited for, from time to time.

        Raises:
            EtudeError: a file turns out to be damaged, has changed or is gone, or the disk is full.
        """
        wanted = np.arange(len(self)) if rows is None else np.asarray(rows, dtype=np.int64)
        if not self._work.has(wanted):
            self._start()
            if rows is not None:
                self._work.bring_forward(wanted)
            self._work.wait(wanted, progress)

    def _start(self) -> None:
        if not self._started:
            self._started = True
            threads = on_one_core([self._work.work_through] * self._workers)
            # a thread in the midst of a picture when the process ends could bring it down: it is waited for
            weakref.finalize(self._work, _end, self._work.stopped, threads)


class _Work:
    """What is to be decoded and what has been: shared by the threads."""

    def __init__(
        self,
        paths: Sequence[Path],
        headers: Sequence[Header],
        preparation: dict[str, Any],
        offsets: np.ndarray,
        write: Callable[[int, np.ndarray], None],
        finish: Callable[[np.ndarray], None],
    ) -> None:
        self._offsets = offsets
        self._paths, self._headers, self._preparation = paths, headers, preparation
        self._write, self._finish = write, finish
        self.sizes = np.zeros((len(paths), 2), dtype=np.int64)
        self._taken, self._done = (np.zeros(len(paths), dtype=bool) for _ in range(2))
        self._left = len(paths)
        self._first: deque[int] = deque()
        self._then: Iterable[int] = iter(range(len(paths)))
        self._after = range(len(paths))
        self._changed = threading.Condition()
        self._error: EtudeError | None = None
        self.stopped = threading.Event()

    def has(self, rows: np.ndarray) -> bool:
        return bool(self._done[rows].all())

    def ask(self, rows: Sequence[int] | np.ndarray) -> None:
        with self._changed:
            self._then = iter([*np.asarray(rows).tolist(), *self._after])

    def stop(self) -> None:
        self.stopped.set()

    def bring_forward(self, rows: np.ndarray) -> None:
        with self._changed:
            self._first.extend(rows[~self._taken[rows]].tolist())

    def wait(self, rows: np.ndarray, progress: Progress) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self.has(rows) or self._error, _PATIENCE)
                done = int(self._done[rows].sum())
            if progress:
                progress(done, len(rows))
            if done == len(rows):
                return
            if self._error is not None:
                raise self._error

    def work_through(self) -> None:
        while not self.stopped.is_set() and (row := self._next()) is not None:
            error = self._decode(row)
            with self._changed:
                if error:
                    self._error = error
                    self.stopped.set()
                else:
                    self._done[row] = True
                    self._left -= 1
                last = not error and self._left == 0
                self._changed.notify_all()
            if last:
                self._finish(self.sizes)

    def _next(self) -> int | None:
        with self._changed:
            while self._first:
                if not self._taken[row := self._first.popleft()]:
                    self._taken[row] = True
                    return row
            for row in self._then:
                if not self._taken[row]:
                    self._taken[row] = True
                    return row
        return None

    def _decode(self, row: int) -> EtudeError | None:
        path = self._paths[row]
        try:
            pixels = keep_file(path, self._preparation, self._headers[row])
            start, end = self._offsets[row : row + 2].tolist()
            if pixels.size != end - start:  # its header said otherwise
                raise Unreadable("damaged")
            self.sizes[row] = pixels.shape[:2]
            self._write(start, pixels)
        except Unreadable as error:
            return _damaged(path, error.reason)
        except OSError as error:
            return explain_os_error(error, path)
        except BaseException as error:  # whoever waits must not wait for ever
            return EtudeError(en=f"{path}: {error!r}", zh=f"{path}：{error!r}")
        return None


def _end(stopped: threading.Event, threads: Sequence[threading.Thread]) -> None:
    stopped.set()
    for thread in threads:
        if thread is not threading.current_thread():
            thread.join()


def _damaged(path: Path, reason: str) -> EtudeError:
    why = REASONS[reason]
    return EtudeError(
        en=f"{path} looked whole but cannot be decoded ({why.en}); take it out of the folder and start again.",
        zh=f"{path} 看似完整，却无法解码（{why.zh}）；请把它移出文件夹后重新开始。",
    )


def writer_to(descriptor: int, pixels: np.ndarray) -> Callable[[int, np.ndarray], None]:
    """A function that stores one picture in the file behind the memory map ``pixels``.

    Plain writes, because a full disk under a memory map kills the process; on Windows, where the two are not told of each
    other's changes but room is taken when a file is made, through the map.
    """
    if not hasattr(os, "pwrite"):
        return into(pixels)

    def write(offset: int, picture: np.ndarray) -> None:
        view = memoryview(picture).cast("B")
        while len(view):
            written = os.pwrite(descriptor, view, offset)
            view, offset = view[written:], offset + written

    return write


def into(pixels: np.ndarray) -> Callable[[int, np.ndarray], None]:
    """A function that stores one picture in an array."""

    def write(offset: int, picture: np.ndarray) -> None:
        pixels[offset : offset + picture.size] = picture.reshape(-1)

    return write
