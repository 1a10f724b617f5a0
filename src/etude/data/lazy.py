"""Pictures decoded by threads while training has begun already, in the order in which it wants them."""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from etude.core.errors import EtudeError
from etude.core.files import explain_os_error
from etude.core.text import Text, same
from etude.data.decode import REASONS, Header, Unreadable
from etude.data.kept import KeptPictures, Progress
from etude.data.kept_entry import Room
from etude.data.prepare import keep_file
from etude.data.threads import on_one_core

_PATIENCE = 0.2  # seconds between two words of progress


class Damaged(EtudeError):
    """Files that looked whole cannot be decoded; ``paths`` are all of them."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = tuple(paths)
        first, more = self.paths[0], len(self.paths) - 1
        others = Text(en=f" and {more:,} more", zh=f" 等 {more + 1:,} 个文件") if more else same("")
        super().__init__(
            en=f"{first}{others.en} looked whole but cannot be decoded, so the run stops; start it again: the same command "
            "will leave them out now.",
            zh=f"{first}{others.zh}看似完整，却无法解码，训练因此停止；请重新开始：同一命令现在会跳过这些文件。",
        )

    def __reduce__(self):
        return (type(self), (self.paths,))


class LazyPictures(KeptPictures):
    """`KeptPictures` that are still being decoded: whoever wants one that is not there yet waits for it.

    Args:
        paths: the picture files.
        headers: theirs.
        preparation: how each is prepared (`etude.data.prepare`).
        room: where the pixels go.
        offsets: int64 ``[n + 1]``: where each picture begins there, and the end.
        note: called with the rows of files that turned out to be damaged, once, when all have been tried.
        workers: how many threads decode.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        headers: Sequence[Header],
        preparation: dict[str, Any],
        room: Room,
        offsets: np.ndarray,
        note: Callable[[Sequence[int]], None],
        workers: int,
    ) -> None:
        self._work = _Work(paths, headers, preparation, room, offsets, note)
        shape = (preparation["channels"], preparation["height"], preparation["width"])
        super().__init__(room.pixels, offsets[:-1], self._work.sizes, shape)
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
            Damaged: some of the files cannot be decoded; all have been tried by then, so that all are named.
            EtudeError: a file has changed or is gone, or the disk is full.
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
        room: Room,
        offsets: np.ndarray,
        note: Callable[[Sequence[int]], None],
    ) -> None:
        self._offsets = offsets
        self._paths, self._headers, self._preparation = paths, headers, preparation
        self._room, self._note = room, note
        self.sizes = np.zeros((len(paths), 2), dtype=np.int64)
        self._taken, self._done = (np.zeros(len(paths), dtype=bool) for _ in range(2))
        self._left = len(paths)
        self._damaged: list[int] = []
        self._first: deque[int] = deque()
        self._then: Iterable[int] = iter(range(len(paths)))
        self._after = range(len(paths))
        self._changed = threading.Condition()
        self._error: EtudeError | None = None
        self.stopped = threading.Event()

    def has(self, rows: np.ndarray) -> bool:
        return bool(self._done[rows].all())

    def ask(self, rows: Sequence[int] | np.ndarray) -> None:
        self._room.settle()  # whoever asks again does not end with the last picture
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
            found = self._decode(row)
            with self._changed:
                if isinstance(found, EtudeError):
                    self._error = found
                    self.stopped.set()
                else:
                    self._left -= 1
                    self._done[row] = found
                    if not found:
                        self._damaged.append(row)
                last = self._left == 0
                self._changed.notify_all()
            if last:
                self._end()

    def _end(self) -> None:
        """All have been tried."""
        if not self._damaged:
            self._room.finish(self.sizes)
            return
        self._note(sorted(self._damaged))  # before anybody hears of it, who may begin again at once
        with self._changed:
            self._error = Damaged([self._paths[row] for row in sorted(self._damaged)])
            self._changed.notify_all()

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

    def _decode(self, row: int) -> bool | EtudeError:
        """Whether the file can be decoded; or what stops all of them."""
        path = self._paths[row]
        try:
            pixels = keep_file(path, self._preparation, self._headers[row])
            start, end = self._offsets[row : row + 2].tolist()
            if pixels.size != end - start:  # its header said otherwise
                raise Unreadable("damaged")
            self.sizes[row] = pixels.shape[:2]
            self._room.write(start, pixels)
        except Unreadable as error:
            return error.reason != "damaged" and _unreadable(path, error.reason)
        except OSError as error:
            return explain_os_error(error, path)
        except BaseException as error:  # whoever waits must not wait for ever
            return EtudeError(en=f"{path}: {error!r}", zh=f"{path}：{error!r}")
        return True


def _end(stopped: threading.Event, threads: Sequence[threading.Thread]) -> None:
    stopped.set()
    for thread in threads:
        if thread is not threading.current_thread():
            thread.join()


def _unreadable(path: Path, reason: str) -> EtudeError:
    why = REASONS[reason]
    return EtudeError(
        en=f"{path} could be read at the start and cannot be read now ({why.en}); put it right and start again.",
        zh=f"{path} 开始时可以读取，现在却无法读取（{why.zh}）；请处理后重新开始。",
    )
