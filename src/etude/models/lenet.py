"""LeNet-5: as it is usually written today, and as it was published in 1998.

LeCun, Bottou, Bengio & Haffner (1998), "Gradient-Based Learning Applied to Document Recognition",
Proceedings of the IEEE 86(11), section II.B and appendix A.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from etude.core.text import Text
from etude.models.entry import Model, Shape

# Table I of the paper: the maps of S2 that each of the 16 maps of C3 looks at
C3_INPUTS = (
    (0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5),
    (0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5),
    (0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5), (0, 1, 2, 3, 4, 5),
)  # fmt: skip


class LeNet5(nn.Module):
    """LeNet-5 as it is usually written today: ReLU, max-pooling, and every map joined to every map.

    Images under 32 pixels get a border of 2, so that 28×28 fits the paper's 32×32. The sizes at the line ends
    are those of 28×28 and 32×32; other sizes only change what ``fc1`` sees.

    Args:
        input_shape: ``(channels, height, width)`` of one image, from 12×12 pixels on.
        num_classes: the number of logits.
        dropout: the probability of dropping a unit of the two hidden linear layers, in training only.
    """

    def __init__(self, input_shape: Shape, num_classes: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        channels, height, width = input_shape
        padding = border(height, width)
        self.conv1 = nn.Conv2d(channels, 6, kernel_size=5, padding=padding)
        self.conv2 = nn.Conv2d(6, 16, kernel_size=5)
        self.pool = nn.MaxPool2d(2)
        self.fc1 = nn.Linear(16 * pooled_twice(height, padding) * pooled_twice(width, padding), 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, num_classes)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.conv1(x))  # [n, 6, 28, 28]
        x = self.pool(x)  # [n, 6, 14, 14]
        x = F.relu(self.conv2(x))  # [n, 16, 10, 10]
        x = self.pool(x)  # [n, 16, 5, 5]
        x = x.flatten(1)  # [n, 400]
        x = self.dropout(F.relu(self.fc1(x)))  # [n, 120]
        x = self.dropout(F.relu(self.fc2(x)))  # [n, 84]
        return self.fc3(x)  # [n, num_classes]


class LeNet5Of1998(nn.Module):
    """LeNet-5 as published: scaled tanh, trainable subsampling, and C3 joined to S2 by the paper's table.

    The layers bear the paper's names. One thing differs: the output is a linear layer for cross-entropy, where
    the paper measures the distance to hand-drawn 7×12 pictures of the characters (its RBF units), which exist
    for digits only. C5 is, as in the paper, a convolution as large as the maps of S4: fully connected.

    Args:
        input_shape: ``(channels, height, width)`` of one image, from 12×12 pixels on; under 32 pixels it gets
            a border of 2.
        num_classes: the number of logits.
        dropout: the probability of dropping a unit of C5 and F6, in training only (not in the paper).
    """

    def __init__(self, input_shape: Shape, num_classes: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        channels, height, width = input_shape
        padding = border(height, width)
        self.C1 = nn.Conv2d(channels, 6, kernel_size=5, padding=padding)
        self.S2 = Subsampling(6)
        self.C3 = SparseConv2d(C3_INPUTS, in_channels=6, kernel_size=5)
        self.S4 = Subsampling(16)
        self.C5 = nn.Conv2d(16, 120, kernel_size=(pooled_twice(height, padding), pooled_twice(width, padding)))
        self.F6 = nn.Linear(120, 84)
        self.output = nn.Linear(84, num_classes)
        self.dropout = nn.Dropout(dropout)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Kernels uniform in ±2.4 / (inputs of a unit), appendix A; biases 0, and subsampling begins as a mean."""
        fan_in_of_C3 = torch.tensor([25.0 * len(inputs) for inputs in C3_INPUTS for _ in inputs])
        with torch.no_grad():
            for layer in (self.C1, self.C5, self.F6, self.output):
                fan_in = layer.weight[0].numel()
                layer.weight.uniform_(-2.4 / fan_in, 2.4 / fan_in)
                layer.bias.zero_()
            self.C3.weight.uniform_(-2.4, 2.4).div_(fan_in_of_C3.to(self.C3.weight.device)[:, None, None])

    def forward(self, x: Tensor) -> Tensor:
        x = squash(self.C1(x))  # [n, 6, 28, 28]
        x = squash(self.S2(x))  # [n, 6, 14, 14]
        x = squash(self.C3(x))  # [n, 16, 10, 10]
        x = squash(self.S4(x))  # [n, 16, 5, 5]
        x = squash(self.C5(x)).flatten(1)  # [n, 120]
        x = squash(self.F6(self.dropout(x)))  # [n, 84]
        return self.output(self.dropout(x))  # [n, num_classes]


