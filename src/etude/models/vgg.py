"""VGG-11, 13, 16 and 19, with torchvision's names and shapes, so that its weights load as they are.

Simonyan & Zisserman (2015), "Very Deep Convolutional Networks for Large-Scale Image Recognition", ICLR, table 1,
columns A, B, D and E (not A-LRN, nor C with its 1×1 convolutions). As in torchvision, it departs from the paper in this:

- the ``_bn`` networks normalise over the batch after each convolution (Ioffe & Szegedy 2015), which came after it;
- weights begin as in He et al. (2015), "Delving Deep into Rectifiers", section 2.2 (fan-out), in the convolutions; the
  paper first trained the shallow network and began the deeper ones with its layers;
- the last maps are averaged to 7×7, which changes nothing at 224×224 pixels and lets other sizes in.
"""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

from etude.core.text import Text
from etude.models.entry import Model, Shape

# table 1: how many 3×3 convolutions each of the five stages has
CONVOLUTIONS = {
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}
CHANNELS = (64, 128, 256, 512, 512)


class VGG(nn.Module):
    """Five stages of 3×3 convolutions, each halved by max-pooling, then three linear layers.

    The sizes at the line ends are those of 224×224 images.

    Args:
        input_shape: ``(channels, height, width)`` of one image, from 32×32 pixels on.
        num_classes: the number of logits.
        depth: the number of layers with weights: 11, 13, 16 or 19.
        batch_norm: normalise over the batch after each convolution, before its activation (not in the paper).
        dropout: the probability of dropping a unit of the two hidden linear layers, in training only.
    """

    def __init__(
        self, input_shape: Shape, num_classes: int, *, depth: int, batch_norm: bool, dropout: float = 0.5
    ) -> None:
        super().__init__()
        self.features = convolutions(input_shape[0], depth, batch_norm)
        self.avgpool = nn.AdaptiveAvgPool2d(7)
        self.classifier = nn.Sequential(
            nn.Linear(512 * 7 * 7, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(4096, num_classes),
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, 0, 0.01)
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        x = self.features(x)  # [n, 512, 7, 7]
        x = self.avgpool(x).flatten(1)  # [n, 25088]
        return self.classifier(x)  # [n, num_classes]


def convolutions(in_channels: int, depth: int, batch_norm: bool) -> nn.Sequential:
    """The five stages; after them 64, 128, 256, 512, 512 maps of 112, 56, 28, 14, 7 pixels a side."""
    layers = nn.Sequential()
    for channels, count in zip(CHANNELS, CONVOLUTIONS[depth]):
        for _ in range(count):
            layers.append(nn.Conv2d(in_channels, channels, kernel_size=3, padding=1))
            if batch_norm:
                layers.append(nn.BatchNorm2d(channels))
            layers.append(nn.ReLU(inplace=True))
            in_channels = channels
        layers.append(nn.MaxPool2d(kernel_size=2, stride=2))
    return layers


def _entry(depth: int, batch_norm: bool, notes: Text) -> Model:
    with_bn = Text(en=f"VGG-{depth} with batch norm", zh=f"带批量归一化的 VGG-{depth}")
    return Model(
        name=f"vgg{depth}_bn" if batch_norm else f"vgg{depth}",
        title=with_bn if batch_norm else Text(en=f"VGG-{depth}", zh=f"VGG-{depth}"),
        source="Simonyan & Zisserman 2015" + ("; Ioffe & Szegedy 2015" if batch_norm else ", table 1"),
        build=partial(VGG, depth=depth, batch_norm=batch_norm),
        input_shape=(3, 224, 224),
        num_classes=1000,
        notes=notes,
        smallest=32,
    )


PLAIN = Text(
    en="Nothing but 3×3 convolutions: easy to read, heavy to run; from scratch it learns better with batch norm.",
    zh="只用 3×3 卷积：结构清晰，计算量大；从头训练时，带批量归一化的版本更好学。",
)
NORMALISED = Text(
    en="It learns from scratch with larger learning rates than the network without batch norm.",
    zh="与不带批量归一化的版本相比，从头训练时可以使用更大的学习率。",
)

CATALOG = tuple(
    _entry(depth, batch_norm, NORMALISED if batch_norm else PLAIN)
    for depth in CONVOLUTIONS
    for batch_norm in (False, True)
)
