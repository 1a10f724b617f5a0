"""``--figure FILE.png``, checked before the work begins."""

from __future__ import annotations

from pathlib import Path

from etude.core.errors import EtudeError


def figure_path(asked: str | None) -> Path | None:
    """Where a figure is to be saved, checked before the work begins.

    Raises:
        EtudeError: it is no PNG file, or its folder does not exist.
    """
    if asked is None:
        return None
    path = Path(asked)
    if path.suffix.lower() != ".png" or not path.absolute().parent.is_dir():
        raise EtudeError(
            en=f"--figure is '{asked}'; give a file ending in .png in a folder that exists.",
            zh=f"--figure 为“{asked}”；请给出位于已有文件夹中、以 .png 结尾的文件名。",
        )
    return path
