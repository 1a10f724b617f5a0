"""What is installed, whether it suits, and whether it can be imported at all: told without importing any of it.

The minimum versions are those of étude's own package metadata. Imports are tried in a process of their own, because a
broken library may end its process instead of raising an error.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata

STANDARD_PARTS = ("sqlite3", "ssl", "lzma", "bz2", "zlib", "ctypes")
"""Modules of Python that étude or torch need, and that a Python built without their libraries lacks."""

_IMPORT_SECONDS = 120.0
_MODULES = {
    "matplotlib": "matplotlib.figure",
    "pillow": "PIL.Image",
    "pydantic": "pydantic.main",
    "scikit-learn": "sklearn",
    "scipy": "scipy.linalg",
}  # where the package's own name is another, or loads nothing that could fail


@dataclass(frozen=True)
class Package:
    """One package that étude needs.

    Args:
        needs: what étude asks for, such as ``">=2.9"``; empty where it asks for no version.
        version: what is installed; None if nothing is.
        suits: whether the version is what is asked for.
    """

    name: str
    needs: str
    version: str | None
    suits: bool

    @property
    def module(self) -> str:
        """What is imported to see whether it works."""
        return _MODULES.get(self.name, self.name.replace("-", "_"))


@dataclass(frozen=True)
class Import:
    """How an import went.

    Args:
        seconds: it took, in a fresh process, what it imports itself included.
        version: the module's ``__version__``, if it has one.
        file: where it was found.
        error: None, or the kind of the error (``ImportError``; ``Crash`` if the process ended).
        message: the error's words; of a crash, the exit code or the signal.
    """

    module: str
    seconds: float
    version: str | None = None
    file: str | None = None
    error: str | None = None
    message: str = ""


def required_packages() -> list[Package] | None:
    """What étude's metadata asks for, and what is installed; None where étude itself is not installed as a package."""
    try:
        requirements = metadata.requires("etude") or []
    except metadata.PackageNotFoundError:
        return None
    return [check_requirement(text) for text in requirements if "extra ==" not in text]


def check_requirement(requirement: str) -> Package:
    """A line of metadata, such as ``torch>=2.9`` or ``torch (==2.9.0)``, held against what is installed."""
    name, needs = split_requirement(requirement)
    version = installed_version(name)
    return Package(name, needs, version, version is not None and satisfies(version, needs))


def installed_version(name: str) -> str | None:
    """The version of a package, or None."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def torchvision_asks_for() -> str | None:
    """The versions of torch that the installed torchvision was built for, such as ``"==2.9.0"``; None if it does not say."""
    try:
        lines = metadata.requires("torchvision") or []
    except metadata.PackageNotFoundError:
        return None
    return next((needs for name, needs in map(split_requirement, lines) if name == "torch" and needs), None)


def split_requirement(requirement: str) -> tuple[str, str]:
    """The name and the versions asked for, of a line of metadata; extras and markers are left out."""
    found = re.match(r"\s*([A-Za-z0-9._-]+)\s*(?:\[[^\]]*\])?\s*\(?([^;)]*)\)?", requirement)
    if not found:
        return requirement.strip(), ""
    return re.sub(r"[-_.]+", "-", found.group(1)).lower(), found.group(2).replace(" ", "")


def satisfies(version: str, needs: str) -> bool:
    """Whether a version is what is asked for: ``>=``, ``>``, ``<=``, ``<``, ``==``, ``!=`` (also ``.*``) and ``~=``, by commas.

    Only release numbers are compared: 2.9.0+cu128 and 2.9.0rc1 count as 2.9.0, which is what a diagnosis wants.
    """
    have = release(version)
    for part in filter(None, needs.split(",")):
        found = re.match(r"(>=|<=|==|!=|~=|>|<)=?(.+)", part)
        if not found:
            continue
        sign, wanted = found.group(1), release(found.group(2))
        starts = have[: len(wanted)] == wanted if found.group(2).endswith(".*") else compare(have, wanted) == 0
        order = compare(have, wanted)
        holds = {
            ">=": order >= 0, "<=": order <= 0, ">": order > 0, "<": order < 0, "==": starts, "!=": not starts,
            "~=": order >= 0 and have[: len(wanted) - 1] == wanted[:-1],
        }  # fmt: skip
        if not holds[sign]:
            return False
    return True


def needs_text(needs: str) -> str:
    """The versions asked for, as people write them: ``≥ 2.9``."""
    for sign, written in ((">=", "≥ "), ("<=", "≤ "), ("!=", "≠ "), ("==", "")):
        needs = needs.replace(sign, written)
    return needs.replace(",", ", ")


def release(version: str) -> tuple[int, ...]:
    """The release numbers of a version: ``"2.9.0+cpu"`` gives ``(2, 9, 0)``."""
    found = re.match(r"v?(?:\d+!)?(\d+(?:\.\d+)*)", version.strip())
    return tuple(map(int, found.group(1).split("."))) if found else ()


def compare(left: tuple[int, ...], right: tuple[int, ...]) -> int:
    """-1, 0 or 1; numbers that one of them lacks count as zeros."""
    length = max(len(left), len(right))
    a, b = (numbers + (0,) * (length - len(numbers)) for numbers in (left, right))
    return (a > b) - (a < b)


_TRY = """
import importlib, json, sys, time
sys.path[:] = json.loads(sys.argv[1])
for name in sys.argv[2:]:
    print(json.dumps({"trying": name}), flush=True)
    began, said = time.perf_counter(), {}
    try:
        module = importlib.import_module(name)
        version = getattr(module, "__version__", None)
        said = {"version": version and str(version), "file": getattr(module, "__file__", None)}
    except BaseException as error:
        said = {"error": type(error).__name__, "message": str(error)[:2000]}
    print(json.dumps({"module": name, "seconds": time.perf_counter() - began, **said}), flush=True)
"""


def try_imports(modules: list[str], seconds: float = _IMPORT_SECONDS) -> dict[str, Import]:
    """Import the modules, one after the other, in a new process that finds what this one would find.

    After a crash the rest are tried in another process, so that each has an answer.

    Args:
        seconds: after which the process is ended; the module it was at counts as crashed.
    """
    found: dict[str, Import] = {}
    while left := [name for name in modules if name not in found]:
        command = [sys.executable, "-c", _TRY, json.dumps(sys.path), *left]
        try:
            done = subprocess.run(command, capture_output=True, timeout=seconds, stdin=subprocess.DEVNULL)
            said, ended = done.stdout, f"exit code {done.returncode}"
            if done.returncode < 0:
                ended = f"signal {-done.returncode}"
        except subprocess.TimeoutExpired as error:
            said, ended = error.stdout or b"", f"not done after {seconds:.0f} s"
        except OSError as error:
            said, ended = b"", str(error)
        trying = left[0]
        for line in _json_lines(said):
            trying = line.get("trying", trying)
            if "module" in line:
                found[line["module"]] = Import(**line)
        if trying not in found:
            found[trying] = Import(trying, 0.0, error="Crash", message=ended)
    return found


def _json_lines(printed: bytes) -> list[dict]:
    """The lines that are ours: a library may print something while it is imported."""
    lines = []
    for line in printed.decode("utf-8", "replace").splitlines():
        try:
            content = json.loads(line)
        except ValueError:
            continue
        if isinstance(content, dict) and ("trying" in content or "module" in content):
            lines.append(content)
    return lines
