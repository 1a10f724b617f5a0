"""The data sets at hand, and those that would have to be downloaded. The network is not tried."""

from __future__ import annotations

from typing import Any

from etude.cli.diagnosis.finding import Section, survive
from etude.core.text import Text


def examine() -> Section:
    """The section. Its facts have ``datasets``: by name, where each is (``bundled``, a path, or None)."""
    section = Section("datasets", Text(en="Data sets", zh="数据集"))

    def look() -> None:
        label = Text(en="at hand", zh="现有")
        try:
            from etude.core.paths import data_dir
            from etude.data.catalog import list_datasets
        except (ImportError, OSError) as error:
            section.facts["datasets"] = None
            section.add("datasets", label, Text(en=f"not known: {error}", zh=f"未知：{error}"), "improvable",
                        Text(en="Mend the packages above first.", zh="请先解决上面的软件包问题。"))  # fmt: skip
            return
        where: dict[str, Any] = {name: entry.where(data_dir()) for name, entry in list_datasets().items()}
        section.facts["datasets"] = where
        bundled = [name for name, place in where.items() if place == "bundled"]
        here = [f"{name} ({place})" for name, place in where.items() if place not in (None, "bundled")]
        missing = [name for name, place in where.items() if place is None]
        both = Text(en=", ".join([*bundled, *here]), zh="、".join([*bundled, *here]))
        section.add("datasets", label, both)
        if missing:
            value = Text(
                en=f"{', '.join(missing)}: fetched at first use",
                zh=f"{'、'.join(missing)}：首次使用时下载",
            )
            section.add("datasets.missing", Text(en="to be downloaded", zh="需下载"), value)

    survive(section, look)
    said = Text(
        en="not tried; étude sends nothing, and what is at hand works without one",
        zh="未尝试连接；étude 不发送任何数据，现有内容无需网络",
    )
    section.add("network", Text(en="network", zh="网络"), said)
    section.facts["network_tried"] = False
    return section
