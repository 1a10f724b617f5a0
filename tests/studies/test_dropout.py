"""The dropout study: the twins differ by dropout alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from etude.study.catalog import load_study

STUDY = load_study("dropout")


def test_without_dropout_it_is_a_plain_training_of_the_same_network():
    """The twin's first epoch, written out by hand with torch alone."""
    from etude.data.catalog import load_data

    knobs = STUDY.knobs(pictures=300, epochs=1, width=32)
    data = load_data("fashion-mnist")
    train, test = (STUDY._module._tensors(part, data) for part in (data.train, data.test))
    (row,) = STUDY._module._train(STUDY._module._network(3, 0.0, knobs), 3, train, test, knobs)

    chance = torch.Generator().manual_seed(3)
    mine = torch.randperm(len(train[1]), generator=chance)[:300]
    judged = torch.randperm(len(test[1]), generator=chance)[:3000]
    torch.manual_seed(3)
    net = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(784, 32), torch.nn.ReLU(), torch.nn.Linear(32, 32), torch.nn.ReLU(), torch.nn.Linear(32, 10),
    )  # fmt: skip
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    for step, batch in enumerate(torch.randperm(300, generator=chance).split(100)):
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * (1 + torch.cos(torch.tensor(torch.pi * step / 3)).item()) / 2
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(train[0][mine][batch]), train[1][mine][batch]).backward()
        optimizer.step()
    with torch.no_grad():
        loss = torch.nn.functional.cross_entropy(net(test[0][judged]), test[1][judged]).item()
    assert row["test_loss"] == pytest.approx(loss, rel=1e-4)


def test_the_twins_begin_alike_and_end_apart():
    rows = STUDY.run(seeds=1, **STUDY.quick)
    (without,) = rows.where(kind="end", dropout="without")
    (with_it,) = rows.where(kind="end", dropout="with")
    assert without["train_loss"] != with_it["train_loss"]
    assert without["gap"] == pytest.approx(without["train_accuracy"] - without["test_accuracy"])


def test_a_unit_in_training_is_dropped_or_doubled():
    """nn.Dropout(0.5): 0 or twice what it is in use, a fresh draw each time."""
    (row,) = STUDY.run(seeds=1, **STUDY.quick).where(kind="units")
    in_use, in_training = row["in_use"], row["in_training"]
    assert (in_use > 0).sum() > 8
    dropped = in_training == 0
    assert in_training[~dropped] == pytest.approx(np.broadcast_to(2 * in_use, dropped.shape)[~dropped])
    assert len({tuple(line) for line in dropped[:, in_use > 0].tolist()}) == 3


@pytest.mark.parametrize(
    "knobs",
    [{"rate": 0.9, "width": 8, "learning_rate": 0.05}, {"rate": 0.05, "epochs": 1, "learning_rate": 1e-5}],
)
def test_extreme_knobs_are_drawn_and_judged(knobs):
    rows = STUDY.run(seeds=2, **{"pictures": 100, "epochs": 8, **knobs})
    assert STUDY.figure(rows, "zh")._repr_png_()
    assert STUDY.verdict(rows).outcome != "holds"
