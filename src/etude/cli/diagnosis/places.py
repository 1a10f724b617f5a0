"""The places where étude keeps things: can they be written, how fast, is there room, is the disk a local one."""

from __future__ import annotations

import os
import shutil
from dataclasses import asdict
from pathlib import Path

from etude.cli.diagnosis.advice import System
from etude.cli.diagnosis.finding import Section, State, survive
from etude.cli.diagnosis.hardware import gib
from etude.cli.diagnosis.speed import measured_text
from etude.core.paths import cache_dir, data_dir, runs_dir, store_path
from etude.core.text import Text
from etude.insight.cgroup import read_system_file
from etude.insight.machine import Measurement, disk_speed

_LITTLE_ROOM = 2 << 30
_SLOW = 20.0  # MB/s
_REMOTE = ("nfs", "cifs", "smb", "9p", "fuse.sshfs", "drvfs", "afs", "lustre", "ceph", "glusterfs", "vboxsf")
_PLACES = {
    "runs": (Text(en="runs", zh="训练记录"), "ETUDE_RUNS", runs_dir),
    "cache": (Text(en="cache", zh="缓存"), "ETUDE_CACHE", cache_dir),
    "data": (Text(en="data", zh="数据"), "ETUDE_DATA", data_dir),
    "store": (Text(en="studies' results", zh="研究结果"), "ETUDE_STORE", store_path),
}


def examine(system: System, quick: bool) -> Section:
    """The section. Its facts have ``places``, by name."""
    section = Section("places", Text(en="Places", zh="存放位置"))
    section.facts["places"] = {}
    speeds: dict[int, list[Measurement]] = {}  # by disk: two places on one are measured once
    for name in _PLACES:
        survive(section, lambda name=name: _place(section, name, system, speeds, 0.1 if quick else 0.4))  # type: ignore[misc]
    return section


def _place(
    section: Section, name: str, system: System, speeds: dict[int, list[Measurement]], seconds: float
) -> None:
    label, variable, find = _PLACES[name]
    path = Path(os.path.abspath(find()))
    folder = nearest(path.parent if name == "store" else path)
    free = shutil.disk_usage(folder).free
    kind = file_system_of(folder, read_system_file("/proc/self/mounts"))
    facts = {
        "path": str(path),
        "exists": path.exists(),
        "free_bytes": free,
        "file_system": kind,
        "writable": True,
    }
    section.facts["places"][name] = facts
    example = "D:\\etude" if system.family == "windows" else "/tmp/etude"
    command = system.set_variable(variable, f"{example}{'.sqlite' if name == 'store' else ''}")
    elsewhere = Text(
        en=f"Set {variable} to a folder on another disk, for example:",
        zh=f"请把 {variable} 设为其他磁盘上的位置，例如：",
    )
    disk = os.stat(folder).st_dev
    try:
        fresh = disk not in speeds
        if fresh:
            speeds[disk] = list(disk_speed(folder, seconds))
        elif not os.access(folder, os.W_OK):
            raise PermissionError("permission denied")
    except OSError as error:
        facts["writable"] = False
        value = Text(
            en=f"{path} cannot be written ({error.strerror or error})",
            zh=f"{path} 无法写入（{error.strerror or error}）",
        )
        section.add(
            f"place.{name}", label, value, "improvable" if name == "data" else "broken", elsewhere, command
        )
        return
    facts["measurements"] = [asdict(each) for each in speeds[disk]]
    speed, sync = speeds[disk]
    en, zh = f"{path}: {gib(free)} free", f"{path}：可用 {gib(free)}"
    if fresh:
        said = measured_text(speed)
        en, zh = f"{en}, {said.en}, sync {sync.median:.1f} ms", f"{zh}，{said.zh}，同步 {sync.median:.1f} ms"
    state, advice = _judge(name, free, speed, kind)
    if kind:
        en, zh = f"{en} ({kind})", f"{zh}（{kind}）"
    if advice:
        advice = Text(en=f"{advice.en} {elsewhere.en}", zh=advice.zh + elsewhere.zh)
    section.add(f"place.{name}", label, Text(en=en, zh=zh), state, advice, command if advice else None)


def _judge(name: str, free: int, speed: Measurement, kind: str | None) -> tuple[State, Text | None]:
    if free < _LITTLE_ROOM:
        return "improvable", Text(en="There is little room.", zh="空间不足。")
    if name == "store" and kind and kind.startswith(_REMOTE):
        return "improvable", Text(en="SQLite is not safe on a network disk.", zh="SQLite 在网络盘上不安全。")
    if speed.median < _SLOW:
        return "improvable", Text(en="The disk is slow.", zh="磁盘很慢。")
    return "fine", None


def nearest(path: Path) -> Path:
    """The folder itself, or the nearest one above it that exists: nothing is created to look at a place."""
    while not path.is_dir() and path != path.parent:
        path = path.parent
    return path


def file_system_of(folder: Path, mounts: str) -> str | None:
    """The kind of file system, such as ``ext4`` or ``nfs4``, given the text of ``/proc/self/mounts``; None if it does not say."""
    best, kind = -1, None
    real = os.path.realpath(folder)
    for line in mounts.splitlines():
        words = line.split()
        if len(words) < 3:
            continue
        point = words[1].replace("\\040", " ")
        inside = point == "/" or real == point or real.startswith(point + "/")
        if inside and len(point) >= best:  # of two on one point the later one is on top
            best, kind = len(point), words[2]
    return kind
