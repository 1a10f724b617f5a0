"""Metrics and predictions from one pass over the data are those of two."""

import pytest
import torch

from etude.tasks.classification import Classification
from etude.tasks.regression import Regression


class Counting(torch.nn.Linear):
    calls = 0

    def forward(self, x):
        self.calls += 1
        return super().forward(x)


@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_one_pass_gives_what_two_give(kind):
    torch.manual_seed(0)
    if kind == "classification":
        model = Counting(4, 3)
        task = Classification(model, label_smoothing=0.1)
        batches = [(torch.randn(n, 4), torch.randint(3, (n,))) for n in (5, 2)]
    else:
        model = Counting(4, 1)
        task = Regression(model, 2.0, 3.0)
        batches = [(torch.randn(n, 4), torch.randn(n)) for n in (5, 2)]
    with torch.inference_mode():
        metrics, predicted = task.evaluate_and_predict(batches)
        assert model.calls == len(batches)
        assert metrics == task.evaluate(batches)
        for one, other in zip(predicted, task.predict(batches), strict=True):
            assert torch.equal(one, other)
