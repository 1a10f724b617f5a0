"""Labels beyond the classes are told before a device sees them, by comparing two numbers."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import etude.tasks.classification as classification
from etude.core.errors import EtudeError
from etude.tasks.classification import Classification, label_range


def loss_of(task: Classification, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    (part,) = task.parts((logits, labels))
    return part.loss()


@pytest.mark.parametrize("device", ["cpu", "meta"])  # meta: no number can be read, as of a GPU nobody waits for
@pytest.mark.parametrize("known", [(0, 7), (-1, 2)])
def test_known_labels_are_compared_without_reading_the_batch(device, known):
    task = Classification(nn.Identity())
    task.label_range = known
    logits, labels = torch.zeros(2, 3, device=device), torch.zeros(2, dtype=torch.int64, device=device)
    with pytest.raises(EtudeError, match=f"from {known[0]} to {known[1]}"):
        loss_of(task, logits, labels)
    with pytest.raises(EtudeError, match=f"num_classes={known[1] + 1}"):
        task.evaluate([(logits, labels)])


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_those_that_fit_pass(device):
    task = Classification(nn.Identity())
    task.label_range = 0, 2
    assert (
        loss_of(task, torch.zeros(2, 3, device=device), torch.zeros(2, dtype=torch.int64, device=device)).ndim
        == 0
    )


def test_labels_that_nothing_is_known_of_are_read_once(monkeypatch):
    read = []
    monkeypatch.setattr(classification, "label_range", lambda labels: read.append(labels) or (0, 2))
    task = Classification(nn.Identity())
    for _ in range(3):  # the engine makes a task anew for each step
        computed = task.computed_by({"model": nn.Identity()})
        loss_of(computed, torch.zeros(2, 3, device="meta"), torch.zeros(2, dtype=torch.int64, device="meta"))
    assert len(read) == 1
    assert task.label_range == (0, 2)


def test_shares_of_classes_have_no_range():
    task = Classification(nn.Identity())
    task.label_range = 0, 7
    shares = torch.tensor([[0.5, 0.5, 0.0]])
    assert loss_of(task, torch.zeros(1, 3), shares).item() == pytest.approx(torch.tensor(3.0).log().item())


def test_the_range_leaves_out_what_torch_leaves_out():
    assert label_range(torch.tensor([4, -100, 1])) == (1, 4)
    assert label_range(torch.tensor([-100])) == label_range(torch.tensor([], dtype=torch.int64)) == (0, 0)
    assert label_range(torch.tensor([-1, 3])) == (-1, 3)
    task = Classification(nn.Identity())
    found = loss_of(task, torch.eye(3), torch.tensor([0, -100, 2])).item()
    assert found == pytest.approx(
        torch.nn.functional.cross_entropy(torch.eye(3)[[0, 2]], torch.tensor([0, 2])).item()
    )
