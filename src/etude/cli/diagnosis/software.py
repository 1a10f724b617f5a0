"""étude, Python, and the packages: which versions, do they suit, can they be imported."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import asdict
from importlib import metadata

from etude import __version__
from etude.cli.diagnosis.advice import System, install_torch, pip
from etude.cli.diagnosis.broken_imports import explain
from etude.cli.diagnosis.finding import Section, survive
from etude.core.text import Text, same
from etude.insight.installation import (
    STANDARD_PARTS,
    Import,
    Package,
    installed_version,
    needs_text,
    required_packages,
    satisfies,
    torchvision_asks_for,
    try_imports,
)

_TORCH = ("torch", "torchvision")
_SLOW_IMPORT = 15.0  # seconds


def examine(system: System, driver: str | None, quick: bool) -> Section:
    """The section. Its facts have ``imports``: by module, how the import went in a process of its own."""
    section = Section("software", Text(en="Software", zh="软件"))

    def look() -> None:
        _python(section, system)
        packages = required_packages()
        _etude(section, packages)
        # without metadata the two that matter most are looked at all the same
        packages = packages or [Package(name, "", installed_version(name), True) for name in _TORCH]
        modules = [package.module for package in packages if not quick or package.name in _TORCH]
        modules.sort(key=lambda module: (module != "torch", module != "torchvision"))
        imports = try_imports([*modules, *STANDARD_PARTS])
        section.facts["imports"] = {name: asdict(each) for name, each in imports.items()}
        section.facts["packages"] = [asdict(package) for package in packages]
        for package in sorted(
            packages, key=lambda package: (package.name != "torch", package.name != "torchvision")
        ):
            if package.name == "torchvision" and imports["torch"].error and package.version:
                value = Text(
                    en=f"{package.version}; it needs torch first", zh=f"{package.version}；须先有 torch"
                )
                section.add("package.torchvision", same("torchvision"), value, "improvable")
                continue
            _package(section, package, imports.get(package.module), system, driver)
        _others(section, packages, imports, quick)
        _parts(section, imports, system, driver)

    return survive(section, look)


def _python(section: Section, system: System) -> None:
    bits = 64 if sys.maxsize > 1 << 32 else 32
    virtual = sys.prefix != sys.base_prefix or bool(os.environ.get("CONDA_PREFIX"))
    section.facts["python"] = {
        "version": platform.python_version(), "implementation": platform.python_implementation(), "bits": bits,
        "executable": sys.executable, "virtual_environment": virtual,
    }  # fmt: skip
    section.facts["system"] = asdict(system)
    where = (
        Text(en="in a virtual environment", zh="虚拟环境")
        if virtual
        else Text(en="of the system", zh="系统自带环境")
    )
    label, said = same("Python"), platform.python_version()
    if bits == 32:
        advice = Text(en="torch exists for 64-bit Python only: install that one, then étude in it.",
                      zh="torch 只支持 64 位 Python：请安装 64 位版本，再在其中安装 étude。")  # fmt: skip
        section.add("python", label, Text(en=f"{said}, 32-bit", zh=f"{said}，32 位"), "broken", advice)
        return
    section.add("python", label, Text(en=f"{said} ({where.en})", zh=f"{said}（{where.zh}）"))


def _etude(section: Section, packages: list[Package] | None) -> None:
    section.facts["etude"] = __version__
    if packages is None:
        value = Text(en=f"{__version__}, not installed as a package", zh=f"{__version__}，未作为软件包安装")
        advice = Text(en="Install it, so that the versions it needs can be checked: in its folder,",
                      zh="请安装，以便检查所需的版本：在其文件夹中运行")  # fmt: skip
        section.add("etude", same("étude"), value, "improvable", advice, pip("-e ."))
        return
    needs = str(metadata.metadata("etude").json.get("requires_python") or "")
    if not satisfies(platform.python_version(), needs):
        value = Text(
            en=f"{__version__} needs Python {needs_text(needs)}",
            zh=f"{__version__} 需要 Python {needs_text(needs)}",
        )
        advice = Text(
            en="Install a newer Python, then étude in it.", zh="请安装更新的 Python，再在其中安装 étude。"
        )
        section.add("etude", same("étude"), value, "broken", advice)
        return
    section.add("etude", same("étude"), same(__version__))


def _package(
    section: Section, package: Package, tried: Import | None, system: System, driver: str | None
) -> None:
    """A line of its own for torch, torchvision, and for whatever is not as it should be."""
    label, name = same(package.name), f"package.{package.name}"
    install = (
        install_torch(system, driver)
        if package.name in _TORCH
        else pip(f'--upgrade "{package.name}{package.needs}"')
    )
    importable = tried is not None and tried.error is None
    if package.version is None and not importable and (tried is None or tried.error == "ModuleNotFoundError"):
        value = Text(
            en=f"missing (étude needs {needs_text(package.needs) or 'it'})",
            zh=f"缺失（étude 需要 {needs_text(package.needs) or '它'}）",
        )
        section.add(name, label, value, "broken", Text(en="Install it.", zh="请安装。"), install)
        return
    version = package.version or (tried.version if tried else None) or "?"
    if tried is not None and tried.error:
        advice, command = explain(tried, package.name, system, driver)
        said = f"{tried.error}: {tried.message.splitlines()[0] if tried.message else ''}"
        value = Text(en=f"{version} cannot be imported ({said})", zh=f"{version} 无法导入（{said}）")
        section.add(name, label, value, "broken", advice, command)
    elif tried is not None and tried.version is None and package.name in _TORCH:
        value = Text(en=f"another file hides it: {tried.file}", zh=f"被同名文件遮住：{tried.file}")
        advice = Text(en="Rename that file or folder.", zh="请给该文件或文件夹改名。")
        section.add(name, label, value, "broken", advice)
    elif not package.suits:
        value = Text(
            en=f"{version}, but étude needs {needs_text(package.needs)}",
            zh=f"{version}，但 étude 需要 {needs_text(package.needs)}",
        )
        section.add(name, label, value, "broken", Text(en="Install a newer one.", zh="请更新。"), install)
    elif package.name == "torchvision" and not _fits(torchvision_asks_for()):
        wants, has = torchvision_asks_for() or "", installed_version("torch")
        value = Text(
            en=f"{version} was built for torch {needs_text(wants)}; torch is {has}",
            zh=f"{version} 为 torch {needs_text(wants)} 编译；现有 torch {has}",
        )
        advice = Text(en="Install the two in one command.", zh="请用一条命令同时安装两者。")
        section.add(name, label, value, "improvable", advice, install)
    elif package.name in _TORCH and tried is not None:
        _imported(section, package, tried)


def _fits(asked: str | None) -> bool:
    version = installed_version("torch")
    return not asked or version is None or satisfies(version, asked)


def _imported(section: Section, package: Package, tried: Import) -> None:
    version = tried.version or package.version
    needs = (
        Text(en=f", needs {needs_text(package.needs)}", zh=f"，需要 {needs_text(package.needs)}")
        if package.needs
        else same("")
    )
    if package.name == "torchvision":
        asked = torchvision_asks_for()
        fits = Text(en=f"fits torch (built for {needs_text(asked)})", zh=f"与 torch 匹配（为 torch {needs_text(asked)} 编译）") if asked else Text(en="can be imported", zh="可以导入")  # fmt: skip
        section.add(
            "package.torchvision",
            same("torchvision"),
            Text(en=f"{version}, {fits.en}", zh=f"{version}，{fits.zh}"),
        )
        return
    value = Text(
        en=f"{version}{needs.en}; loads in {tried.seconds:.1f} s",
        zh=f"{version}{needs.zh}；载入用 {tried.seconds:.1f} 秒",
    )
    if tried.seconds > _SLOW_IMPORT:
        advice = Text(
            en="Every command waits for this: a slow or network disk, or a virus scanner. Put Python on a fast local disk, or "
            "except its folder from scanning.",
            zh="每条命令都要等它：可能是磁盘慢、网络盘或杀毒软件所致。请把 Python 放在本地快盘上，或将其文件夹加入白名单。",
        )
        section.add("package.torch", same("torch"), value, "improvable", advice)
        return
    section.add("package.torch", same("torch"), value)


def _others(section: Section, packages: list[Package], imports: dict[str, Import], quick: bool) -> None:
    """The packages that are as they should be, in one line."""
    named = {finding.name for finding in section.findings}
    fine = [package for package in packages if f"package.{package.name}" not in named]
    if fine:
        listed = [f"{package.name} {package.version or imports[package.module].version}" for package in fine]
        tried = Text(en=" (not imported: --quick)", zh="（--quick：未试导入）") if quick else same("")
        value = Text(en=", ".join(listed) + tried.en, zh="、".join(listed) + tried.zh)
        section.add("packages", Text(en="others", zh="其他包"), value)


def _parts(section: Section, imports: dict[str, Import], system: System, driver: str | None) -> None:
    for part in STANDARD_PARTS:
        failed = imports[part]
        if failed.error:
            advice, command = explain(failed, part, system, driver)
            value = Text(
                en=f"{part} cannot be imported ({failed.message})", zh=f"{part} 无法导入（{failed.message}）"
            )
            section.add(
                f"python.{part}", Text(en="Python's parts", zh="Python 组件"), value, "broken", advice, command
            )
