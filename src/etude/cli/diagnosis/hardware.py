"""The machine: system, processor, cores, memory, and the devices that torch can compute on."""

from __future__ import annotations

import warnings
from dataclasses import asdict

from etude.cli.diagnosis.advice import System, install_torch
from etude.cli.diagnosis.finding import Section, survive
from etude.core.text import Text, same
from etude.insight.accelerators import Accelerator, NvidiaCard, TorchBuild
from etude.insight.hardware import Cores, Cpu, Memory, read_cores, read_cpu, read_memory

_LITTLE_MEMORY = 2 << 30


def examine(system: System, cards: list[NvidiaCard], torch_works: bool) -> Section:
    """The section. Its facts have ``device``, ``precision``: what ``auto`` will choose (None where torch does not work)."""
    section = Section("machine", Text(en="Machine", zh="机器"))

    def look() -> None:
        cpu, cores, memory = read_cpu(), read_cores(), read_memory()
        section.facts |= {"cpu": asdict(cpu), "cores": asdict(cores) | {"usable": cores.usable}}
        section.facts |= {"memory": asdict(memory) | {"free": memory.free}}
        section.facts |= {"nvidia_cards": [asdict(card) for card in cards], "device": None, "precision": None}
        section.add(
            "system",
            Text(en="system", zh="系统"),
            Text(en=f"{system.name}, {system.architecture}", zh=f"{system.name}，{system.architecture}"),
        )
        _processor(section, cpu)
        section.add("cores", Text(en="cores", zh="核心"), cores_text(cores))
        _memory(section, memory)
        if torch_works:
            _devices(section, system, cpu, cores, cards)

    return survive(section, look)


def _processor(section: Section, cpu: Cpu) -> None:
    label = Text(en="processor", zh="处理器")
    formats = cpu.formats or ()
    value = (
        Text(en=f"{cpu.name}; {', '.join(formats)}", zh=f"{cpu.name}；{'、'.join(formats)}")
        if formats
        else same(cpu.name)
    )
    if cpu.architecture in ("x86_64", "AMD64") and cpu.formats is not None and "AVX2" not in cpu.formats:
        advice = Text(
            en="Without AVX2 torch computes several times slower; in a virtual machine, let it have the host's processor "
            "(“host passthrough”).",
            zh="没有 AVX2，torch 会慢几倍；若是虚拟机，请把处理器类型设为与宿主机相同（host passthrough）。",
        )
        section.add(
            "processor", label, Text(en=f"{cpu.name}; no AVX2", zh=f"{cpu.name}；无 AVX2"), "improvable", advice
        )
        return
    section.add("processor", label, value)


def cores_text(cores: Cores) -> Text:
    """The cores in words, with whatever keeps this process from using them all."""
    en = f"{cores.logical} logical" + (f", {cores.physical} physical" if cores.physical else "")
    zh = f"逻辑核 {cores.logical} 个" + (f"，物理核 {cores.physical} 个" if cores.physical else "")
    if cores.allowed < cores.logical:
        en, zh = f"{en}; {cores.allowed} allowed to this process", f"{zh}；本进程可用 {cores.allowed} 个"
    if cores.quota:
        en, zh = f"{en}; the container grants {cores.quota:g}", f"{zh}；容器限额 {cores.quota:g} 个"
    return Text(en=en, zh=zh)


def _memory(section: Section, memory: Memory) -> None:
    label, free = Text(en="memory", zh="内存"), memory.free
    if memory.total is None:
        section.add("memory", label, Text(en="the system does not tell", zh="系统未提供"))
        return
    en, zh = f"{gib(memory.total)} in all", f"共 {gib(memory.total)}"
    if memory.limit is not None and memory.limit < memory.total:
        en, zh = f"{en}, the container grants {gib(memory.limit)}", f"{zh}，容器限额 {gib(memory.limit)}"
    if free is not None:
        en, zh = f"{en}, {gib(free)} free", f"{zh}，可用 {gib(free)}"
    if free is not None and free < _LITTLE_MEMORY:
        advice = Text(en="Close other programs; use a small --batch-size and small pictures.",
                      zh="请关闭其他程序；使用较小的 --batch-size 与较小的图片。")  # fmt: skip
        section.add("memory", label, Text(en=en, zh=zh), "improvable", advice)
        return
    section.add("memory", label, Text(en=en, zh=zh))


def _devices(section: Section, system: System, cpu: Cpu, cores: Cores, cards: list[NvidiaCard]) -> None:
    from etude.core.devices import choose_device, has_amx_bf16, has_avx512_bf16
    from etude.insight.accelerators import torch_accelerators

    build, found = torch_accelerators()
    section.facts |= {"torch_build": asdict(build), "accelerators": [asdict(each) for each in found]}
    add_devices(section, system, build, found, cards)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's complaint about the driver is in the build's line already
        device = choose_device("auto").type
    on_cpu = has_amx_bf16() or has_avx512_bf16()
    bf16 = on_cpu if device == "cpu" else device == "cuda" and bool(found) and found[0].bf16
    precision = "bf16" if bf16 else "float32"
    section.facts |= {"device": device, "precision": precision}
    section.add(
        "device",
        Text(en="auto chooses", zh="自动选择"),
        Text(
            en=f"--device {device}, --precision {precision}", zh=f"--device {device}，--precision {precision}"
        ),
    )
    _threads(section, system, cores)


