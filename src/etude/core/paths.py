"""Where étude keeps things. Every place can be moved with an environment variable."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cache_dir() -> Path:
    """Decoded pictures: ``ETUDE_CACHE``, else the platform's folder for caches. It may be deleted at any time."""
    if os.environ.get("ETUDE_CACHE"):
        return Path(os.environ["ETUDE_CACHE"]).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "etude" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "etude"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "etude"


def data_dir(asked: str | os.PathLike[str] | None = None) -> Path:
    """Downloaded data sets: ``asked`` (``--data-dir``), else ``ETUDE_DATA``, else ``etude-data`` in the home folder."""
    if asked:
        return Path(os.path.expanduser(asked))  # unlike Path.expanduser it leaves an unknown ~user alone
    return Path(os.environ.get("ETUDE_DATA") or Path.home() / "etude-data").expanduser()


def runs_dir() -> Path:
    """Runs: ``ETUDE_RUNS``, else ``runs`` in the current folder."""
    return Path(os.environ.get("ETUDE_RUNS") or "runs").expanduser()


def store_path() -> Path:
    """The results of studies, one SQLite file: ``ETUDE_STORE``, else ``studies.sqlite`` in the folder of caches."""
    if os.environ.get("ETUDE_STORE"):
        return Path(os.environ["ETUDE_STORE"]).expanduser()
    return cache_dir() / "studies.sqlite"
