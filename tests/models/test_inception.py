"""GoogLeNet in étude's own loop: its auxiliary classifiers are trained, in training and nowhere else."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from etude.core.errors import EtudeError
from etude.models.catalog import build_model
from etude.models.inception import GoogLeNetOutputs
from etude.models.summary import count, layer_table
from etude.tasks.classification import Classification
from etude.train.fit import Epoch, Step, fit
from etude.train.recipe import Recipe


def pictures(count, side):
    chance = torch.Generator().manual_seed(3)
    labels = torch.arange(count) % 2
    return torch.randn(count, 3, side, side, generator=chance) + 2.0 * labels.view(-1, 1, 1, 1), labels


def by_hand(net, batches, epochs):
    """The losses of a loop as a learner would write it, with the paper's 0.3 for each auxiliary classifier."""
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=0.0)
    losses = []
    for _ in range(epochs):
        for inputs, labels in batches:
            optimizer.zero_grad()
            logits, aux2, aux1 = net.train()(inputs)
            loss = F.cross_entropy(logits, labels)
            loss = loss + 0.3 * F.cross_entropy(aux2, labels) + 0.3 * F.cross_entropy(aux1, labels)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return losses


@pytest.mark.parametrize("engine", ["plain", "auto"])
@pytest.mark.parametrize("side", [15, 40])  # 15 pixels leave one to the middle of the network, 40 leave four
def test_the_loop_trains_it_as_torchvision_s_is_trained_by_hand(side, engine):
    models = pytest.importorskip("torchvision.models")
    torch.manual_seed(0)
    theirs = models.GoogLeNet(num_classes=2, init_weights=True, dropout=0.0, dropout_aux=0.0)
    net = build_model("googlenet", (3, side, side), 2, dropout=0.0, dropout_aux=0.0)
    net.load_state_dict(theirs.state_dict(), strict=True)
    batches = DataLoader(TensorDataset(*pictures(24, side)), batch_size=8)
    recipe = Recipe(
        epochs=3,
        batch_size=8,
        optimizer="adamw",
        learning_rate=1e-3,
        weight_decay=0.0,
        schedule="constant",
        device="cpu",
        precision="float32",
        engine=engine,
    )
    records = list(fit(Classification(net), (batches, batches), recipe))
    losses = [record.losses["model"].item() for record in records if isinstance(record, Step)]
    expected = by_hand(theirs, batches, epochs=3)
    if engine == "plain":
        assert losses == expected
    else:
        # batch norms over eight maps of one pixel make rounding grow from step to step
        assert losses[0] == pytest.approx(expected[0], rel=1e-4)
        assert losses[:2] == pytest.approx(expected[:2], rel=0.1)
    # before anything is learnt all three classifiers guess between two classes
    assert losses[0] == pytest.approx(1.6 * math.log(2), rel=0.05)
    assert sum(losses[-3:]) < 0.6 * sum(losses[:3])
    epochs = [record for record in records if isinstance(record, Epoch)]
    with torch.no_grad():
        logits = torch.cat([net.eval()(inputs) for inputs, _ in batches])  # the network is the trained one
    expected_loss = F.cross_entropy(logits, torch.cat([labels for _, labels in batches])).item()
    assert epochs[-1].validation["loss"] == pytest.approx(expected_loss, rel=1e-3)


def test_training_gives_three_classifiers_and_evaluation_one():
    torch.manual_seed(0)
    net = build_model("googlenet", (1, 28, 28), 4)
    x = torch.randn(2, 1, 28, 28)
    given = net.train()(x)
    assert isinstance(given, GoogLeNetOutputs)
    assert given._fields == ("logits", "aux_logits2", "aux_logits1")
    assert [tuple(logits.shape) for logits in given] == [(2, 4)] * 3
    assert isinstance(net.eval()(x), torch.Tensor)


def test_each_auxiliary_classifier_reaches_only_what_lies_below_it():
    torch.manual_seed(0)
    net = build_model("googlenet", (3, 16, 16), 4, dropout_aux=0.0).train()
    above = {
        "aux_logits1": {"aux2", "fc", "inception4b", "inception4c", "inception4d", "inception4e", "inception5a", "inception5b"},
        "aux_logits2": {"aux1", "fc", "inception4e", "inception5a", "inception5b"},
        "logits": {"aux1", "aux2"},
    }  # fmt: skip
    for output, untouched in above.items():
        net.zero_grad(set_to_none=True)
        F.cross_entropy(getattr(net(torch.randn(4, 3, 16, 16)), output), torch.tensor([0, 1, 2, 3])).backward()
        assert {name.split(".")[0] for name, p in net.named_parameters() if p.grad is None} == untouched


def test_summary_counts_what_only_training_uses():
    with torch.device("meta"):
        net, without = build_model("googlenet"), build_model("googlenet", aux_logits=False)
    rows = layer_table(net, (3, 224, 224))
    assert (sum(row.parameters for row in rows), sum(row.flops for row in rows)) == count(net, (3, 224, 224))
    added = [row for row in rows if not row.output_shape]
    assert [row.name for row in added] == [
        f"aux{number}.{layer}" for number in (1, 2) for layer in ("conv.conv", "conv.bn", "fc1", "fc2")
    ]
    assert rows[: -len(added)] == layer_table(without, (3, 224, 224))


def test_what_its_settings_refuse():
    with pytest.raises(EtudeError, match="3 channels"):
        build_model("googlenet", (1, 32, 32), 4, transform_input=True)
    with pytest.raises(EtudeError, match="dropout_aux"):
        build_model("googlenet", dropout_aux=1.0)
    with pytest.raises(EtudeError, match="true or false"):
        build_model("googlenet", aux_logits="no")
