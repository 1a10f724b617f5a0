"""Facts: what is so or is not, with no chance in it."""

from __future__ import annotations

from etude.core.text import Text, same
from etude.study.rows import Row, Rows
from etude.study.verdict import Verdict


def facts(
    rows: list[Row], *, holds: str = "holds", fact: str = "fact", names: dict[str, Text] | None = None
) -> Verdict:
    """Claim: every row that has the column ``holds`` has True in it.

    Args:
        rows: the study's rows; those that state a fact have the columns ``fact`` and ``holds``.
        names: the facts in words, by what stands in the column ``fact``; the texts themselves where there are none.
    """
    stated = [row for row in Rows(rows) if holds in row and fact in row]
    wrong = [row for row in stated if row[holds] is not True]
    if not stated:
        return Verdict("unclear", Text(en="No fact was checked.", zh="没有检查任何事实。"))
    count = len(stated)
    if not wrong:
        return Verdict(
            "holds",
            Text(en=f"All {count} facts are as the claim says.", zh=f"全部 {count} 项事实都与论断相符。"),
            facts=count,
        )
    named = [(names or {}).get(str(row[fact]), same(str(row[fact]))) for row in wrong[:3]]
    more = Text(en=" …", zh="……") if len(wrong) > 3 else same("")
    en, zh = "; ".join(name.en for name in named), "；".join(name.zh for name in named)
    return Verdict(
        "fails",
        Text(
            en=f"{len(wrong)} of {count} facts are not as the claim says: {en}{more.en}.",
            zh=f"{count} 项事实中有 {len(wrong)} 项与论断不符：{zh}{more.zh}。",
        ),
        facts=count,
    )
