"""Fully connected networks: without activation, with one, and with batch normalisation.

Rumelhart, Hinton & Williams (1986), "Learning representations by back-propagating errors", Nature 323.
Ioffe & Szegedy (2015), "Batch Normalization: Accelerating Deep Network Training by Reducing Internal
Covariate Shift", section 3.2: the normalisation stands between the linear map and the activation.
"""

from __future__ import annotations

from collections.abc import Sequence
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
    """Flattens the image, then Linear (BatchNorm) (activation) (Dropout) for each width, then Linear.

    Args:
        input_shape: ``(channels, height, width)`` of one image, any size.
        num_classes: the number of logits.
        widths: the number of units of each hidden layer; none at all gives softmax regression.
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
            if dropout:
                self.hidden.append(nn.Dropout(dropout))
            inputs = width
        self.output = nn.Linear(inputs, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.flatten(x)  # [n, channels·height·width]
        x = self.hidden(x)  # [n, widths[-1]]
        return self.output(x)  # [n, num_classes]
