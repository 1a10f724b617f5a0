"""What the engine chose for a run, and why, in words."""

from __future__ import annotations

import os
from typing import Any

import torch

from etude.core.devices import cpu_name, has_amx_bf16, has_avx512_bf16
from etude.core.text import Text
from etude.data.dataset import ImageData
from etude.data.kept import KeptPictures
from etude.data.table import TableData
from etude.train.choices import Choices
from etude.train.execution.rules import WORDS
from etude.train.optimizers import FUSED
from etude.train.recipe import Recipe


def explain(choices: Choices, recipe: Recipe, data: Any = None) -> list[Text]:
    """A sentence for each choice: what it is, why, and the setting that says otherwise.

    Args:
        data: what is trained on, where étude has read it; None: a person's own Dataset or DataLoader.
    """
    return [
        _device(choices, recipe),
        _precision(choices, recipe),
        _memory_format(choices, recipe),
        _rules(choices, recipe),
        _program(choices, recipe),
        _optimizer(choices, recipe),
        *([_threads(choices, recipe)] if choices.device == "cpu" else []),
        _batches(choices, recipe, data),
    ]


def _device(choices: Choices, recipe: Recipe) -> Text:
    name = _device_name(torch.device(choices.device))
    en, zh = _asked("device", recipe.device != "auto") or ("the fastest there is", "本机最快的设备")
    if not name:
        return Text(en=f"device {choices.device}: {en}", zh=f"设备 {choices.device}：{zh}")
    return Text(en=f"device {choices.device} ({name}): {en}", zh=f"设备 {choices.device}（{name}）：{zh}")


def _device_name(device: torch.device) -> str:
    """Empty where the device is not there: a run may be looked at on another machine than its own."""
    if device.type == "cpu":
        return cpu_name()
    if device.type == "cuda" and torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count():
        return torch.cuda.get_device_name(device)
    return ""


def _precision(choices: Choices, recipe: Recipe) -> Text:
    asked = _asked("precision", recipe.precision != "auto")
    if asked is None:
        asked = _why_bf16(choices) if choices.precision == "bf16" else _why_float32(choices, recipe)
    return Text(
        en=f"precision {choices.precision}: {asked[0]}; weights and their updates are float32",
        zh=f"精度 {choices.precision}：{asked[1]}；权重及其更新始终为 float32",
    )


def _why_bf16(choices: Choices) -> tuple[str, str]:
    if choices.device != "cpu":
        return "the GPU multiplies bfloat16 several times faster", "GPU 的 bfloat16 乘法快数倍"
    if has_amx_bf16():
        return (
            "the processor has AMX tiles, which multiply bfloat16 several times faster",
            "处理器有 AMX，bfloat16 乘法快数倍",
        )
    if has_avx512_bf16():
        return (
            "the processor multiplies bfloat16 in AVX-512, twice as fast",
            "处理器的 AVX-512 支持 bfloat16，乘法快一倍",
        )
    return "so the run began, on another processor", "训练始于另一台机器的处理器"


def _why_float32(choices: Choices, recipe: Recipe) -> tuple[str, str]:
    if recipe.engine == "plain":
        return "engine plain computes as a loop written by hand", "plain 引擎与手写循环逐位相同"
    if recipe.optimizer == "lbfgs":
        return (
            "the line search of L-BFGS sees rounding as the function",
            "L-BFGS 的线搜索会把舍入误差当作函数本身",
        )
    if choices.device == "cpu" and (has_amx_bf16() or has_avx512_bf16()):
        return (
            "the layers are so small that rounding them to bf16 takes longer than it saves",
            "各层很小，转换为 bf16 的耗时超过节省的时间",
        )
    return "nothing faster is built in here", "本机没有更快的数值格式"


def _memory_format(choices: Choices, recipe: Recipe) -> Text:
    asked = _asked("memory_format", recipe.memory_format != "auto")
    if choices.channels_last:
        en, zh = asked or (
            "convolutions, norms and pooling read neighbouring channels",
            "卷积、归一化与池化读取相邻的通道",
        )
        return Text(en=f"channels innermost in memory: {en}", zh=f"通道位于内存最内层：{zh}")
    en, zh = asked or ("as torch lays them out", "按 torch 的默认方式")
    return Text(en=f"memory layout unchanged: {en}", zh=f"内存排列不变：{zh}")


