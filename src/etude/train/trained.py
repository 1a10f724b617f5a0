"""The small trained networks that come with étude: runs like any other, but without checkpoints, and read only."""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path(__file__).parent / "trained"


def list_trained() -> dict[str, Path]:
    """The directories of the runs that come with étude, by their names: ``lenet5-mnist`` and so on."""
    return {path.parent.name: path.parent for path in sorted(_FOLDER.glob("*/run.json"))}


def find_trained(name: str) -> Path | None:
    """The directory of one of them; None where there is none of that name."""
    return list_trained().get(name)


def is_trained(path: Path) -> bool:
    """Whether a directory is one of them."""
    return path.absolute().parent == _FOLDER
