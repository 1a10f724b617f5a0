"""``--figure FILE``, checked before the work begins and written whole."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from etude.core.errors import EtudeError
from etude.core.text import Lang

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STUDY_FIGURES = (".png", ".svg", ".pdf")


def figure_path(asked: str | None, kinds: tuple[str, ...] = (".png",), flag: str = "--figure") -> Path | None:
    """Where a figure, or what else ``flag`` asks for, is to be saved, checked before the work begins.

    Raises:
        EtudeError: it has none of the endings in ``kinds``, or its folder does not exist.
    """
    if asked is None:
        return None
    path = Path(asked)
    if path.suffix.lower() not in kinds or not path.absolute().parent.is_dir():
        raise EtudeError(
            en=f"{flag} is '{asked}'; give a file ending in {', '.join(kinds)} in a folder that exists.",
            zh=f"{flag} 为“{asked}”；请给出位于已有文件夹中、以 {'、'.join(kinds)} 结尾的文件名。",
        )
    return path


def draw_png(draw: Callable[[], Figure], path: Path, lang: Lang, dpi: int = 150) -> None:
    """Call ``draw`` in the style of étude's figures and write what it gives to ``path``, whole or not at all."""
    from etude.core.files import write_bytes
    from etude.core.plotting import drawing, png

    with drawing(lang):
        write_bytes(path, png(draw(), dpi=dpi))


def save_figure(figure: Figure, path: Path, lang: Lang) -> None:
    """Write ``figure`` to ``path``, in the format of its ending."""
    from etude.core.files import write_bytes
    from etude.core.plotting import drawing

    buffer = io.BytesIO()
    with drawing(lang):  # some labels are made only now
        figure.savefig(buffer, format=path.suffix.lower()[1:])
    write_bytes(path, buffer.getvalue())
