"""``etude doctor`` as a person calls it: on this machine, and where torch is broken in several ways."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from etude.cli import doctor
from etude.cli.diagnosis import datasets, software
from etude.cli.diagnosis.finding import Section, survive
from etude.cli.diagnosis.page import columns
from etude.core.devices import choose_device
from etude.core.text import Text
from etude.insight.installation import Import

SECTIONS = ["software", "machine", "speed", "places", "surroundings", "datasets"]
CALL = "import sys\nfrom etude.cli.doctor import run\nsys.exit(run(sys.argv[2:], sys.argv[1]))"


def call(*words: str, lang: str = "en", **environment: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8", **environment}
    command = [sys.executable, "-c", CALL, lang, *words]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", env=env, timeout=120)


@pytest.fixture(scope="module")
def whole() -> dict:
    """What the command says about this machine."""
    done = call("--quick", "--json")
    return json.loads(done.stdout.splitlines()[-1]) | {"returncode": done.returncode}


@pytest.mark.slow
def test_every_section_has_facts_and_findings(whole):
    assert [name for name in SECTIONS if name in whole] == SECTIONS
    assert {finding["section"] for finding in whole["findings"]} == set(SECTIONS)
    assert whole["schema"] == doctor.SCHEMA
    for finding in whole["findings"]:
        assert finding["state"] in ("fine", "improvable", "broken")
        assert finding["label"]
        assert finding["value"]
    names = [finding["name"] for finding in whole["findings"]]
    assert len(names) == len(set(names))


@pytest.mark.slow
def test_the_exit_code_follows_from_the_findings(whole):
    broken = any(finding["state"] == "broken" for finding in whole["findings"])
    assert whole["returncode"] == whole["exit_code"] == int(broken)


@pytest.mark.slow
def test_facts_are_those_of_torch(whole):
    assert whole["software"]["imports"]["torch"]["version"] == torch.__version__
    assert whole["machine"]["device"] == choose_device("auto").type
    assert (
        len(whole["machine"]["accelerators"]) == torch.cuda.device_count() + torch.backends.mps.is_available()
    )
    assert whole["machine"]["threads"] == 1


@pytest.mark.slow
def test_every_speed_is_there_and_positive(whole):
    measured = whole["speed"]["measurements"]
    kinds = {(each["what"], each["number_format"]) for each in measured}
    assert {("matrix product", "float32"), ("matrix product", "bf16"), ("memory copy", ""), ("small operation", "float32")} <= kinds  # fmt: skip
    for each in measured:
        assert 0 < each["low"] <= each["median"] <= each["high"]
    products = {
        each["size"] for each in measured if each["what"] == "matrix product" and each["device"] == "cpu"
    }
    assert len(products) == 1  # of one size, so that they can be compared


@pytest.mark.slow
def test_places_are_those_of_the_environment(whole):
    for name, variable in (("runs", "ETUDE_RUNS"), ("cache", "ETUDE_CACHE"), ("data", "ETUDE_DATA")):
        assert Path(whole["places"]["places"][name]["path"]) == Path(os.environ[variable])
    assert not Path(os.environ["ETUDE_DATA"], ".etude-doctor").exists()


@pytest.mark.slow
def test_bundled_data_sets_are_told_and_the_network_is_not_tried(whole):
    from etude.data.catalog import list_datasets

    assert set(whole["datasets"]["datasets"]) == set(list_datasets())
    assert whole["datasets"]["datasets"]["digits"] == "bundled"
    assert whole["datasets"]["network_tried"] is False


@pytest.fixture
def broken_torch(tmp_path):
    """A function that hides torch behind a module with this text."""

    def hide(text: str) -> str:
        (tmp_path / "torch.py").write_text(text)
        return str(tmp_path)

    return hide


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("raise ModuleNotFoundError(\"No module named 'torch'\")", "torch"),
        ("raise OSError('[WinError 126] Error loading fbgemm.dll')", "Visual C++"),
        ("raise ImportError('libgomp.so.1: cannot open shared object file: No such file')", "libgomp.so.1"),
        ("import os; os._exit(9)", "torch"),
        ("x = 1", "Rename"),
    ],
)
def test_with_torch_broken_all_else_is_still_looked_at(broken_torch, text, said):
    done = call("--quick", "--json", PYTHONPATH=broken_torch(text))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    content = json.loads(done.stdout.splitlines()[-1])
    assert [name for name in SECTIONS if name in content] == [name for name in SECTIONS if name != "speed"]
    findings = {finding["name"]: finding for finding in content["findings"]}
    assert findings["package.torch"]["state"] == "broken"
    assert said in findings["package.torch"]["advice"] + (findings["package.torch"]["command"] or "")
    assert "machine.check" not in findings
    assert findings["font"]
    assert content["places"]["places"]["runs"]["free_bytes"] > 0
    assert content["machine"]["device"] is None


def test_with_nothing_but_python_it_still_speaks(tmp_path):
    for name in ("torch", "torchvision", "rich", "matplotlib", "numpy"):
        (tmp_path / f"{name}.py").write_text(f"raise ModuleNotFoundError(\"No module named '{name}'\")")
    done = call("--quick", lang="zh", PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "数据集" in done.stdout
    assert "pip install" in done.stdout


@pytest.fixture
def in_this_process(monkeypatch):
    """The command without the imports in another process: torch is loaded here already."""

    def imported(modules):
        return {name: Import(name, 0.1, version=torch.__version__, file=f"{name}.py") for name in modules}

    monkeypatch.setattr(software, "try_imports", imported)
    monkeypatch.setattr(datasets, "examine", lambda: Section("datasets", Text(en="Data sets", zh="数据集")))


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("width", [80, 120])
def test_no_line_is_wider_than_the_terminal(in_this_process, capsys, monkeypatch, lang, width):
    monkeypatch.setenv("COLUMNS", str(width))
    doctor.run(["--quick"], lang)
    printed = capsys.readouterr().out
    lines = printed.splitlines()
    assert len(lines) > 25
    commands = r"^ {23}\S"  # what follows the advice is to be copied: it is one line
    assert [line for line in lines if columns(line) > width and not re.match(commands, line)] == []
    assert not re.search(r"[\u4e00-\u9fff] ?[,;:?]|[,;:?] ?[\u4e00-\u9fff]", printed)
    assert "\x1b" not in printed


def test_a_terminal_without_unicode_gets_letters_it_has(broken_torch):
    done = call("--quick", PYTHONIOENCODING="ascii", PYTHONPATH=broken_torch("x = 1"))
    assert "Traceback" not in done.stderr
    assert " + Python" in done.stdout
    assert " X torch" in done.stdout
    assert "switch to UTF-8" in done.stdout


def test_json_shows_neither_home_nor_user(tmp_path, broken_torch):
    home = tmp_path / "alice"
    home.mkdir()
    (tmp_path / "matplotlib.py").write_text("raise ImportError('no')")  # it would look for fonts anew
    hidden = broken_torch(f"raise OSError({str(home / 'lib' / 'torch.so')!r})")
    places = dict.fromkeys(("ETUDE_RUNS", "ETUDE_DATA", "ETUDE_CACHE", "ETUDE_STORE", "XDG_CACHE_HOME"), "")
    who = {"HOME": str(home), "USERPROFILE": str(home), "LOGNAME": "alice", "USER": "alice"}
    done = call("--quick", "--json", PYTHONPATH=hidden, **places, **who)
    content = json.loads(done.stdout.splitlines()[-1])
    assert content["places"]["places"]["data"]["path"] == f"~{os.sep}etude-data"
    assert content["software"]["imports"]["torch"]["message"] == f"~{os.sep}lib{os.sep}torch.so"
    assert "alice" not in done.stdout + done.stderr


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_place_that_cannot_be_written_is_broken(tmp_path, broken_torch):
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    done = call("--quick", "--json", ETUDE_RUNS=str(locked), PYTHONPATH=broken_torch("x = 1"))
    findings = {each["name"]: each for each in json.loads(done.stdout.splitlines()[-1])["findings"]}
    assert done.returncode == 1
    assert findings["place.runs"]["state"] == "broken"
    assert "ETUDE_RUNS" in findings["place.runs"]["command"]


def test_quiet_prints_nothing(in_this_process, capsys):
    doctor.run(["--quick", "--quiet"], "en")
    assert capsys.readouterr().out == ""


def test_a_check_that_fails_itself_is_a_finding():
    section = Section("machine", Text(en="Machine", zh="机器"))

    def examine() -> None:
        raise ZeroDivisionError("no cores")

    assert survive(section, examine).findings[0].state == "improvable"
    assert "no cores" in section.findings[0].value.zh


def test_help_does_not_load_torch():
    code = "import sys\nfrom etude.cli.doctor import run\ntry:\n    run(['--help'], 'en')\nexcept SystemExit:\n    pass\nprint('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"
