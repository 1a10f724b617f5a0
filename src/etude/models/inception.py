"""GoogLeNet (Inception v1), with torchvision's names and shapes, so that its weights load as they are.

Szegedy et al. (2015), "Going Deeper with Convolutions", CVPR, table 1 and section 5. As in torchvision, it departs from
the paper in this:

- the branch that the paper calls 5×5 is 3×3 (https://github.com/pytorch/vision/issues/906);
- every convolution is followed by batch normalisation (Ioffe & Szegedy 2015) and has no bias; there is no local
  response normalisation;
- the last max-pooling is 2×2, not 3×3;
- 20 % of the features are dropped before the last layer, not 40 %;
- the auxiliary classifiers average their maps to 4×4, which at 224×224 pixels is not quite the paper's 5×5 pooling
  of stride 3, and lets other sizes in.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from etude.core.errors import EtudeError
from etude.core.text import Text
from etude.models.entry import Model, Shape


class GoogLeNetOutputs(NamedTuple):
    """What `GoogLeNet` gives in training: its logits and those of the two auxiliary classifiers, the upper one first.

    Each is ``[n, num_classes]``. The paper adds the losses of the auxiliary ones times 0.3.
    """

    logits: Tensor
    aux_logits2: Tensor
    aux_logits1: Tensor


class GoogLeNet(nn.Module):
    """A stem of three convolutions, nine Inception blocks, global average pooling, and a linear layer.

    The sizes at the line ends are those of 224×224 images.

    Args:
        input_shape: ``(channels, height, width)`` of one image, from 15×15 pixels on.
        num_classes: the number of logits.
        dropout: the probability of dropping a feature before the last layer, in training only.
        dropout_aux: the same in the auxiliary classifiers.
        aux_logits: have two auxiliary classifiers on lower layers, which bring gradients there. In training, and
            only then, the model gives `GoogLeNetOutputs`.
        transform_input: the image was normalised with ImageNet's mean and deviation, and is to be seen as if it had been
            with 0.5 and 0.5: torchvision's trained weights want this. For images of three channels.

    Raises:
        EtudeError: ``transform_input`` on images that have not three channels.
    """

    def __init__(
        self,
        input_shape: Shape,
        num_classes: int,
        *,
        dropout: float = 0.2,
        dropout_aux: float = 0.7,
        aux_logits: bool = True,
        transform_input: bool = False,
    ) -> None:
        super().__init__()
        channels = input_shape[0]
        if transform_input and channels != 3:
            raise EtudeError(
                en=f"transform_input is for images of 3 channels, but these have {channels}; leave it out.",
                zh=f"transform_input 只用于 3 通道的图片，而这里的通道数为 {channels}；请去掉它。",
            )
        self.transform_input = transform_input
        self.conv1 = BasicConv2d(channels, 64, kernel_size=7, stride=2, padding=3)
        self.maxpool1 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.conv2 = BasicConv2d(64, 64, kernel_size=1)
        self.conv3 = BasicConv2d(64, 192, kernel_size=3, padding=1)
        self.maxpool2 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.inception3a = Inception(192, 64, (96, 128), (16, 32), 32)
        self.inception3b = Inception(256, 128, (128, 192), (32, 96), 64)
        self.maxpool3 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.inception4a = Inception(480, 192, (96, 208), (16, 48), 64)
        self.inception4b = Inception(512, 160, (112, 224), (24, 64), 64)
        self.inception4c = Inception(512, 128, (128, 256), (24, 64), 64)
        self.inception4d = Inception(512, 112, (144, 288), (32, 64), 64)
        self.inception4e = Inception(528, 256, (160, 320), (32, 128), 128)
        self.maxpool4 = nn.MaxPool2d(2, stride=2, ceil_mode=True)
        self.inception5a = Inception(832, 256, (160, 320), (32, 128), 128)
        self.inception5b = Inception(832, 384, (192, 384), (48, 128), 128)
        self.aux1 = InceptionAux(512, num_classes, dropout_aux) if aux_logits else None
        self.aux2 = InceptionAux(528, num_classes, dropout_aux) if aux_logits else None
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(1024, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.01, a=-2, b=2)

    def forward(self, x: Tensor) -> Tensor | GoogLeNetOutputs:
        auxiliary = self.training and self.aux1 is not None
        if self.transform_input:
            x = from_imagenet_statistics(x)
        x = self.conv1(x)  # [n, 64, 112, 112]
        x = self.maxpool1(x)  # [n, 64, 56, 56]
        x = self.conv3(self.conv2(x))  # [n, 192, 56, 56]
        x = self.maxpool2(x)  # [n, 192, 28, 28]
        x = self.inception3a(x)  # [n, 256, 28, 28]
        x = self.inception3b(x)  # [n, 480, 28, 28]
        x = self.maxpool3(x)  # [n, 480, 14, 14]
        x = self.inception4a(x)  # [n, 512, 14, 14]
        aux1 = self.aux1(x) if auxiliary else None  # [n, num_classes]
        x = self.inception4b(x)  # [n, 512, 14, 14]
        x = self.inception4c(x)  # [n, 512, 14, 14]
        x = self.inception4d(x)  # [n, 528, 14, 14]
        aux2 = self.aux2(x) if auxiliary else None  # [n, num_classes]
        x = self.inception4e(x)  # [n, 832, 14, 14]
        x = self.maxpool4(x)  # [n, 832, 7, 7]
        x = self.inception5a(x)  # [n, 832, 7, 7]
        x = self.inception5b(x)  # [n, 1024, 7, 7]
        x = self.avgpool(x).flatten(1)  # [n, 1024]
        x = self.fc(self.dropout(x))  # [n, num_classes]
        return GoogLeNetOutputs(x, aux2, aux1) if auxiliary else x


class Inception(nn.Module):
    """Four branches side by side, whose maps are put one after another (figure 2b).

    Args:
        in_channels: the maps that come in.
        one: the maps of the 1×1 branch.
        three: the maps of the 3×3 branch, after its 1×1 convolution and after its 3×3.
        five: the same of the branch that is 5×5 in the paper.
        pool: the maps of the branch with max-pooling, after its 1×1 convolution.
    """

    def __init__(
        self, in_channels: int, one: int, three: tuple[int, int], five: tuple[int, int], pool: int
    ) -> None:
        super().__init__()
        self.branch1 = BasicConv2d(in_channels, one, kernel_size=1)
        self.branch2 = nn.Sequential(
            BasicConv2d(in_channels, three[0], kernel_size=1),
            BasicConv2d(three[0], three[1], kernel_size=3, padding=1),
        )
        self.branch3 = nn.Sequential(
            BasicConv2d(in_channels, five[0], kernel_size=1),
            BasicConv2d(five[0], five[1], kernel_size=3, padding=1),
        )
        self.branch4 = nn.Sequential(
            nn.MaxPool2d(3, stride=1, padding=1, ceil_mode=True),
            BasicConv2d(in_channels, pool, kernel_size=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        branches = [self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)]
        return torch.cat(branches, 1)  # [n, one + three[1] + five[1] + pool, height, width]


class InceptionAux(nn.Module):
    """An auxiliary classifier (section 5): 4×4 averages, a 1×1 convolution, two linear layers."""

    def __init__(self, in_channels: int, num_classes: int, dropout: float) -> None:
        super().__init__()
        self.conv = BasicConv2d(in_channels, 128, kernel_size=1)
        self.fc1 = nn.Linear(128 * 4 * 4, 1024)
        self.fc2 = nn.Linear(1024, num_classes)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = F.adaptive_avg_pool2d(x, 4)  # [n, in_channels, 4, 4]
        x = self.conv(x).flatten(1)  # [n, 2048]
        x = F.relu(self.fc1(x), inplace=True)  # [n, 1024]
        return self.fc2(self.dropout(x))  # [n, num_classes]


class BasicConv2d(nn.Module):
    """A convolution, batch normalisation, ReLU."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, stride: int = 1, padding: int = 0
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(out_channels, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)), inplace=True)  # [n, out_channels, height/stride, width/stride]


def from_imagenet_statistics(x: Tensor) -> Tensor:
    """Normalised with mean and deviation 0.5 what was normalised with ImageNet's: both ``[n, 3, height, width]``."""
    scale = x.new_tensor([deviation / 0.5 for deviation in (0.229, 0.224, 0.225)]).view(1, 3, 1, 1)
    shift = x.new_tensor([(mean - 0.5) / 0.5 for mean in (0.485, 0.456, 0.406)]).view(1, 3, 1, 1)
    return x * scale + shift  # [n, 3, height, width]


CATALOG = (
    Model(
        name="googlenet",
        title=Text(en="GoogLeNet (Inception v1)", zh="GoogLeNet（第一代 Inception）"),
        source="Szegedy et al. 2015, table 1",
        build=GoogLeNet,
        input_shape=(3, 224, 224),
        num_classes=1000,
        notes=Text(
            en="Convolutions of several sizes side by side: a tenth of the computation of VGG-16 for about its accuracy.",
            zh="多种尺寸的卷积并联：计算量约为 VGG-16 的十分之一，准确率相近。",
        ),
        smallest=15,
    ),
)
