"""The small ResNets for CIFAR, and the same layers without shortcuts (the paper's plain networks).

He, Zhang, Ren & Sun (2016), "Deep Residual Learning for Image Recognition", CVPR, section 4.2: 6n+2 layers, with
16, 32 and 64 channels on three sizes of map, and shortcuts of option A, which have no parameters. Weights begin
as in He et al. (2015), "Delving Deep into Rectifiers", section 2.2, equation 14 (fan-out).
"""

from __future__ import annotations

from functools import partial

import torch.nn.functional as F
from torch import Tensor, nn

from etude.core.text import Text
from etude.models.entry import Model, Shape


class CifarResNet(nn.Module):
    """A 3×3 convolution, three stages of n two-layer blocks, global average pooling, and a linear layer.

    The sizes at the line ends are those of 32×32 images. Images over 48 pixels get a first convolution of stride
    2, which the paper does not have: it quarters the cost of everything after it.

    Args:
        input_shape: ``(channels, height, width)`` of one image, from 8×8 pixels on.
        num_classes: the number of logits.
        depth: the number of layers with weights, 6n+2: 20, 32, 44, 56 or 110 in the paper.
        shortcuts: with False it is the paper's plain network of the same layers.
        dropout: the probability of dropping a feature before the last layer, in training only (not in the paper).
    """

    def __init__(
        self, input_shape: Shape, num_classes: int, *, depth: int, shortcuts: bool = True, dropout: float = 0.0
    ) -> None:
        super().__init__()
        channels, height, width = input_shape
        blocks = (depth - 2) // 6
        stride = 2 if max(height, width) > 48 else 1
        self.conv1 = nn.Conv2d(channels, 16, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.relu = nn.ReLU(inplace=True)
        self.stage1 = stage(blocks, 16, 16, stride=1, shortcuts=shortcuts)
        self.stage2 = stage(blocks, 16, 32, stride=2, shortcuts=shortcuts)
        self.stage3 = stage(blocks, 32, 64, stride=2, shortcuts=shortcuts)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(64, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(x)))  # [n, 16, 32, 32]
        x = self.stage1(x)  # [n, 16, 32, 32]
        x = self.stage2(x)  # [n, 32, 16, 16]
        x = self.stage3(x)  # [n, 64, 8, 8]
        x = self.pool(x).flatten(1)  # [n, 64]
        return self.fc(self.dropout(x))  # [n, num_classes]


class Block(nn.Module):
    """Two 3×3 convolutions; the input is added to what they give, unless ``shortcut`` is False."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, shortcut: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.shortcut = Shortcut(out_channels - in_channels, stride) if shortcut else None

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))  # [n, out_channels, height/stride, width/stride]
        y = self.bn2(self.conv2(y))  # [n, out_channels, height/stride, width/stride]
        if self.shortcut is not None:
            y += self.shortcut(x)
        return self.relu(y)


class Shortcut(nn.Module):
    """Option A: the input itself; where the size changes, every other pixel, with channels of zeros added."""

    def __init__(self, new_channels: int, stride: int) -> None:
        super().__init__()
        self.new_channels, self.stride = new_channels, stride

    def forward(self, x: Tensor) -> Tensor:
        if self.stride == 1 and self.new_channels == 0:
            return x
        x = x[:, :, :: self.stride, :: self.stride]  # [n, in_channels, height/stride, width/stride]
        return F.pad(x, (0, 0, 0, 0, 0, self.new_channels))  # [n, out_channels, height/stride, width/stride]


def stage(blocks: int, in_channels: int, out_channels: int, *, stride: int, shortcuts: bool) -> nn.Sequential:
    """``blocks`` blocks; the first makes the change of size and channels."""
    first = Block(in_channels, out_channels, stride, shortcuts)
    return nn.Sequential(first, *(Block(out_channels, out_channels, 1, shortcuts) for _ in range(blocks - 1)))


def _entry(depth: int, shortcuts: bool) -> Model:
    residual = (
        Text(en=f"ResNet-{depth} for small images", zh=f"面向小图像的 ResNet-{depth}"),
        Text(
            en="Its shortcuts let it be deep and still learn; compare it with its plain twin.",
            zh="捷径连接让它很深也能学好；可与同深度的普通网络对照。",
        ),
    )
    plain = (
        Text(
            en=f"ResNet-{depth} without shortcuts",
            zh=f"去掉捷径连接的 ResNet-{depth}",
        ),
        Text(
            en="The paper's comparison: the deeper these plain networks are, the worse they learn.",
            zh="论文中的对照组：这类普通网络越深，反而学得越差。",
        ),
    )
    title, notes = residual if shortcuts else plain
    return Model(
        name=f"{'resnet' if shortcuts else 'plain'}{depth}",
        title=title,
        source="He, Zhang, Ren & Sun 2016, section 4.2",
        build=partial(CifarResNet, depth=depth, shortcuts=shortcuts),
        input_shape=(3, 32, 32),
        num_classes=10,
        notes=notes,
        smallest=8,
    )


CATALOG = tuple(_entry(depth, shortcuts) for shortcuts in (True, False) for depth in (20, 32, 44, 56, 110))