def _rules(choices: Choices, recipe: Recipe) -> Text:
    if not choices.rules:
        if recipe.engine == "plain":
            en, zh = "engine plain changes nothing", "plain 引擎不做任何改动"
        elif recipe.rewrite == "off":
            en, zh = "asked for by rewrite", "由 rewrite 指定"
        elif choices.compile:
            en, zh = "the compiler finds faster operations by itself", "更快的运算由编译器自行寻找"
        else:
            en, zh = (
                "faster operations for the same function are known for the CPU only",
                "只有 CPU 上才有等价且更快的运算",
            )
        return Text(en=f"network computed as it is written: {en}", zh=f"网络按原样计算：{zh}")
    return Text(
        en="same network by faster operations, where it has them: "
        + ", ".join(WORDS[rule].en for rule in choices.rules),
        zh="网络不变，遇到时改用更快的等价运算：" + "，".join(WORDS[rule].zh for rule in choices.rules),
    )


def _program(choices: Choices, recipe: Recipe) -> Text:
    if choices.compile:
        return Text(en="torch.compile: asked for by compile", zh="使用 torch.compile：由 compile 指定")
    if choices.graphs:
        return Text(
            en="whole steps recorded as CUDA graphs: one launch in place of hundreds",
            zh="整步录制为 CUDA 图：一次启动代替数百次",
        )
    asked = _asked("compile", recipe.compile == "off")
    if asked is None and recipe.engine == "plain":
        asked = "engine plain computes the network as it is written", "plain 引擎按原样计算网络"
    if asked is None and choices.device.startswith("cuda") and recipe.cuda_graphs == "off":
        asked = (
            "left out unless asked for; no CUDA graphs: asked for by cuda_graphs",
            ("未指定则不用；不录制 CUDA 图：由 cuda_graphs 指定"),
        )
    en, zh = asked or (
        "compiling takes longer than it saves in most runs",
        "编译的耗时通常超过节省的时间",
    )
    return Text(en=f"no torch.compile: {en}", zh=f"不使用 torch.compile：{zh}")


def _optimizer(choices: Choices, recipe: Recipe) -> Text:
    if choices.fused:
        return Text(
            en=f"{recipe.optimizer} in one kernel for all parameters",
            zh=f"{recipe.optimizer} 用一个核函数更新全部参数",
        )
    en, zh = "", ""
    if recipe.engine == "plain":
        en, zh = ": engine plain computes as a loop written by hand", "：plain 引擎与手写循环逐位相同"
    elif recipe.optimizer not in FUSED:
        en, zh = ": it has no fused kernel", "：没有融合核函数"
    return Text(en=f"{recipe.optimizer} as torch writes it{en}", zh=f"{recipe.optimizer} 采用 torch 的写法{zh}")


def _threads(choices: Choices, recipe: Recipe) -> Text:
    cores = os.cpu_count() or 1
    asked = _asked("threads", recipe.threads is not None)
    if asked and choices.threads > cores:
        asked = (
            f"{asked[0]}, though they are more than the {cores} cores and wait for one another",
            f"{asked[1]}，但多于 {cores} 个核心，线程会互相等待",
        )
    if asked is None and os.environ.get("OMP_NUM_THREADS") == str(choices.threads):
        asked = "OMP_NUM_THREADS says so", "由 OMP_NUM_THREADS 指定"
    if asked is None and choices.threads < cores:
        asked = (
            f"of {cores} cores the others are busy, or share their units",
            f"{cores} 个核心中其余的正忙，或共用运算单元",
        )
    en, zh = asked or ("one for each core", "每个核心一个")
    flushed_en = "; denormals count as zero" if choices.flush_denormal else ""
    flushed_zh = "；次正规数按零处理" if choices.flush_denormal else ""
    return Text(
        en=f"threads {choices.threads}: {en}{flushed_en}", zh=f"线程数 {choices.threads}：{zh}{flushed_zh}"
    )


def _batches(choices: Choices, recipe: Recipe, data: Any) -> Text:
    if choices.prefetch:
        en, zh = _asked("prefetch", recipe.prefetch is not None) or (
            "they are made beside the training",
            "与训练同时进行",
        )
        return Text(
            en=f"{choices.prefetch} batches made ahead: {en}", zh=f"提前准备 {choices.prefetch} 批：{zh}"
        )
    en, zh = _asked("prefetch", recipe.prefetch is not None) or _made_of(data)
    return Text(en=f"batches made when needed: {en}", zh=f"用到时才取批：{zh}")


def _made_of(data: Any) -> tuple[str, str]:
    if isinstance(data, ImageData) and isinstance(data.train.images, KeptPictures):
        return "cut by all threads out of the pictures that are kept", "由所有线程从保存的图片中裁取"
    if isinstance(data, ImageData | TableData):
        return "one gather from memory, on the device that trains", "在训练设备上，从内存一次取出"
    return "the Dataset or DataLoader given makes them", "由给定的 Dataset 或 DataLoader 产生"


def _asked(setting: str, given: bool) -> tuple[str, str] | None:
    return (f"asked for by {setting}", f"由 {setting} 指定") if given else None
