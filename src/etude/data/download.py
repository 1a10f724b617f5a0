"""Files fetched from several mirrors: checked by hash, resumed where they broke off, whole or not at all."""

from __future__ import annotations

import http.client
import os
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path

from etude.core.errors import EtudeError
from etude.data.entry import Progress

_BLOCK, _TIMEOUT = 1 << 16, 10.0  # bytes, seconds


class NotFetched(EtudeError):
    """No mirror gave the file."""


def fetch(
    urls: Sequence[str], target: Path, is_right: Callable[[Path], bool], progress: Progress = None
) -> Path:
    """Download ``target`` from the first of ``urls`` that has it.

    What arrived of a broken download stays beside the target as ``NAME.part`` and is not fetched again.

    Args:
        urls: the same file on several mirrors.
        is_right: whether a file is the one wanted, by a hash; anything else is thrown away.
        progress: called with (bytes so far, bytes in all).

    Raises:
        NotFetched: no mirror gave it; the sentence says why each did not.
        OSError: the disk is full, or the folder cannot be written.
    """
    part = target.with_name(target.name + ".part")
    reasons = []
    for url in urls:
        for _ in range(2):  # a second time from the start, where what was left of an earlier try was no good
            began_with = part.stat().st_size if part.exists() else 0
            try:
                _append(url, part, progress)
            except (
                urllib.error.URLError,
                http.client.HTTPException,
                ConnectionError,
                TimeoutError,
                ssl.SSLError,
                ValueError,
            ) as error:
                reasons.append(f"{_host(url)}: {_in_one_line(getattr(error, 'reason', None) or error)}")
                break
            if is_right(part):
                os.replace(part, target)
                return target
            part.unlink(missing_ok=True)  # another process may have been faster
            if not began_with:
                reasons.append(f"{_host(url)}: not the file that was expected (its content differs)")
                break
    raise NotFetched(
        en=f"{target.name} could not be downloaded: {'; '.join(reasons)}.",
        zh=f"无法下载 {target.name}：{'；'.join(reasons)}。",
    )


def _append(url: str, part: Path, progress: Progress) -> None:
    """Fetch what ``part`` does not hold yet."""
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(
        url, headers={"User-Agent": "etude", **({"Range": f"bytes={have}-"} if have else {})}
    )
    try:
        answer = urllib.request.urlopen(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:  # nothing is left to fetch: the hash will judge
            return
        raise
    with answer:
        resumed = have and answer.status == 206
        length = answer.headers.get("Content-Length")
        done = have if resumed else 0
        total = done + int(length) if length else 0
        part.parent.mkdir(parents=True, exist_ok=True)
        with open(part, "ab" if resumed else "wb") as file:
            while block := _read(answer):
                file.write(block)
                done += len(block)
                if progress and total:
                    progress(done, total)
            file.flush()
            os.fsync(file.fileno())
        if total and done < total:
            raise ConnectionError(f"the connection broke off after {done:,} of {total:,} bytes")


def _read(answer: http.client.HTTPResponse) -> bytes:
    """The next block. What the network did is told apart from what the disk did, which no other mirror can mend."""
    try:
        return answer.read(_BLOCK)
    except OSError as error:
        raise ConnectionError(f"the connection broke off ({error.strerror or error})") from error


def _in_one_line(why: object) -> str:
    """A reason fit to print: it may hold whatever a server that is no web server sent."""
    printable = "".join(letter if letter.isprintable() else " " for letter in str(why))
    return " ".join(printable.split())[:200]


def _host(url: str) -> str:
    return urllib.parse.urlsplit(url).netloc
