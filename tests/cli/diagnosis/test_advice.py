"""The exact commands, on every system."""

from __future__ import annotations

import pytest

from etude.cli.diagnosis import advice
from etude.cli.diagnosis.advice import System, install_torch, parse_os_release

DEBIAN = System("debian", "Debian 13", "x86_64")
WINDOWS = System("windows", "Windows 11", "AMD64")
MAC = System("macos", "macOS 15", "arm64")


@pytest.mark.parametrize(
    ("text", "family"),
    [
        ('PRETTY_NAME="Debian GNU/Linux 13"\nID=debian\n', "debian"),
        ('ID=linuxmint\nID_LIKE="ubuntu debian"\n', "debian"),
        ('ID="rocky"\nID_LIKE="rhel centos fedora"\n', "fedora"),
        ('ID="opensuse-tumbleweed"\nID_LIKE="opensuse suse"\n', "suse"),
        ("ID=manjaro\nID_LIKE=arch\n", "arch"),
        ("ID=nixos\n", "linux"),
        ("", "linux"),
    ],
)
def test_distributions(text, family):
    assert parse_os_release(text)[0] == family


@pytest.mark.parametrize(
    ("system", "command"),
    [
        (DEBIAN, "sudo apt install fonts-noto-cjk"),
        (System("debian", "", "x86_64", root=True), "apt install fonts-noto-cjk"),
        (System("fedora", "", "x86_64"), "sudo dnf install google-noto-sans-cjk-fonts"),
        (MAC, "brew install --cask font-noto-sans-cjk-sc"),
        (System("linux", "", "x86_64"), None),
    ],
)
def test_a_chinese_font_is_installed_with_the_systems_own_command(system, command):
    assert system.install("chinese font") == command


def test_variables_are_set_as_the_shell_does_it():
    assert DEBIAN.set_variable("OMP_NUM_THREADS", "2") == "export OMP_NUM_THREADS=2"
    assert WINDOWS.set_variable("OMP_NUM_THREADS", "2") == '$env:OMP_NUM_THREADS = "2"'


def test_the_build_of_torch_suits_the_card_and_its_driver():
    assert install_torch(DEBIAN, None).endswith(
        "torch torchvision --index-url https://download.pytorch.org/whl/cpu"
    )
    assert install_torch(DEBIAN, "550.54").endswith("/cu126")
    assert install_torch(WINDOWS, "580.95.05").endswith("/cu130")
    assert "--index-url" not in install_torch(MAC, None)
    assert "--force-reinstall" in install_torch(DEBIAN, None, again=True)


def test_pip_is_that_of_this_python(monkeypatch):
    monkeypatch.setattr(advice.sys, "executable", "/opt/my python/bin/python")
    monkeypatch.setattr(advice.shutil, "which", lambda name: None)
    assert advice.pip("torch") == '"/opt/my python/bin/python" -m pip install torch'
    monkeypatch.setattr(
        advice.shutil, "which", lambda name: "/opt/my python/bin/python" if name == "python" else None
    )
    assert advice.pip("torch") == "python -m pip install torch"
    monkeypatch.setattr(advice, "find_spec", lambda name: None)
    monkeypatch.setattr(advice.shutil, "which", lambda name: "/bin/uv" if name == "uv" else None)
    assert advice.pip("torch").startswith("uv pip install --python ")
