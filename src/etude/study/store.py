"""The store: rows of studies in one SQLite file, so that an unchanged study answers at once.

Only the parent process writes. The rows of a chunk of seeds are one transaction, made when they are all measured;
two processes that measure the same store the same, and the first one's stay.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    create_engine,
    delete,
    event,
    func,
    select,
    text,
)  # fmt: skip
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.schema import CreateTable

from etude.core.errors import EtudeError
from etude.core.paths import store_path
from etude.core.text import Text
from etude.study.rows import Rows
from etude.study.verdict import Outcome, Verdict

_BUSY = 60.0  # seconds to wait for another process's transaction
_tables = MetaData()
_results = Table(
    "results", _tables,
    Column("key", String, primary_key=True), Column("seed", Integer, primary_key=True),
    Column("study", String, nullable=False), Column("rows", LargeBinary, nullable=False),
    Column("seconds", Float, nullable=False), Column("made", String, nullable=False),
)  # fmt: skip
_verdicts = Table(
    "verdicts", _tables,
    Column("study", String, primary_key=True), Column("key", String, nullable=False),
    Column("outcome", String, nullable=False), Column("en", String, nullable=False), Column("zh", String, nullable=False),
    Column("seeds", Integer, nullable=False), Column("made", String, nullable=False),
)  # fmt: skip


@dataclass(frozen=True)
class LastVerdict:
    """The verdict of a study's last full run; it is stale when ``key`` is no longer that of the study's code."""

    key: str
    outcome: Outcome
    sentence: Text
    seeds: int
    made: str


class Store:
    """The rows and last verdicts of studies.

    Args:
        path: the SQLite file; `etude.core.paths.store_path` if None. It is made when first needed.

    Raises:
        EtudeError: (any method) the file is damaged, or stays locked by another process.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or store_path()
        self._engine: Engine | None = None

    def rows(self, key: str, seeds: Sequence[int]) -> dict[int, Rows]:
        """The rows that are there, by seed."""
        if not self.path.exists():
            return {}
        with self._transaction() as connection:
            asked = select(_results.c.seed, _results.c.rows).where(
                _results.c.key == key, _results.c.seed.in_(list(seeds))
            )
            return {
                seed: Rows.from_json(zlib.decompress(blob).decode()) for seed, blob in connection.execute(asked)
            }

    def put_rows(self, study: str, key: str, rows: dict[int, Rows], seconds: float) -> None:
        """Keep the rows of some seeds, in one transaction; those that are there already stay."""
        values = [
            {
                "key": key, "seed": seed, "study": study, "rows": zlib.compress(found.to_json().encode()),
                "seconds": seconds / len(rows), "made": _now(),
            }
            for seed, found in rows.items()
        ]  # fmt: skip
        with self._transaction() as connection:
            connection.execute(insert(_results).on_conflict_do_nothing(), values)

    def put_verdict(self, study: str, key: str, verdict: Verdict, seeds: int) -> None:
        """Keep the verdict of a full run, in place of the one before."""
        values = {
            "study": study, "key": key, "outcome": verdict.outcome, "en": verdict.sentence.en, "zh": verdict.sentence.zh,
            "seeds": seeds, "made": _now(),
        }  # fmt: skip
        with self._transaction() as connection:
            connection.execute(insert(_verdicts).values(values).on_conflict_do_update(["study"], set_=values))

    def verdicts(self) -> dict[str, LastVerdict]:
        """The last verdict of every study that has one."""
        if not self.path.exists():
            return {}
        with self._transaction() as connection:
            columns = (_verdicts.c[name] for name in ("study", "key", "outcome", "en", "zh", "seeds", "made"))
            return {
                name: LastVerdict(key, outcome, Text(en=en, zh=zh), seeds, made)
                for name, key, outcome, en, zh, seeds, made in connection.execute(select(*columns))
            }

    def contents(self) -> dict[str, tuple[int, int]]:
        """For every study: how many seeds are kept (of any version and knobs), and their bytes."""
        if not self.path.exists():
            return {}
        with self._transaction() as connection:
            counted = select(_results.c.study, func.count(), func.sum(func.length(_results.c.rows)))
            return {name: (count, size) for name, count, size in connection.execute(counted.group_by("study"))}

    def size(self) -> int:
        """Bytes on the disk."""
        return sum(path.stat().st_size for path in self._files() if path.exists())

    def clear(self, studies: Sequence[str] = ()) -> None:
        """Forget the results of these studies; with none named: of all, even if the file is damaged."""
        if not self.path.exists():
            return
        try:
            with self._transaction() as connection:
                for table in (_results, _verdicts):
                    connection.execute(
                        delete(table).where(table.c.study.in_(studies)) if studies else delete(table)
                    )
            with self._connect().connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(text("VACUUM"))
                connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
        except EtudeError:
            if studies:
                raise
            self.close()
            for path in self._files():
                path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of the file."""
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    def _files(self) -> list[Path]:
        return [self.path, *(self.path.with_name(self.path.name + end) for end in ("-wal", "-shm"))]

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[Connection]:
        try:
            with self._connect().begin() as connection:
                yield connection
        except OperationalError as error:
            if "locked" not in str(error) and "busy" not in str(error):
                raise self._damaged(error) from None
            raise EtudeError(
                en=f"{self.path} has been locked by another process for {_BUSY:.0f} s; wait for it to end, or stop it.",
                zh=f"{self.path} 被另一个进程锁定已超过 {_BUSY:.0f} 秒；请等它结束，或停止它。",
            ) from None
        except DatabaseError as error:
            raise self._damaged(error) from None

    def _damaged(self, error: Any) -> EtudeError:
        return EtudeError(
            en=f"The store {self.path} cannot be used ({error.orig}); 'etude store clear' makes a new one, and studies are "
            "measured again.",
            zh=f"结果库 {self.path} 无法使用（{error.orig}）；可用“etude store clear”重建，研究会重新测量。",
        )

    def _connect(self) -> Engine:
        if self._engine is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            engine = create_engine(f"sqlite:///{self.path}", connect_args={"timeout": _BUSY})
            event.listen(engine, "connect", _prepare)
            with engine.begin() as connection:
                for table in _tables.sorted_tables:  # another process may be making them at this moment
                    connection.execute(CreateTable(table, if_not_exists=True))
            self._engine = engine
        return self._engine


def _prepare(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    # readers and one writer at once; a committed transaction survives a power failure too
    for attempt in range(100):
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            break
        except (
            sqlite3.OperationalError
        ):  # several processes switch at once; for this SQLite does not wait by itself
            if attempt == 99:
                raise
            time.sleep(0.05)
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
