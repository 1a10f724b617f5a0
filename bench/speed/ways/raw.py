"""A torch loop tuned by hand: data in memory as bytes, one gather a batch, fused optimiser, channels innermost.

The process keeps its memory (glibc) and flushes denormals; products are bf16 where the processor has instructions for them.
"""

import contextlib
import ctypes
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from bench.speed.job import Job, answer
from bench.speed.nets import NETS


def load(job, part):
    x = torch.from_numpy(np.load(Path(job.folder) / f"x_{part}.npy"))
    x = x.unsqueeze(1) if x.ndim == 3 else x.permute(0, 3, 1, 2)
    y = torch.from_numpy(np.load(Path(job.folder) / f"y_{part}.npy")).long()
    return x.contiguous(memory_format=torch.channels_last), y


def vary(x):
    """Pad by 4, crop at random, mirror at random: a batch of bytes at once."""
    batch, _, height, width = x.shape
    mirrored = torch.rand(batch, 1, 1, 1) < 0.5
    x = F.pad(torch.where(mirrored, x.flip(-1), x), (4, 4, 4, 4)).permute(0, 2, 3, 1)
    rows = torch.randint(9, (batch, 1, 1)) + torch.arange(height).view(1, -1, 1)
    columns = torch.randint(9, (batch, 1, 1)) + torch.arange(width)
    return x[torch.arange(batch).view(-1, 1, 1), rows, columns].permute(0, 3, 1, 2)


def tune_process():
    torch.set_flush_denormal(True)
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(-1, 1 << 30)  # M_TRIM_THRESHOLD
        libc.mallopt(-3, 1 << 30)  # M_MMAP_THRESHOLD


def train(job: Job) -> float:
    tune_process()
    torch.manual_seed(job.seed)
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    has_bf16 = "amx_bf16" in flags or "avx512_bf16" in flags
    autocast = torch.autocast("cpu", torch.bfloat16, enabled=has_bf16)
    x, y = load(job, "train")
    pixels = x.float().div_(255)
    mean, std = (f(pixels, dim=(0, 2, 3), keepdim=True) for f in (torch.mean, torch.std))
    scale, shift = 1 / (255 * std), mean / std
    model = NETS[job.net]().to(memory_format=torch.channels_last)
    if job.optimizer == "adam":
        optimizer = torch.optim.Adam(model.parameters(), lr=job.learning_rate, fused=True)
    else:
        optimizer = torch.optim.SGD(
            model.parameters(), lr=job.learning_rate, momentum=0.9, nesterov=True, fused=True
        )

    def share_right(part):
        model.eval()
        x, y = load(job, part)
        right = 0
        with torch.inference_mode(), autocast:
            for inputs, labels in zip(x.split(1000), y.split(1000)):
                right += (model(inputs.float() * scale - shift).argmax(1) == labels).sum()
        return int(right) / len(y)

    for _ in range(job.epochs):
        model.train()
        for chosen in torch.randperm(len(x)).split(job.batch_size):
            inputs = x[chosen]
            if job.augment:
                inputs = vary(inputs)
            inputs = inputs.to(torch.float32, memory_format=torch.channels_last).mul_(scale).sub_(shift)
            optimizer.zero_grad()
            with autocast:
                loss = F.cross_entropy(model(inputs), y[chosen])
            loss.backward()
            optimizer.step()
        print(f"validation accuracy {share_right('validation'):.4f}")
    return share_right("test")


if __name__ == "__main__":
    answer(train)
