"""Files that are either the old one or the new one, whatever happens in between."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from etude.core.errors import EtudeError


def write_bytes(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path`` atomically: temporary file beside it, fsync, rename, fsync of the folder.

    Raises:
        OSError: the disk is full or the folder cannot be written; ``path`` is then as it was.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
    sync_directory(path.parent)


def write_text(path: Path, content: str) -> None:
    """`write_bytes`, in UTF-8."""
    write_bytes(path, content.encode("utf-8"))


def write_json(path: Path, content: Any) -> None:
    """`write_text` of ``content`` as indented JSON. NaN and infinity are refused: they are not JSON."""
    write_text(path, json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """The JSON in ``path``.

    Raises:
        EtudeError: the file is missing or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise EtudeError(en=f"{path} does not exist.", zh=f"{path} 不存在。") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise EtudeError(
            en=f"{path} is damaged: it is not valid JSON ({error}).",
            zh=f"{path} 已损坏：不是有效的 JSON（{error}）。",
        ) from None


def sync_file(path: Path) -> None:
    """Wait until the content of ``path`` is on the disk."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_directory(path: Path) -> None:
    """Wait until the names in a folder are on the disk (Windows has no such call and needs none)."""
    if os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def new_directory(path: Path) -> Iterator[Path]:
    """A temporary folder that becomes ``path``, whole and fsynced, when the block ends without an error.

    A folder already at ``path`` is replaced. On an error nothing is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp") as parent:
        made = Path(parent) / path.name
        made.mkdir()
        yield made
        for file in made.iterdir():
            sync_file(file)
        sync_directory(made)
        if path.exists():
            os.replace(path, Path(parent) / "replaced")
        os.replace(made, path)
        sync_directory(path.parent)


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's content, as hexadecimal text."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def explain_os_error(error: OSError, doing: Path | str | None = None) -> EtudeError:
    """One sentence for what the operating system refused."""
    place = error.filename or doing or "?"
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return EtudeError(
            en=f"The disk is full: {place} could not be written. What was saved before is whole; "
            "free some space and carry on.",
            zh=f"磁盘已满：无法写入 {place}。之前保存的内容完好；请释放空间后继续。",
        )
    if isinstance(error, PermissionError):
        return EtudeError(
            en=f"{place} may not be read or written: permission denied. Choose another place or mend its permissions.",
            zh=f"没有权限读写 {place}。请换一个位置或修改权限。",
        )
    return EtudeError(
        en=f"{place}: {error.strerror or error}.",
        zh=f"{place}：{error.strerror or error}。",
    )


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
