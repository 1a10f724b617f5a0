"""The directory of a run: what was asked for, what happened, what came of it."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from etude.core.errors import EtudeError
from etude.core.files import read_json, write_json
from etude.core.paths import runs_dir
from etude.train.trained import find_trained, is_trained

FORMAT = 1
_RECORD, _METRICS, _LOCK = "run.json", "metrics.jsonl", ".lock"


class Run:
    """One run: ``run.json``, ``metrics.jsonl``, ``checkpoints/``, ``figures/``, ``report.html``, ``weights.safetensors``.

    Attributes:
        path: the directory.
        record: the content of ``run.json``.
    """

    def __init__(self, path: Path, record: dict[str, Any]) -> None:
        self.path, self.record = path, record

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def spelt(self) -> str:
        """What a command is told to find it, as a shell takes it."""
        return shlex.quote(reached_as(self.path))

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def weights(self) -> Path:
        """The weights that the finished run kept."""
        return self.path / "weights.safetensors"

    @property
    def metrics(self) -> Path:
        return self.path / _METRICS

    @property
    def finished(self) -> bool:
        return self.record.get("status") == "finished"

    @property
    def shipped(self) -> bool:
        """Whether it came with étude; it is then finished, and read only."""
        return is_trained(self.path)

    @property
    def results(self) -> dict[str, Any]:
        """What came of it: ``test_accuracy`` and so on; empty until the run is finished."""
        return self.record.get("results", {})

    def update(self, **changes: Any) -> None:
        """Change entries of ``run.json``, atomically."""
        self.record |= changes
        write_json(self.path / _RECORD, self.record)

    def records(self) -> list[dict[str, Any]]:
        """The lines of ``metrics.jsonl`` in order; a torn last line is left out."""
        found = []
        if self.metrics.exists():
            for line in self.metrics.read_bytes().split(b"\n")[:-1]:
                with contextlib.suppress(ValueError):
                    found.append(json.loads(line))
        return found

    def append(self, records: list[dict[str, Any]], durable: bool = True) -> int:
        """Add lines to ``metrics.jsonl``; its size afterwards, in bytes.

        Args:
            durable: wait until they are on the disk.
        """
        with open(self.metrics, "ab") as file:
            for record in records:
                file.write(json.dumps(record, allow_nan=False).encode() + b"\n")
            file.flush()
            if durable:
                os.fsync(file.fileno())
            return file.tell()

    def cut_metrics(self, size: int) -> None:
        """Forget the lines written after the checkpoint that a resume starts from.

        Raises:
            EtudeError: lines are missing that were there when the checkpoint was saved.
        """
        there = self.metrics.stat().st_size if self.metrics.exists() else 0
        if there < size:
            raise EtudeError(
                en=f"{self.metrics} is damaged: it holds {there} bytes, but {size} were there at the checkpoint. "
                "Put the file back, or train anew.",
                zh=f"{self.metrics} 已损坏：现有 {there} 字节，而检查点时有 {size} 字节。请恢复该文件或重新训练。",
            )
        if there > size:
            with open(self.metrics, "r+b") as file:
                file.truncate(size)
                os.fsync(file.fileno())

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Inside this block no other process trains this run; what a killed one left half-written is swept away.

        Raises:
            EtudeError: another process is training it, or it came with étude.
        """
        if self.shipped:
            raise EtudeError(
                en=f"{self.name} came with étude: it is finished and stays as it is; start from its weights: "
                f"etude train DATA --weights {self.name}",
                zh=f"{self.name} 随 étude 一起提供：它已训练完成，保持不变；可以从它的权重开始：etude train 数据 --weights {self.name}",
            )
        with open(self.path / _LOCK, "ab") as file:
            if not _lock(file):
                raise EtudeError(
                    en=f"{self.path} is being trained by another process; wait for it or stop it first.",
                    zh=f"另一个进程正在训练 {self.path}；请等待它结束或先停止它。",
                )
            for folder in (self.path, self.checkpoints):
                for left in folder.glob(".*.tmp"):
                    shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)
            yield

    def delete(self) -> None:
        """Delete the whole directory.

        Raises:
            EtudeError: it came with étude.
        """
        if self.shipped:
            raise EtudeError(
                en=f"{self.name} came with étude and is not deleted; it takes no place in {runs_dir()}.",
                zh=f"{self.name} 随 étude 一起提供，不能删除；它不占用 {runs_dir()} 的空间。",
            )
        shutil.rmtree(self.path)


