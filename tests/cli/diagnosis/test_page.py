"""The diagnosis as lines, and what it must not tell."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from etude.cli.diagnosis import finding, page
from etude.cli.diagnosis.finding import Finding, Section, private
from etude.core.text import Text


def section() -> Section:
    return Section("machine", Text(en="Machine", zh="机器"))


def test_home_and_user_are_hidden_and_nothing_else(monkeypatch):
    monkeypatch.setattr(finding, "_homes", lambda: {"/home/bob"})
    monkeypatch.setattr(finding, "_users", lambda: {"bob"})
    content = {"a": ["/home/bob/x", "/home/bobby", 3], "b": "/media/bob/disk", "c": "bob's /home/bob"}
    assert private(content) == {"a": ["~/x", "/home/bobby", 3], "b": "/media/USER/disk", "c": "bob's ~"}


def test_wrapping_counts_columns_and_loses_nothing():
    text = "étude 可以在本机工作；（2 项）标有 !，可以改进，a-word-that-is-longer-than-any-line-here."
    for width in (10, 17, 40):
        lines = page.wrap(text, width)
        assert all(page.columns(line) <= width for line in lines)
        assert "".join(lines).replace(" ", "") == text.replace(" ", "")
        assert not any(line.startswith(("，", "；", "）")) for line in lines)
    assert page.wrap("", 10) == [""]


def test_a_finding_shows_mark_advice_and_an_unbroken_command():
    broken = Finding("x", Text(en="torch", zh="torch"), Text(en="missing", zh="缺失"), "broken", Text(en="Install it.", zh="请安装。"), "pip install " + "x" * 90)  # fmt: skip
    found = section()
    found.findings.append(broken)
    lines = page.section_lines(found, "zh", 60)
    assert lines[1] == "机器"
    assert lines[2].startswith(" ✗ torch ")
    assert lines[3].strip() == "→ 请安装。"
    assert lines[4].strip() == broken.command
    assert page.section_lines(found, "en", 60, plain=True)[2].startswith(" X torch ")
    assert "\x1b[31;1m✗" in page.section_lines(found, "en", 60, colour=True)[2]


def test_every_word_has_full_width_punctuation_in_chinese():
    """What the sections can say: every Text written in their source."""
    folder = Path(page.__file__).parent
    count = 0
    for file in [*folder.glob("*.py"), folder.parent / "doctor.py"]:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "zh":
                words = ast.unparse(node.value)
                count += 1
                assert not re.search(
                    r"[\u4e00-\u9fff](?:[,;:!?()]| [,;:?])|[,;:?()] ?[\u4e00-\u9fff]", words
                ), (
                    file.name,
                    words,
                )
    assert count > 50
