"""What the tests of the report share."""

from __future__ import annotations

import pytest


@pytest.fixture
def epoch_records():
    """Records of so many epochs of ten steps: loss and accuracy get better from step to step."""

    def make(epochs):
        records = []
        for step in range(1, 10 * epochs + 1):
            epoch, loss = (step - 1) // 10, {"model": 2 / step}
            records.append({"kind": "step", "step": step, "epoch": epoch, "loss": loss, "learning_rate": 0.1})
            if step % 10 == 0:
                judged = {"loss": 2.5 / step, "accuracy": 1 - 1 / step}
                line = {"kind": "epoch", "step": step, "epoch": epoch, "train": {"loss": 2 / step}}
                records.append(line | {"validation": judged})
        return records

    return make