def create_run(record: dict[str, Any], path: Path | str | None = None) -> Run:
    """A new run with its directory: ``path``, or a new name in the folder of runs.

    Raises:
        EtudeError: ``path`` holds something already.
    """
    if path is None:
        folder = _new_folder(f"{record['data']['name']}-{record['model']['name']}")
    else:
        folder = Path(os.path.expanduser(path)).absolute()
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise EtudeError(
                en=f"{folder} is not empty; give --run-dir a new folder, or carry on what is there: etude resume {folder}",
                zh=f"{folder} 不是空文件夹；请用 --run-dir 指定新文件夹，或继续其中的训练：etude resume {folder}",
            )
        folder.mkdir(parents=True, exist_ok=True)
    (folder / "checkpoints").mkdir()
    (folder / "figures").mkdir()
    run = Run(
        folder, {"format": FORMAT, "name": folder.name, "created": _now(), "status": "training", **record}
    )
    run.update()
    return run


def open_run(name: Path | str) -> Run:
    """The run at a path, or of that name in the folder of runs, or the newest for ``"last"``, or one that came with étude.

    Raises:
        EtudeError: there is none, or it is damaged or of another version.
    """
    path = Path(os.path.expanduser(name))
    if not (path / _RECORD).exists():
        inside = runs_dir() / str(name)
        newest = list_runs()[-1:] if str(name) == "last" else []
        if (inside / _RECORD).exists():
            path = inside
        elif newest:
            path = newest[0]
        elif (shipped := find_trained(str(name))) is not None:
            path = shipped
        else:
            raise _no_run(name)
    path = path.absolute()
    record = read_json(path / _RECORD)
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        found = record.get("format", "?") if isinstance(record, dict) else "?"
        version = record.get("versions", {}).get("etude", "?") if isinstance(record, dict) else "?"
        raise EtudeError(
            en=f"{path} is a run of format {found} (étude {version}); this version reads format {FORMAT}. "
            "Use the version of étude that made it.",
            zh=f"{path} 是格式 {found} 的训练记录（étude {version}）；此版本只读格式 {FORMAT}。请用产生它的 étude 版本打开。",
        )
    return Run(path, record)


def reached_as(run_dir: Path) -> str:
    """What a command finds the run by: its name where that is enough, else its path, short from the current folder."""
    path = Path(os.path.abspath(run_dir))
    try:
        runs, here = Path(os.path.abspath(runs_dir())), Path.cwd()
    except OSError:  # the current folder was deleted meanwhile
        return str(path)
    if path.parent == runs or is_trained(path):
        return path.name
    return str(path.relative_to(here)) if here in path.parents else str(path)


def list_runs(folder: Path | None = None) -> list[Path]:
    """The directories of runs in ``folder`` (default: the folder of runs), oldest first."""
    found = [path.parent for path in (folder or runs_dir()).glob(f"*/{_RECORD}")]
    return sorted(found, key=_created)


def _created(path: Path) -> str:
    try:
        return str(json.loads((path / _RECORD).read_text(encoding="utf-8")).get("created", ""))
    except (OSError, ValueError, AttributeError):
        return ""


def _no_run(name: Path | str) -> EtudeError:
    names = [path.name for path in list_runs()][-5:]
    if names:
        listed, listed_zh = ", ".join(reversed(names)), "、".join(reversed(names))
        return EtudeError(
            en=f"There is no run at '{name}'; the newest in {runs_dir()} are: {listed}.",
            zh=f"“{name}”处没有训练记录；{runs_dir()} 中最新的有：{listed_zh}。",
        )
    return EtudeError(
        en=f"There is no run at '{name}' and none in {runs_dir()}; make one with: etude train",
        zh=f"“{name}”处没有训练记录，{runs_dir()} 中也没有；用 etude train 开始训练。",
    )


def _new_folder(stem: str) -> Path:
    runs_dir().mkdir(parents=True, exist_ok=True)
    stem = "".join(c if c.isalnum() or c in "-_." else "-" for c in stem)
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    for place in range(1, 1000):
        folder = runs_dir().absolute() / (f"{stem}-{stamp}" + (f"-{place}" if place > 1 else ""))
        with contextlib.suppress(FileExistsError):
            folder.mkdir()
            return folder
    raise EtudeError(en=f"{runs_dir()} is full of runs.", zh=f"{runs_dir()} 中训练记录过多。")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")


def _lock(file: Any) -> bool:
    """Take the lock that ends with the process, however it ends; True where the system has no such locks."""
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True
