"""AlexNet, with torchvision's names and shapes, so that its weights load as they are.

Krizhevsky, Sutskever & Hinton (2012), "ImageNet Classification with Deep Convolutional Neural Networks", NIPS, is the
network that won ImageNet. torchvision's, and so this one, follows Krizhevsky (2014), "One weird trick for
parallelizing convolutional neural networks", arXiv:1404.5997. It departs from the network of 2012 in this:

- one tower, where that of 2012 was split over two GPUs, so that its convolutions 2, 4 and 5 saw half of the maps each;
- 64, 192, 384, 256 and 256 maps, where that of 2012 had 96, 256, 384, 384 and 256;
- no local response normalisation;
- dropout before each of the two hidden linear layers, where that of 2012 had it after them;
- weights begin as PyTorch's layers do, where those of 2012 began normal with a deviation of 0.01 and some biases at 1;
- the last maps are averaged to 6×6, which changes nothing at 224×224 pixels and lets other sizes in.
"""

from __future__ import annotations

from torch import Tensor, nn

from etude.core.text import Text
from etude.models.entry import Model, Shape


class AlexNet(nn.Module):
    """Five convolutions with three max-poolings, then three linear layers.

    The sizes at the line ends are those of 224×224 images.

    Args:
        input_shape: ``(channels, height, width)`` of one image, from 63×63 pixels on.
        num_classes: the number of logits.
        dropout: the probability of dropping an input of the two hidden linear layers, in training only.
    """

    def __init__(self, input_shape: Shape, num_classes: int, *, dropout: float = 0.5) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(input_shape[0], 64, kernel_size=11, stride=4, padding=2),  # [n, 64, 55, 55]
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2),  # [n, 64, 27, 27]
            nn.Conv2d(64, 192, kernel_size=5, padding=2),  # [n, 192, 27, 27]
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2),  # [n, 192, 13, 13]
            nn.Conv2d(192, 384, kernel_size=3, padding=1),  # [n, 384, 13, 13]
            nn.ReLU(inplace=True),
            nn.Conv2d(384, 256, kernel_size=3, padding=1),  # [n, 256, 13, 13]
            nn.ReLU(inplace=True),
            nn.Conv2d(256, 256, kernel_size=3, padding=1),  # [n, 256, 13, 13]
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2),  # [n, 256, 6, 6]
        )
        self.avgpool = nn.AdaptiveAvgPool2d(6)
        self.classifier = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(256 * 6 * 6, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
            nn.Linear(4096, num_classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.features(x)  # [n, 256, 6, 6]
        x = self.avgpool(x).flatten(1)  # [n, 9216]
        return self.classifier(x)  # [n, num_classes]


CATALOG = (
    Model(
        name="alexnet",
        title=Text(en="AlexNet in one tower", zh="AlexNet（单塔版）"),
        source="Krizhevsky 2014; Krizhevsky, Sutskever & Hinton 2012",
        build=AlexNet,
        input_shape=(3, 224, 224),
        num_classes=1000,
        notes=Text(
            en="The network that began it all, as torchvision has it: 96 % of its weights are in the linear layers.",
            zh="开启深度学习热潮的网络，与 torchvision 的版本一致：96% 的权重都在全连接层。",
        ),
        smallest=63,
    ),
)
