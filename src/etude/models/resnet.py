"""ResNet-18, 34, 50, 101 and 152, with torchvision's names and shapes, so that its weights load as they are.

He, Zhang, Ren & Sun (2016), "Deep Residual Learning for Image Recognition", CVPR, section 3.3, table 1.
As in torchvision, ResNet-50 and the deeper ones halve the size in the 3×3 convolution of a block, not in its first
1×1 as the paper does (called v1.5), and the shortcuts are option B: a 1×1 convolution where size or channels change.
"""

from __future__ import annotations

from functools import partial
from typing import Literal

from torch import Tensor, nn

from etude.core.text import Text
from etude.models.entry import Model, Shape

Stem = Literal["auto", "imagenet", "small"]


class ResNet(nn.Module):
    """A stem, four stages of residual blocks, global average pooling, and a linear layer.

    The sizes at the line ends are those of 224×224 images.

    Args:
        input_shape: ``(channels, height, width)`` of one image, from 8×8 pixels on.
        num_classes: the number of logits.
        block: `BasicBlock` or `Bottleneck`.
        layers: the number of blocks of each stage.
        stem: ``imagenet`` is the paper's: 7×7 of stride 2, then max-pooling, which leaves a quarter of the height and
            width to the first block. ``small`` is 3×3 of stride 1 without pooling. ``auto`` takes ``small`` for images
            up to 64 pixels. The names of the parameters are the same.
        dropout: the probability of dropping a feature before the last layer, in training only (not in the paper).
    """

    def __init__(
        self,
        input_shape: Shape,
        num_classes: int,
        *,
        block: type[BasicBlock] | type[Bottleneck],
        layers: tuple[int, int, int, int],
        stem: Stem = "auto",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        channels, height, width = input_shape
        small = stem == "small" or (stem == "auto" and max(height, width) <= 64)
        if small:
            self.conv1 = nn.Conv2d(channels, 64, 3, padding=1, bias=False)
        else:
            self.conv1 = nn.Conv2d(channels, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.Identity() if small else nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = stage(block, layers[0], 64, 64, stride=1)
        self.layer2 = stage(block, layers[1], 64 * block.expansion, 128, stride=2)
        self.layer3 = stage(block, layers[2], 128 * block.expansion, 256, stride=2)
        self.layer4 = stage(block, layers[3], 256 * block.expansion, 512, stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(512 * block.expansion, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(x)))  # [n, 64, 112, 112]
        x = self.maxpool(x)  # [n, 64, 56, 56]
        x = self.layer1(x)  # [n, 64·expansion, 56, 56]
        x = self.layer2(x)  # [n, 128·expansion, 28, 28]
        x = self.layer3(x)  # [n, 256·expansion, 14, 14]
        x = self.layer4(x)  # [n, 512·expansion, 7, 7]
        x = self.avgpool(x).flatten(1)  # [n, 512·expansion]
        return self.fc(self.dropout(x))  # [n, num_classes]


class BasicBlock(nn.Module):
    """Two 3×3 convolutions beside a shortcut (figure 5, left)."""

    expansion = 1

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = projection(in_channels, channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))  # [n, channels, height/stride, width/stride]
        y = self.bn2(self.conv2(y))  # [n, channels, height/stride, width/stride]
        y += x if self.downsample is None else self.downsample(x)
        return self.relu(y)


class Bottleneck(nn.Module):
    """1×1, 3×3 and 1×1 convolutions beside a shortcut (figure 5, right)."""

    expansion = 4

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, 4 * channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * channels)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = projection(in_channels, 4 * channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))  # [n, channels, height, width]
        y = self.relu(self.bn2(self.conv2(y)))  # [n, channels, height/stride, width/stride]
        y = self.bn3(self.conv3(y))  # [n, 4·channels, height/stride, width/stride]
        y += x if self.downsample is None else self.downsample(x)
        return self.relu(y)


def projection(in_channels: int, out_channels: int, stride: int) -> nn.Sequential | None:
    """Option B: a 1×1 convolution where the shortcut must change size or channels, else nothing."""
    if stride == 1 and in_channels == out_channels:
        return None
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False), nn.BatchNorm2d(out_channels)
    )


def stage(
    block: type[BasicBlock] | type[Bottleneck], blocks: int, in_channels: int, channels: int, *, stride: int
) -> nn.Sequential:
    """``blocks`` blocks; the first makes the change of size and channels."""
    first = block(in_channels, channels, stride)
    return nn.Sequential(first, *(block(channels * block.expansion, channels, 1) for _ in range(blocks - 1)))


def _entry(depth: int, block: type, layers: tuple[int, int, int, int], notes: Text) -> Model:
    return Model(
        name=f"resnet{depth}",
        title=Text(en=f"ResNet-{depth}", zh=f"ResNet-{depth}"),
        source="He, Zhang, Ren & Sun 2016, section 3.3",
        build=partial(ResNet, block=block, layers=layers),
        input_shape=(3, 224, 224),
        num_classes=1000,
        notes=notes,
        smallest=8,
    )


CATALOG = (
    _entry(
        18, BasicBlock, (2, 2, 2, 2),
        Text(en="The usual choice for photographs; it takes torchvision's weights as they are.",
             zh="处理照片的常用选择；可直接载入 torchvision 的权重。"),
    ),
    _entry(
        34, BasicBlock, (3, 4, 6, 3),
        Text(en="Twice the cost of ResNet-18, for more data and more time.",
             zh="计算量约为 ResNet-18 的两倍，适合数据更多、时间更充裕的情形。"),
    ),
    _entry(
        50, Bottleneck, (3, 4, 6, 3),
        Text(en="Bottleneck blocks: little dearer than ResNet-34, and better on large data; slow without a GPU.",
             zh="采用瓶颈结构：只比 ResNet-34 稍贵，在大数据上更好；没有 GPU 时较慢。"),
    ),
    _entry(
        101, Bottleneck, (3, 4, 23, 3),
        Text(en="Twice the cost of ResNet-50: for fine-tuning trained weights on a GPU.",
             zh="计算量约为 ResNet-50 的两倍：适合在 GPU 上微调已训练的权重。"),
    ),
    _entry(
        152, Bottleneck, (3, 8, 36, 3),
        Text(en="The deepest of the networks that won ImageNet in 2015: three times the cost of ResNet-50.",
             zh="2015 年 ImageNet 竞赛冠军所用的最深网络：计算量约为 ResNet-50 的三倍。"),
    ),
)  # fmt: skip
