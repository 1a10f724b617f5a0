"""The dropout study: the twins differ by dropout alone."""

from __future__ import annotations

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
    (row,) = STUDY._module._train(3, 0.0, train, test, knobs)

    chance = torch.Generator().manual_seed(3)
    mine = torch.randperm(len(train[1]), generator=chance)[:300]
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
        loss = torch.nn.functional.cross_entropy(net(test[0]), test[1]).item()
    assert row["test_loss"] == pytest.approx(loss, rel=1e-4)


def test_the_twins_begin_alike_and_end_apart():
    rows = STUDY.run(seeds=1, **STUDY.quick)
    (without,) = rows.where(kind="end", dropout="without")
    (with_it,) = rows.where(kind="end", dropout="with")
    assert without["train_loss"] != with_it["train_loss"]
    assert without["gap"] == pytest.approx(without["train_accuracy"] - without["test_accuracy"])