def _threads(section: Section, system: System, cores: Cores) -> None:
    import torch

    threads, label = torch.get_num_threads(), Text(en="threads", zh="线程")
    section.facts["threads"] = threads
    value = Text(
        en=f"torch computes with {threads} of {cores.usable} usable cores",
        zh=f"torch 用 {threads} 个线程，可用核心 {cores.usable} 个",
    )
    command = system.set_variable("OMP_NUM_THREADS", str(cores.usable))
    if threads > cores.usable:
        advice = Text(en="More threads than cores wait for each other: give it as many as there are.",
                      zh="线程多于核心时会互相等待：请设为核心数。")  # fmt: skip
        section.add("threads", label, value, "improvable", advice, command)
    elif threads < min(cores.usable, cores.physical or cores.usable):
        advice = Text(en="Cores are left idle (OMP_NUM_THREADS or a launcher says so): give it all, if nothing else needs them.",
                      zh="有核心闲置（由 OMP_NUM_THREADS 或启动程序设定）：若无其他任务，请全部启用。")  # fmt: skip
        section.add("threads", label, value, "improvable", advice, command)
    else:
        section.add("threads", label, value)


def add_devices(
    section: Section, system: System, build: TorchBuild, found: list[Accelerator], cards: list[NvidiaCard]
) -> None:
    """What torch was built for, every device beside the CPU, and why a card that is there is not used."""
    label = Text(en="torch's build", zh="torch 版本类型")
    kinds = {
        "cpu": Text(en="for the CPU only", zh="仅 CPU"), "cuda": Text(en=f"for CUDA {build.version}", zh=f"CUDA {build.version}"),
        "rocm": Text(en=f"for ROCm {build.version}", zh=f"ROCm {build.version}"), "mps": Text(en="for the CPU and Apple's GPU (MPS)", zh="CPU 与 Apple GPU（MPS）"),
    }  # fmt: skip
    kind = kinds[build.kind]
    usable = [each for each in found if each.device.startswith("cuda")]
    driver = cards[0].driver if cards else None
    if cards and build.kind == "cpu":
        advice = Text(
            en=f"{cards[0].name} lies idle: install the build of torch for it.",
            zh=f"{cards[0].name} 闲置：请安装支持它的 torch。",
        )
        section.add("torch_build", label, kind, "improvable", advice, install_torch(system, driver, again=True))
    elif cards and build.kind == "cuda" and not usable:
        said = f" ({build.warning})" if build.warning else ""
        value = Text(en=f"{kind.en}, but it finds no GPU{said}", zh=f"{kind.zh}，但找不到 GPU{said}")
        advice = Text(en=f"The driver is {driver}: install NVIDIA's newest and restart, or a torch for an older CUDA.",
                      zh=f"当前驱动为 {driver}：请安装 NVIDIA 最新驱动并重启，或安装面向较旧 CUDA 的 torch。")  # fmt: skip
        section.add(
            "torch_build", label, value, "improvable", advice, install_torch(system, driver, again=True)
        )
    elif build.kind == "cuda" and not usable:
        section.add(
            "torch_build",
            label,
            Text(
                en=f"{kind.en}; no NVIDIA GPU here, so it computes on the CPU",
                zh=f"{kind.zh}；本机没有 NVIDIA GPU，用 CPU 计算",
            ),
        )
    else:
        section.add("torch_build", label, kind)
    for each in found:
        _accelerator(section, system, each, driver)


def _accelerator(section: Section, system: System, each: Accelerator, driver: str | None) -> None:
    label = same(each.device)
    en, zh = each.name, each.name
    if each.memory_bytes:
        en, zh = f"{en}, {gib(each.memory_bytes)}", f"{zh}，{gib(each.memory_bytes)}"
    if each.free_bytes is not None:
        en, zh = f"{en} ({gib(each.free_bytes)} free)", f"{zh}（可用 {gib(each.free_bytes)}）"
    if each.capability:
        en, zh = f"{en}, capability {each.capability}", f"{zh}，计算能力 {each.capability}"
    if driver and each.capability:
        en, zh = f"{en}, driver {driver}", f"{zh}，驱动 {driver}"
    en, zh = f"{en}, {'bf16' if each.bf16 else 'no bf16'}", f"{zh}，{'支持 bf16' if each.bf16 else '无 bf16'}"
    if each.error:
        advice = Text(en="torch sees it but cannot compute on it: install a build for it, or use --device cpu.",
                      zh="torch 能看到它但无法用它计算：请安装支持它的版本，或用 --device cpu。")  # fmt: skip
        said = Text(en=f"{en}; it answered: {each.error}", zh=f"{zh}；错误：{each.error}")
        section.add(each.device, label, said, "broken", advice, install_torch(system, driver, again=True))
        return
    section.add(each.device, label, Text(en=en, zh=zh))


def gib(count: int) -> str:
    """Bytes as people say them, in binary units."""
    return f"{count / (1 << 30):.1f} GiB" if count >= 1 << 30 else f"{count / (1 << 20):.0f} MiB"
