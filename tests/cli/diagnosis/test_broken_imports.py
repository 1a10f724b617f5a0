"""What real error messages are taken to mean."""

from __future__ import annotations

import pytest

from etude.cli.diagnosis.advice import System
from etude.cli.diagnosis.broken_imports import explain
from etude.insight.installation import Import

DEBIAN = System("debian", "Debian 13", "x86_64")
WINDOWS = System("windows", "Windows 11", "AMD64")
MAC = System("macos", "macOS 15", "arm64")


@pytest.mark.parametrize(
    ("error", "message", "system", "word", "command"),
    [
        ("ModuleNotFoundError", "No module named '_sqlite3'", DEBIAN, "built without sqlite3", None),
        ("ModuleNotFoundError", "No module named '_lzma'", DEBIAN, "built without lzma", None),
        ("ModuleNotFoundError", "No module named 'sympy.core'", DEBIAN, "sympy is missing", "force-reinstall"),
        ("ImportError", "libGL.so.1: cannot open shared object file: No such file", DEBIAN, "libGL.so.1", "sudo apt install libgl1"),
        ("ImportError", "libcudart.so.13: cannot open shared object file: No such file", DEBIAN, "libcudart.so.13", "force-reinstall"),
        ("ImportError", "/lib/libc.so.6: version `GLIBC_2.28' not found", DEBIAN, "GLIBC_2.28", None),
        ("ImportError", "DLL load failed while importing _C: The specified module could not be found.", WINDOWS, "Visual C++", "winget install"),
        ("RuntimeError", "operator torchvision::nms does not exist", DEBIAN, "do not belong together", "torch torchvision"),
        ("ImportError", "/x/_C.so: undefined symbol: _ZN3c1017RegisterOperators", DEBIAN, "do not belong together", "torch torchvision"),
        ("ImportError", "dlopen(x.so): incompatible architecture (have 'x86_64', need 'arm64')", MAC, "arm64 Python", None),
        ("ImportError", "A module that was compiled using NumPy 1.x cannot be run in NumPy 2.0", DEBIAN, "another NumPy", "force-reinstall"),
        ("Crash", "signal 4", DEBIAN, "instructions", None),
        ("Crash", "exit code 3221225501", WINDOWS, "instructions", None),
        ("Crash", "signal 9", DEBIAN, "memory", None),
        ("Crash", "signal 11", DEBIAN, "SIGSEGV", "force-reinstall"),
        ("Crash", "not done after 120 s", WINDOWS, "virus scanner", None),
        ("ValueError", "whatever", DEBIAN, "Install torchvision again", "force-reinstall"),
    ],
)  # fmt: skip
def test_reasons_of_failed_imports(error, message, system, word, command):
    said, does = explain(Import("torchvision", 0.1, error=error, message=message), "torchvision", system, None)
    assert word in said.en
    assert (does is None) == (command is None)
    assert command is None or command in does
