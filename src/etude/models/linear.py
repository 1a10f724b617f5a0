"""The linear models: linear regression and logistic regression, one layer each.

Linear regression: Legendre (1805), "Nouvelles méthodes pour la détermination des orbites des comètes", and Gauss (1809),
"Theoria motus", for the least squares; Galton (1886), "Regression towards Mediocrity in Hereditary Stature", for the
name. Logistic regression: Cox (1958), "The Regression Analysis of Binary Sequences", for two classes; for more of them,
as here, see Bishop (2006), "Pattern Recognition and Machine Learning", section 4.3.4 (multinomial, or softmax).
"""

from __future__ import annotations

from math import prod

from torch import Tensor, nn

from etude.core.text import Text
from etude.models.entry import Model, Shape


class LinearModel(nn.Module):
    """A weighted sum of all inputs and a bias, for each output.

    What it is depends on the loss: with the mean squared error of one output it is linear regression, with the
    cross-entropy of some logits it is multinomial logistic regression. (With softmax, one of its rows of weights is
    more than is needed: adding the same to every logit changes nothing. For two classes, the difference of the two rows
    is what Cox's model has.)

    Args:
        input_shape: ``(channels, height, width)`` of one image of any size, or ``(num_features,)`` of a row of a table.
        num_classes: the number of logits, or 1 for a number (regression).
    """

    def __init__(self, input_shape: Shape, num_classes: int) -> None:
        super().__init__()
        self.flatten = nn.Flatten()
        self.output = nn.Linear(prod(input_shape), num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.flatten(x)  # [n, channels·height·width] or [n, num_features]
        return self.output(x)  # [n, num_classes]


CATALOG = (
    Model(
        name="linear",
        title=Text(en="linear regression", zh="线性回归"),
        source="Legendre 1805; Gauss 1809; Galton 1886",
        build=LinearModel,
        input_shape=(1,),
        num_classes=1,
        notes=Text(
            en="The first thing to try where a number is wanted: what a larger model gains is measured from here.",
            zh="需要预测数值时首先该试的模型：更大的模型有多少提升，都以它为起点来衡量。",
        ),
        takes_tables=True,
        gives_numbers=True,
    ),
    Model(
        name="logistic",
        title=Text(en="logistic regression", zh="逻辑回归（softmax）"),
        source="Cox 1958",
        build=LinearModel,
        input_shape=(1, 28, 28),
        num_classes=10,
        notes=Text(
            en="The first thing to try where classes are to be told apart: one template of weights for each class.",
            zh="需要区分类别时首先该试的模型：每个类别对应一组权重，可看作一张模板。",
        ),
        takes_tables=True,
    ),
)
