"""A small network that learns CIFAR-10 in seconds on a GPU, built for the time it takes and for nothing else.

The idea and the numbers are those of Jordan (2024), "94% on CIFAR-10 in 3.29 Seconds on a Single GPU"
(arXiv:2404.00498, airbench94), which goes back to Page (2019), "How to Train Your ResNet"; the code is étude's own.
What makes it quick: a first layer that is computed from the pictures and not learnt, convolutions that begin as the
identity, early pooling, shifts of the norms that learn 64 times as fast as the kernels, and logits held small at the
start.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from etude.core.text import Text
from etude.models.entry import Model, Shape

_PATCH = 2  # the side of what the first layer looks at
_LEAST_VARIANCE = 5e-4  # of the normalised pixels: directions with less are noise, and are not blown up
_SHIFT_GAIN = 8.0  # under SGD a parameter that counts eightfold moves its layer 8 · 8 times as fast
_LOGIT_SCALE = 1 / 9
_PICTURES_AT_ONCE = 500


class SpeedNet(nn.Module):
    """A whitening convolution, three groups of two 3×3 convolutions, the largest value of each map, a linear layer.

    The sizes at the line ends are those of 32×32 images and ``width`` 64. Call `initialise_from` before training:
    without it the first layer whitens noise and not pictures, and the network learns more slowly.

    Args:
        input_shape: ``(channels, height, width)`` of one image, from 9×9 pixels on.
        num_classes: the number of logits.
        width: channels of the first group; the others have four times as many.
        dropout: the probability of dropping a feature before the last layer, in training only (not in the paper).
    """

    def __init__(self, input_shape: Shape, num_classes: int, *, width: int = 64, dropout: float = 0.0) -> None:
        super().__init__()
        channels = input_shape[0]
        self.whitening = Whitening(channels)
        self.gelu = nn.GELU()
        self.group1 = Group(self.whitening.out_channels, width)
        self.group2 = Group(width, 4 * width)
        self.group3 = Group(4 * width, 4 * width)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(4 * width, num_classes, bias=False)

    def initialise_from(self, inputs: Tensor) -> None:
        """Set the first layer by pictures: ``inputs`` normalised, float32 ``[n, channels, height, width]``."""
        self.whitening.initialise_from(inputs)

    def forward(self, x: Tensor) -> Tensor:
        x = self.gelu(self.whitening(x))  # [n, 24, 31, 31]
        x = self.group1(x)  # [n, 64, 15, 15]
        x = self.group2(x)  # [n, 256, 7, 7]
        x = self.group3(x)  # [n, 256, 3, 3]
        x = x.amax((2, 3))  # [n, 256]
        return self.fc(self.dropout(x)) * _LOGIT_SCALE  # [n, num_classes]


class Whitening(nn.Conv2d):
    """A convolution over 2×2 patches whose outputs are uncorrelated and of variance 1; only its bias is learnt.

    Its kernels are the principal axes of the patches, each divided by the standard deviation along it, and then the
    same with the opposite sign, so that an activation function loses neither half ("Frozen patch-whitening
    initialization" there). They are a buffer: saved with the weights, and left alone by every optimiser.
    """

    def __init__(self, channels: int) -> None:
        size = channels * _PATCH**2
        super().__init__(channels, 2 * size, _PATCH)
        del self.weight
        half = nn.init.orthogonal_(torch.empty(size, size)).view(size, channels, _PATCH, _PATCH)
        self.register_buffer("weight", torch.cat((half, -half)))
        nn.init.zeros_(self.bias)

    @torch.no_grad()
    def initialise_from(self, inputs: Tensor) -> None:
        """The kernels that whiten the patches of ``inputs``, float32 ``[n, channels, height, width]``."""
        size = self.out_channels // 2
        moments, count = torch.zeros(size, size, dtype=torch.float64), 0
        for some in inputs.split(_PICTURES_AT_ONCE):
            # [n, size, places]; on the CPU, whose float64 and eigenvectors are there on every machine
            patches = F.unfold(some.float(), _PATCH).cpu().transpose(0, 1).flatten(1).double()
            moments += patches @ patches.T
            count += patches.shape[1]
        variances, axes = torch.linalg.eigh(moments / count)  # axes in columns, the least variance first
        axes = axes * axes.gather(0, axes.abs().argmax(0, keepdim=True)).sign()  # else the sign would be chance
        kernels = (axes / (variances.clamp(min=0) + _LEAST_VARIANCE).sqrt()).T.flip(0)
        half = kernels.reshape(size, *self.weight.shape[1:])
        self.weight.copy_(torch.cat((half, -half)))


class Group(nn.Module):
    """Two convolutions, each normalised; the first is followed by a pooling that halves the maps."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv1 = conv_from_identity(in_channels, out_channels)
        self.pool = nn.MaxPool2d(2)
        self.norm1 = ShiftNorm(out_channels)
        self.conv2 = conv_from_identity(out_channels, out_channels)
        self.norm2 = ShiftNorm(out_channels)
        self.gelu = nn.GELU()

    def forward(self, x: Tensor) -> Tensor:
        x = self.gelu(self.norm1(self.pool(self.conv1(x))))  # [n, out_channels, height/2, width/2]
        return self.gelu(self.norm2(self.conv2(x)))  # [n, out_channels, height/2, width/2]


class ShiftNorm(nn.Module):
    """Batch normalisation (Ioffe & Szegedy 2015) with a shift and no scale; 60 % of the running statistics are old ones.

    The shift that is added is eight times the parameter ``bias``, so that under SGD it learns 64 times as fast as the
    kernels with one learning rate for all ("Optimization tricks" there, where the rate itself is raised).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))
        self.register_buffer("scale", torch.ones(channels), persistent=False)  # cuDNN wants one

    def forward(self, x: Tensor) -> Tensor:
        shift = _SHIFT_GAIN * self.bias
        return F.batch_norm(
            x, self.running_mean, self.running_var, self.scale, shift, self.training, momentum=0.4
        )  # the shape of x


def conv_from_identity(in_channels: int, out_channels: int) -> nn.Conv2d:
    """A 3×3 convolution whose first outputs are its inputs; the others begin at random ("Identity initialization")."""
    conv = nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False)
    with torch.no_grad():
        nn.init.dirac_(conv.weight[:in_channels])
    return conv


CATALOG = (
    Model(
        name="speednet",
        title=Text(en="SpeedNet, trained in seconds", zh="SpeedNet：几秒学会的小网络"),
        source="Jordan 2024, airbench94",
        build=SpeedNet,
        input_shape=(3, 32, 32),
        num_classes=10,
        notes=Text(
            en="Its first layer is computed from the training pictures; made for SGD with a large learning rate.",
            zh="第一层由训练图片直接算出，不参与学习；适合用大学习率的 SGD 训练。",
        ),
        smallest=9,
    ),
)
