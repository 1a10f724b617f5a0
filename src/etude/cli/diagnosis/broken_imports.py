"""Why an import failed, in a sentence, and the command that mends it."""

from __future__ import annotations

import re
from collections.abc import Callable

from etude.cli.diagnosis.advice import System, install_torch, pip
from etude.core.text import Text
from etude.insight.installation import Import

Advice = tuple[Text, str | None]
_TORCH = ("torch", "torchvision")
_SIGNALS = {
    6: Text(en="an abort (SIGABRT)", zh="异常终止（SIGABRT）"),
    7: Text(en="a bad address (SIGBUS)", zh="地址错误（SIGBUS）"),
    9: Text(en="a kill (SIGKILL), most often for lack of memory", zh="被强行终止（SIGKILL），多因内存不足"),
    11: Text(en="a memory fault (SIGSEGV)", zh="段错误（SIGSEGV）"),
}


def explain(failed: Import, package: str, system: System, driver: str | None) -> Advice:
    """What to do about an import that failed.

    Args:
        failed: it has an error.
        package: what the module is installed by.
        driver: the version of NVIDIA's driver, or None: it decides which build of torch suits.
    """

    def again() -> str:
        if failed.module in _TORCH:
            return install_torch(system, driver, again=True)
        return pip(f"--force-reinstall {package}")

    for pattern, reason in _REASONS:
        found = re.search(pattern, f"{failed.error}: {failed.message}", re.I)
        if found:
            return reason(found, system, again)
    return Text(en=f"Install {package} again.", zh=f"请重新安装 {package}。"), again()


def _missing_module(found: re.Match, system: System, again: Callable[[], str]) -> Advice:
    name = found.group(1).partition(".")[0]
    return (
        Text(en=f"{name} is missing: install it again.", zh=f"缺少 {name}：请重新安装。"),
        again(),
    )


def _missing_part(found: re.Match, system: System, again: Callable[[], str]) -> Advice:
    name = found.group(1)
    return (
        Text(
            en=f"This Python was built without {name}: install a complete Python (3.11 or newer) and étude in it.",
            zh=f"此 Python 编译时缺少 {name}：请安装完整的 Python（3.11 或更新）并在其中安装 étude。",
        ),
        None,
    )


def _visual_c(found: re.Match, system: System, again: Callable[[], str]) -> Advice:
    return (
        Text(
            en="A DLL cannot be loaded: install Microsoft's Visual C++ runtime, then open a new terminal.",
            zh="有 DLL 无法加载：请安装微软 Visual C++ 运行库，然后打开新的终端。",
        ),
        system.install("Visual C++"),
    )


def _missing_library(found: re.Match, system: System, again: Callable[[], str]) -> Advice:
    library = found.group(1)
    stem = library.partition(".so")[0].partition("-2.")[0]
    command = system.install(stem)
    if command:
        return (
            Text(
                en=f"The system's library {library} is missing: install it.",
                zh=f"系统缺少库 {library}：请安装。",
            ),
            command,
        )
    return (
        Text(
            en=f"The library {library} is missing: install the package anew, it should bring it along.",
            zh=f"缺少库 {library}：请重新安装该软件包，它应自带此库。",
        ),
        again(),
    )


def _old_system(found: re.Match, system: System, again: Callable[[], str]) -> Advice:
    return (
        Text(
            en=f"This system's C library is older than {found.group(1)}: a newer system is needed (Debian 11, Ubuntu 22.04, "
            "RHEL 9 or later).",
            zh=f"系统的 C 库低于 {found.group(1)}：需要更新的系统（Debian 11、Ubuntu 22.04、RHEL 9 或更新）。",
        ),
        None,
    )


def _mismatch(found: re.Match, system: System, again: Callable[[], str]) -> Advice:
    return (
        Text(
            en="torch and torchvision do not belong together: install the two in one command.",
            zh="torch 与 torchvision 版本不匹配：请用一条命令同时安装两者。",
        ),
        again(),
    )


def _old_numpy(found: re.Match, system: System, again: Callable[[], str]) -> Advice:
    return (
        Text(
            en="It was built for another NumPy: install the newest of both.",
            zh="它是为另一版本的 NumPy 编译的：请把两者都更新到最新。",
        ),
        again(),
    )


def _wrong_architecture(found: re.Match, system: System, again: Callable[[], str]) -> Advice:
    return (
        Text(
            en="The package is for another kind of processor: on an Apple-silicon Mac install the arm64 Python from python.org, "
            "then étude in it.",
            zh="软件包面向另一种处理器：Apple 芯片的 Mac 请安装 python.org 的 arm64 版 Python，再在其中安装 étude。",
        ),
        None,
    )


def _no_memory(found: re.Match, system: System, again: Callable[[], str]) -> Advice:
    return (
        Text(
            en="There was not enough memory to load it: close other programs.",
            zh="内存不足，无法载入：请关闭其他程序。",
        ),
        None,
    )


def _old_processor(found: re.Match, system: System, again: Callable[[], str]) -> Advice:
    return (
        Text(
            en="It uses instructions that this processor does not have (SIGILL): in a virtual machine let it have the host's "
            "processor (“host passthrough”); else a newer machine is needed.",
            zh="它用到了此处理器不支持的指令（SIGILL）：若是虚拟机，请把处理器类型设为与宿主机相同（host passthrough）；否则需要更新的机器。",
        ),
        None,
    )


def _signal(found: re.Match, system: System, again: Callable[[], str]) -> Advice:
    what = _SIGNALS.get(int(found.group(1)), Text(en=f"signal {found.group(1)}", zh=f"信号 {found.group(1)}"))
    return (
        Text(
            en=f"Loading it ended the whole process: {what.en}. Install it again.",
            zh=f"载入时进程直接终止：{what.zh}。请重新安装。",
        ),
        again(),
    )


def _slow(found: re.Match, system: System, again: Callable[[], str]) -> Advice:
    return (
        Text(
            en="Loading it does not come to an end: the disk is very slow, or a virus scanner reads every file; except the "
            "Python folder from it.",
            zh="载入迟迟不结束：磁盘很慢，或杀毒软件在逐个扫描文件；请把 Python 文件夹加入白名单。",
        ),
        None,
    )


_REASONS: tuple[tuple[str, Callable[[re.Match, System, Callable[[], str]], Advice]], ...] = (
    (r"No module named '_?(sqlite3|ssl|lzma|bz2|zlib|ctypes)'", _missing_part),
    (r"No module named '([\w.]+)'", _missing_module),
    (r"DLL load failed|WinError (?:126|127|1114)", _visual_c),
    (r"incompatible architecture|wrong architecture|wrong ELF class", _wrong_architecture),
    (r"version [`'\"](GLIBC(?:XX)?_[\d.]+)'? not found", _old_system),
    (r"(lib[\w+.-]+?\.so[\d.]*)[^\n]*cannot open shared object file", _missing_library),
    (r"operator torchvision::\w+ does not exist|undefined symbol[^\n]*(?:c10|torch|at\d)", _mismatch),
    (r"_ARRAY_API not found|compiled using NumPy 1|numpy\.dtype size changed|numpy\.core\.multiarray failed", _old_numpy),
    (r"MemoryError|Cannot allocate memory|signal (?:9)\b|WinError 1455", _no_memory),
    (r"signal 4\b|exit code 3221225501|Illegal instruction", _old_processor),
    (r"signal (\d+)", _signal),
    (r"not done after", _slow),
)  # fmt: skip