class Subsampling(nn.Module):
    """The sum of each 2×2 square, times one trainable coefficient a map, plus one trainable bias a map."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((channels,), 0.25))  # begins as the mean of the four
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        sums = F.avg_pool2d(x, 2, divisor_override=1)  # [n, channels, height/2, width/2]
        return sums * self.weight[:, None, None] + self.bias[:, None, None]


class SparseConv2d(nn.Module):
    """A convolution whose map ``i`` looks only at the maps ``inputs[i]``; it has weights for those alone.

    They are laid into a full kernel of zeros, so it costs what a full convolution does: one fast call.
    """

    def __init__(self, inputs: tuple[tuple[int, ...], ...], in_channels: int, kernel_size: int) -> None:
        super().__init__()
        places = [row * in_channels + column for row, columns in enumerate(inputs) for column in columns]
        self.shape = (len(inputs), in_channels, kernel_size, kernel_size)
        self.weight = nn.Parameter(torch.zeros(len(places), kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.zeros(len(inputs)))
        self.register_buffer("places", torch.tensor(places), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        maps, channels, height, width = self.shape
        dense = self.weight.new_zeros(maps * channels, height, width).index_copy(0, self.places, self.weight)
        return F.conv2d(x, dense.view(self.shape), self.bias)


def squash(x: Tensor) -> Tensor:
    """1.7159·tanh(2x/3), appendix A: it maps ±1 to ±1, where its curvature is greatest."""
    return 1.7159 * torch.tanh(x * (2 / 3))


def border(height: int, width: int) -> int:
    """The zeros around an image, in pixels: 28×28 becomes the paper's 32×32."""
    return 2 if min(height, width) < 32 else 0


def pooled_twice(size: int, padding: int) -> int:
    """What two rounds of 5×5 convolution and 2×2 pooling leave of ``size`` pixels: 5 of 32."""
    return ((size + 2 * padding - 4) // 2 - 4) // 2


SOURCE = "LeCun, Bottou, Bengio & Haffner 1998, section II.B"

CATALOG = (
    Model(
        name="lenet5",
        title=Text(
            en="LeNet-5 as written today",
            zh="LeNet-5 的现代写法",
        ),
        source=SOURCE,
        build=LeNet5,
        input_shape=(1, 28, 28),
        num_classes=10,
        notes=Text(
            en="The best first network for small grey images: ReLU and max-pooling; it learns in seconds on a laptop.",
            zh="小尺寸灰度图像的首选入门网络（ReLU 与最大池化）：在笔记本电脑上几秒就能学会。",
        ),
        smallest=12,
    ),
    Model(
        name="lenet5-1998",
        title=Text(
            en="LeNet-5 as it was in 1998",
            zh="1998 年原版 LeNet-5",
        ),
        source=SOURCE + " and appendix A",
        build=LeNet5Of1998,
        input_shape=(1, 32, 32),
        num_classes=10,
        notes=Text(
            en="The paper layer by layer (scaled tanh, sparse C3), with a linear output in place of its RBF units.",
            zh="逐层还原论文（缩放 tanh、稀疏连接的 C3），只是用线性输出层代替了论文中的 RBF 单元。",
        ),
        smallest=12,
    ),
)
