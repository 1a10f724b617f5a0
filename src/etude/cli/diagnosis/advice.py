"""What to do about it: the exact command of this system."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

_INDEX = "https://download.pytorch.org/whl"
_FAMILIES = {
    "debian": ("debian", "ubuntu"),
    "fedora": ("fedora", "rhel", "centos"),
    "arch": ("arch",),
    "suse": ("suse", "opensuse"),
}
_INSTALL = {
    "debian": "apt install",
    "fedora": "dnf install",
    "arch": "pacman -S",
    "suse": "zypper install",
}
_PACKAGES = {
    "chinese font": {"debian": "fonts-noto-cjk", "fedora": "google-noto-sans-cjk-fonts", "arch": "noto-fonts-cjk",
                     "suse": "google-noto-sans-sc-fonts"},
    "libGL": {"debian": "libgl1", "fedora": "mesa-libGL", "arch": "libglvnd", "suse": "Mesa-libGL1"},
    "libgomp": {"debian": "libgomp1", "fedora": "libgomp", "arch": "gcc-libs", "suse": "libgomp1"},
    "libstdc++": {"debian": "libstdc++6", "fedora": "libstdc++", "arch": "gcc-libs", "suse": "libstdc++6"},
    "libglib": {"debian": "libglib2.0-0", "fedora": "glib2", "arch": "glib2", "suse": "glib2"},
}  # fmt: skip


@dataclass(frozen=True)
class System:
    """The operating system.

    Args:
        family: ``debian``, ``fedora``, ``arch``, ``suse``, ``linux`` (another one), ``macos`` or ``windows``.
        name: as a person says it, with its version.
        architecture: of the running Python, such as ``x86_64``.
        root: commands need no ``sudo``.
    """

    family: str
    name: str
    architecture: str
    root: bool = False

    def install(self, what: str) -> str | None:
        """The command that installs ``what`` (a key of the table above), or None where none is known."""
        package = _PACKAGES.get(what, {}).get(self.family)
        if package:
            return f"{'' if self.root else 'sudo '}{_INSTALL[self.family]} {package}"
        if what == "chinese font" and self.family == "macos":
            return "brew install --cask font-noto-sans-cjk-sc"
        if what == "chinese font" and self.family == "windows":
            return 'DISM /Online /Add-Capability /CapabilityName:"Language.Fonts.Hans~~~und-HANS~0.0.1.0"'
        if what == "Visual C++" and self.family == "windows":
            return "winget install Microsoft.VCRedist.2015+.x64"
        return None

    def set_variable(self, name: str, value: str) -> str:
        """The command that sets an environment variable for the programs started after it."""
        return f'$env:{name} = "{value}"' if self.family == "windows" else f"export {name}={value}"


def read_system() -> System:
    """The system that this runs on."""
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    machine = platform.machine()
    if sys.platform == "win32":
        return System("windows", f"Windows {platform.release()} ({platform.version()})", machine)
    if sys.platform == "darwin":
        return System("macos", f"macOS {platform.mac_ver()[0]}", machine, root)
    family, name = parse_os_release(_os_release())
    kernel = platform.release()
    where = " (WSL)" if "microsoft" in kernel.lower() else ""
    return System(family, f"{name or platform.system()}{where}, {platform.system()} {kernel}", machine, root)


def parse_os_release(text: str) -> tuple[str, str]:
    """The family and the full name of a Linux distribution, from the text of ``/etc/os-release``."""
    fields = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    fields = {key.strip(): value.strip().strip("\"'") for key, value in fields.items()}
    kin = [fields.get("ID", ""), *fields.get("ID_LIKE", "").split()]
    for family, names in _FAMILIES.items():
        if any(word in names or (word.startswith("opensuse") and family == "suse") for word in kin):
            return family, fields.get("PRETTY_NAME", "")
    return "linux", fields.get("PRETTY_NAME", "")


def pip(words: str) -> str:
    """``pip install`` for the Python that runs now: the right one, where a machine has several."""
    python = python_command()
    if find_spec("pip") is None and shutil.which("uv"):
        return f"uv pip install --python {python} {words}"
    return f"{python} -m pip install {words}"


def python_command() -> str:
    """How to call this very Python: ``python`` where that is the one, else its path."""
    for name in ("python", "python3"):
        if sys.executable and shutil.which(name) == sys.executable:
            return name
    path = sys.executable or "python"
    return f'"{path}"' if " " in path else path


def install_torch(system: System, driver: str | None, again: bool = False) -> str:
    """The command that installs the build of torch and torchvision that suits this machine.

    Args:
        driver: the version of NVIDIA's driver, or None where there is no such card.
        again: replace what is there, though its version be the newest.
    """
    words = f"{'--force-reinstall ' if again else '--upgrade '}torch torchvision"
    if system.family == "macos":
        return pip(words)
    if driver is None:
        return pip(f"{words} --index-url {_INDEX}/cpu")
    major = driver.partition(".")[0]
    newest = major.isdecimal() and int(major) >= 580  # the first driver of CUDA 13
    return pip(f"{words} --index-url {_INDEX}/{'cu130' if newest else 'cu126'}")


def _os_release() -> str:
    for path in ("/etc/os-release", "/usr/lib/os-release"):
        try:
            return Path(path).read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
    return ""
