"""Fully connected networks: without activation, with one, and with batch normalisation.

Rumelhart, Hinton & Williams (1986), "Learning representations by back-propagating errors", Nature 323.
Ioffe & Szegedy (2015), "Batch Normalization: Accelerating Deep Network Training by Reducing Internal
Covariate Shift", section 3.2: the normalisation stands between the linear map and the activation.
"""

from __future__ import annotations

from functools import partial
from math import prod
from typing import Literal

from torch import Tensor, nn

from etude.core.text import Text
from etude.models.entry import Model, Shape

Activation = Literal["relu", "leaky_relu", "gelu", "silu", "tanh", "sigmoid", "none"]

LAYERS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}


class MLP(nn.Module):
    """Flattens an image, then Linear (BatchNorm) (activation) (Dropout) for each width, then Linear.

    Args:
        input_shape: ``(channels, height, width)`` of one image of any size, or ``(num_features,)`` of a row of a table.
        num_classes: the number of logits, or 1 for a number (regression).
        widths: the number of units of each hidden layer; none at all gives `etude.models.linear.LinearModel`.
        activation: after each hidden layer; with ``none`` the whole network is one linear map.
        batch_norm: normalise each hidden layer over the batch, before its activation.
        dropout: the probability of dropping a hidden unit, in training only.
    """

    def __init__(
        self,
        input_shape: Shape,
        num_classes: int,
        *,
        widths: tuple[int, ...] = (512, 256),
        activation: Activation = "relu",
        batch_norm: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.flatten = nn.Flatten()
        self.hidden = nn.Sequential()
        inputs = prod(input_shape)
        for width in widths:
            # the bias would be subtracted again with the batch's mean
            self.hidden.append(nn.Linear(inputs, width, bias=not batch_norm))
            if batch_norm:
                self.hidden.append(nn.BatchNorm1d(width))
            if activation != "none":
                self.hidden.append(LAYERS[activation]())
            self.hidden.append(nn.Dropout(dropout))
            inputs = width
        self.output = nn.Linear(inputs, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.flatten(x)  # [n, channels·height·width] or [n, num_features]
        x = self.hidden(x)  # [n, widths[-1]]
        return self.output(x)  # [n, num_classes]


SOURCE = "Rumelhart, Hinton & Williams 1986"

CATALOG = (
    Model(
        name="mlp",
        title=Text(en="fully connected network", zh="全连接网络（多层感知机）"),
        source=SOURCE,
        build=MLP,
        input_shape=(1, 28, 28),
        num_classes=10,
        notes=Text(
            en="It sees an image as a row of numbers, so it takes tables too; any number of layers of any width.",
            zh="把图像看成一行数字，因此也能处理表格；层数与宽度任意。",
        ),
        takes_tables=True,
        gives_numbers=True,
    ),
    Model(
        name="mlp-plain",
        title=Text(en="MLP without activations", zh="不带激活函数的全连接网络"),
        source=SOURCE,
        build=partial(MLP, activation="none", batch_norm=False),
        input_shape=(1, 28, 28),
        num_classes=10,
        notes=Text(
            en="However many layers it has, it can only be one linear map: the reason for activations.",
            zh="无论有多少层，它都只等价于一个线性变换：这正是需要激活函数的原因。",
        ),
        takes_tables=True,
        gives_numbers=True,
    ),
    Model(
        name="mlp-bn",
        title=Text(en="MLP with batch norm", zh="带批量归一化的全连接网络"),
        source="Ioffe & Szegedy 2015, section 3.2",
        build=partial(MLP, batch_norm=True),
        input_shape=(1, 28, 28),
        num_classes=10,
        notes=Text(
            en="It bears larger learning rates than mlp and learns in fewer epochs.",
            zh="与 mlp 相比，可以使用更大的学习率，用更少的轮数学会。",
        ),
        takes_tables=True,
        gives_numbers=True,
    ),
)
