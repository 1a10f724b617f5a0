"""What the READMEs say is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
READMES = [ROOT / "README.md", ROOT / "README.zh.md"]


def code(readme: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", readme.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.slow
@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.name)
def test_its_python_runs(readme, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ETUDE_RUNS", str(tmp_path))
    exec(compile("\n".join(code(readme, "python")), readme.name, "exec"), {})
    printed = capsys.readouterr().out
    assert "test_accuracy" in printed
    assert (next(tmp_path.iterdir()) / "report.html").exists()


def test_both_have_the_same_commands_and_code():
    english, chinese = (["".join(code(r, kind)) for kind in ("sh", "python")] for r in READMES)
    strip = [[re.sub(r"\s*#.*", "", block) for block in blocks] for blocks in (english, chinese)]
    assert strip[0] == strip[1]


def test_it_opens_with_the_two_commands():
    for readme in READMES:
        first = code(readme, "sh")[0]
        assert "pip install . && etude train" in first
        assert "pip install '.[dev]' && pytest" in first


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.name)
def test_its_links_lead_somewhere(readme):
    for target in re.findall(r"\]\(([^)#]+)\)", readme.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.name)
def test_the_commands_it_names_exist(readme):
    from etude.cli.main import COMMANDS

    for command in re.findall(
        r"etude (\w+)", "\n".join(re.findall(r"`([^`]+)`", readme.read_text(encoding="utf-8")))
    ):
        assert command in COMMANDS
