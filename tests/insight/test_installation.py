"""What is installed: against `packaging`, `importlib.metadata`, and modules that fail in every way."""

from __future__ import annotations

import re
import sys
from importlib import metadata

import pytest

from etude.insight import installation
from etude.insight.installation import (
    check_requirement,
    required_packages,
    satisfies,
    split_requirement,
    try_imports,
)

VERSIONS = ["2.9", "2.9.0", "2.9.1", "2.14.0", "3.0", "2.8.5", "0.24", "1.26.4"]
NEEDS = [">=2.9", ">2.9", "<=2.9", "<2.9", "==2.9.0", "==2.*", "!=2.9.*", "~=2.8", "~=2.9.0", ">=2.9,<3", "!=2.9.1,>=2.8", ""]  # fmt: skip


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("needs", NEEDS)
def test_versions_are_compared_as_packaging_compares_them(version, needs):
    specifiers = pytest.importorskip("packaging.specifiers")
    assert satisfies(version, needs) == specifiers.SpecifierSet(needs).contains(version)


def test_local_and_early_versions_count_as_their_release():
    assert satisfies("2.9.0+cu128", "==2.9.0")
    assert satisfies("2.9.0rc1", ">=2.9")
    assert not satisfies("2.8.0+cpu", ">=2.9")


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("torch>=2.9", ("torch", ">=2.9")),
        ("torch (==2.9.0)", ("torch", "==2.9.0")),
        ("pillow!=8.3.*,>=5.3.0", ("pillow", "!=8.3.*,>=5.3.0")),
        ("uvicorn[standard] >=0.30 ; python_version < '4'", ("uvicorn", ">=0.30")),
        ("Scikit_Learn>=1.4", ("scikit-learn", ">=1.4")),
        ("numpy", ("numpy", "")),
    ],
)
def test_lines_of_metadata(line, parts):
    assert split_requirement(line) == parts


def test_minimum_versions_are_those_of_the_package_itself():
    """Nothing is written twice: what étude's metadata says is what is checked."""
    packages = required_packages()
    if packages is None:
        pytest.skip("étude is not installed as a package here")
    said = [line for line in metadata.requires("etude") if "extra" not in line]
    assert len(packages) == len(said)
    for package, line in zip(packages, said):
        assert re.sub(r"\W", "", line) == re.sub(r"\W", "", package.name + package.needs)
        assert package.version == metadata.version(package.name)


def test_an_old_version_does_not_suit_and_a_missing_one_is_none(monkeypatch):
    monkeypatch.setattr(installation, "installed_version", {"torch": "2.8.0"}.get)
    old, missing = check_requirement("torch>=2.9"), check_requirement("scipy>=1.11")
    assert (old.version, old.suits) == ("2.8.0", False)
    assert (missing.version, missing.suits) == (None, False)


@pytest.fixture
def strange_modules(tmp_path, monkeypatch):
    """Modules that cannot be imported, each for another reason, and one that can."""
    for name, text in {
        "fine_one": "__version__ = '1.5'\nprint('{\"noise\": 1}')\nprint('hello')",
        "loads_no_dll": "raise OSError('[WinError 126] The specified module could not be found.')",
        "ends_the_process": "import os\nos._exit(77)",
        "leaves": "raise SystemExit(3)",
        "never_ends": "import time\ntime.sleep(60)",
    }.items():
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])


def test_imports_that_fail_are_told_and_the_rest_is_tried(strange_modules):
    found = try_imports(["ends_the_process", "loads_no_dll", "not_there_at_all", "leaves", "fine_one"])
    assert (found["ends_the_process"].error, found["ends_the_process"].message) == ("Crash", "exit code 77")
    assert found["loads_no_dll"].error == "OSError"
    assert "WinError 126" in found["loads_no_dll"].message
    assert found["not_there_at_all"].error == "ModuleNotFoundError"
    assert found["leaves"].error == "SystemExit"
    assert (found["fine_one"].error, found["fine_one"].version) == (None, "1.5")
    assert "fine_one" not in sys.modules


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_signal_is_named(tmp_path, monkeypatch):
    (tmp_path / "illegal.py").write_text("import os\nos.kill(os.getpid(), 4)")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    assert try_imports(["illegal"])["illegal"].message == "signal 4"


def test_an_import_that_does_not_end_is_ended(strange_modules):
    found = try_imports(["never_ends"], seconds=1)["never_ends"]
    assert (found.error, found.message) == ("Crash", "not done after 1 s")
