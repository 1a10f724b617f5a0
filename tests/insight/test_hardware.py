"""Facts about the machine: against what Python and torch say, and texts of machines that are not this one."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path

import pytest
import torch

from etude.core.devices import has_amx_bf16, processor_flags
from etude.insight import cgroup
from etude.insight.accelerators import NvidiaCard, parse_nvidia_smi, torch_accelerators
from etude.insight.cgroup import cgroup_folders, parse_cpu_max, parse_memory_limit
from etude.insight.hardware import (
    Cores,
    Memory,
    busy_seconds,
    parse_cpuinfo,
    parse_meminfo,
    parse_physical_cores,
    parse_proc_stat,
    parse_vm_stat,
    read_cores,
    read_cpu,
    read_memory,
)

SAPPHIRE = """processor\t: 0
vendor_id\t: GenuineIntel
model\t\t: 143
model name\t: Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz
physical id\t: 0
core id\t\t: 0
flags\t\t: fpu sse avx2 fma avx512f avx512bw avx512vl avx512dq avx512_vnni avx512_bf16 amx_bf16 amx_tile amx_int8

processor\t: 1
model name\t: Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz
physical id\t: 0
core id\t\t: 0
flags\t\t: fpu

processor\t: 2
physical id\t: 1
core id\t\t: 0
"""
RASPBERRY = "processor\t: 0\nBogoMIPS\t: 108.00\nFeatures\t: fp asimd crc32\nCPU implementer\t: 0x41\n"
OLD = "model name\t: Intel(R) Core(TM) i5-2400\nflags\t\t: fpu sse4_2 avx\n"


def test_formats_of_processors():
    name, formats = parse_cpuinfo(SAPPHIRE)
    assert name == "Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz"
    assert formats == ("AVX2", "AVX-512", "AVX-512 VNNI", "AVX-512 BF16", "AMX BF16")
    assert parse_cpuinfo(RASPBERRY) == (None, ("NEON",))
    assert parse_cpuinfo(OLD) == ("Intel(R) Core(TM) i5-2400", ())
    assert parse_cpuinfo("") == (None, ())


def test_tiles_without_bf16_are_not_counted():
    assert "AMX BF16" not in parse_cpuinfo(SAPPHIRE.replace("amx_bf16", "amx_fp16"))[1]


def test_hyper_threads_are_one_physical_core():
    assert parse_physical_cores(SAPPHIRE) == 2
    assert parse_physical_cores(RASPBERRY) is None


def test_this_machine_is_told_as_python_and_torch_tell_it():
    cpu, cores = read_cpu(), read_cores()
    assert cpu.name
    assert cpu.architecture == platform.machine()
    assert cores.logical == os.cpu_count()
    assert 1 <= cores.usable <= cores.allowed <= cores.logical
    if processor_flags():
        assert ("AMX BF16" in cpu.formats) == has_amx_bf16()
        # torch asks the processor itself, not the system
        if torch.backends.cpu.get_cpu_capability() == "AVX512" and cpu.architecture == "x86_64":
            assert "AVX-512" in cpu.formats


@pytest.mark.skipif(not hasattr(os, "sysconf") or not Path("/proc/meminfo").exists(), reason="Linux")
def test_memory_is_what_sysconf_says():
    memory = read_memory()
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert memory.total == pytest.approx(pages, rel=0.02)
    assert 0 < memory.free <= memory.total


@pytest.mark.parametrize(
    ("allowed", "quota", "usable"), [(8, None, 8), (8, 2.0, 2), (8, 0.5, 1), (4, 16.0, 4), (8, 1.5, 2)]
)
def test_usable_cores(allowed, quota, usable):
    assert Cores(physical=4, logical=8, allowed=allowed, quota=quota).usable == usable


def test_free_memory_is_the_lesser_of_machine_and_container():
    assert Memory(total=64, available=50, limit=10, limit_used=4).free == 6
    assert Memory(total=64, available=5, limit=10, limit_used=1).free == 5
    assert Memory(total=64, available=5, limit=None, limit_used=None).free == 5
    assert Memory(None, None, None, None).free is None


def test_texts_of_memory():
    assert parse_meminfo("MemTotal:  1000 kB\nMemFree: 1 kB\nMemAvailable:  400 kB\n") == (1_024_000, 409_600)
    assert parse_meminfo("") == (None, None)
    mac = "Mach Virtual Memory Statistics: (page size of 16384 bytes)\nPages free:  10.\nPages active: 99.\nPages inactive: 5.\nPages speculative: 1.\n"
    assert parse_vm_stat(mac) == 16 * 16384
    assert parse_vm_stat("") is None


@pytest.mark.parametrize(
    ("text", "quota"), [("max 100000\n", None), ("150000 100000\n", 1.5), ("-1 100000", None), ("", None), ("50000 0", None)]
)  # fmt: skip
def test_processor_quota(text, quota):
    assert parse_cpu_max(text) == quota


def test_memory_limits():
    assert parse_memory_limit("max\n", "5\n") is None
    assert parse_memory_limit("9223372036854771712\n", "5\n") is None  # version 1: no limit
    assert parse_memory_limit("1000\n", "700\n") == (1000, 700)
    # copies of files are dropped when memory is wanted
    assert parse_memory_limit("1000", "700", "anon 300\ninactive_file 400\nactive_file 0\n") == (1000, 300)
    assert parse_memory_limit("1000", "700", "inactive_file 1\ntotal_inactive_file 200\n") == (1000, 500)


def test_time_that_the_processors_worked():
    text = "cpu  100 20 30 9000 50 4 6 40 7 8\ncpu0 1 2 3 4 5 6 7 8 9 10\n"
    assert parse_proc_stat(text, ticks=100) == pytest.approx((100 + 20 + 30 + 4 + 6 + 40) / 100)
    assert parse_proc_stat("", ticks=100) is None


@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="Linux")
def test_the_processors_worked_at_least_as_long_as_this_process():
    before, own = busy_seconds(), time.process_time()
    while time.process_time() - own < 0.3:
        sum(range(1000))
    assert busy_seconds() - before >= 0.3 - 0.05  # it is told in hundredths of a second


def test_every_folder_above_binds():
    new, old = cgroup_folders("0::/user.slice/job\n", "cpu")
    assert new == ["/sys/fs/cgroup/user.slice/job", "/sys/fs/cgroup/user.slice", "/sys/fs/cgroup"]
    assert old == []
    new, old = cgroup_folders("4:memory:/docker/abc\n3:cpu,cpuacct:/x\n0::/\n", "cpu")
    assert new == ["/sys/fs/cgroup"]
    assert old[:2] == ["/sys/fs/cgroup/cpu,cpuacct/x", "/sys/fs/cgroup/cpu,cpuacct"]
    assert "/sys/fs/cgroup/cpu/x" in old
    assert cgroup_folders("", "cpu") == ([], [])


def test_the_tightest_limit_counts(monkeypatch):
    files = {
        "/proc/self/cgroup": "0::/a/b\n",
        "/sys/fs/cgroup/a/b/cpu.max": "max 100000",
        "/sys/fs/cgroup/a/cpu.max": "200000 100000",
        "/sys/fs/cgroup/cpu.max": "400000 100000",
        "/sys/fs/cgroup/a/memory.max": "1000",
        "/sys/fs/cgroup/a/memory.current": "100",
        "/sys/fs/cgroup/a/memory.stat": "inactive_file 0",
        "/sys/fs/cgroup/memory.max": "900",
        "/sys/fs/cgroup/memory.current": "800",
        "/sys/fs/cgroup/memory.stat": "inactive_file 0",
    }
    monkeypatch.setattr(cgroup, "read_system_file", lambda path: files.get(path, ""))
    assert cgroup.cpu_quota() == 2.0
    assert cgroup.memory_limit() == (900, 800)


def test_version_1_of_cgroups(monkeypatch):
    files = {
        "/proc/self/cgroup": "4:memory:/d\n1:cpu,cpuacct:/d\n",
        "/sys/fs/cgroup/cpu,cpuacct/d/cpu.cfs_quota_us": "300000\n",
        "/sys/fs/cgroup/cpu,cpuacct/d/cpu.cfs_period_us": "100000\n",
        "/sys/fs/cgroup/memory/d/memory.limit_in_bytes": "5000\n",
        "/sys/fs/cgroup/memory/d/memory.usage_in_bytes": "1000\n",
        "/sys/fs/cgroup/memory/d/memory.stat": "total_inactive_file 400\n",
    }
    monkeypatch.setattr(cgroup, "read_system_file", lambda path: files.get(path, ""))
    assert cgroup.cpu_quota() == 3.0
    assert cgroup.memory_limit() == (5000, 600)


def test_cards_that_the_driver_lists():
    text = "NVIDIA GeForce RTX 4090, 24564, 550.54.14\nNVIDIA GB10, [N/A], 580.95.05\n"
    assert parse_nvidia_smi(text) == [
        NvidiaCard("NVIDIA GeForce RTX 4090", 24564 << 20, "550.54.14"),
        NvidiaCard("NVIDIA GB10", None, "580.95.05"),
    ]
    assert (
        parse_nvidia_smi("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n")
        == []
    )


def test_accelerators_are_those_that_torch_counts():
    build, found = torch_accelerators()
    assert sum(each.device.startswith("cuda") for each in found) == torch.cuda.device_count()
    assert build.version == (torch.version.cuda or getattr(torch.version, "hip", None) or "")
    assert (build.kind == "cuda") == bool(torch.version.cuda)
    assert build.capability == torch.backends.cpu.get_cpu_capability()
