"""The head found, the rest frozen, and left alone in training."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from etude.core.errors import EtudeError
from etude.models.catalog import build_model, list_models
from etude.train.heads import find_head, freeze_below_head, set_training

CLASSES = 7  # a number that no layer below a head has
HEADS = {
    "resnet18": "fc", "vgg11": "classifier.6", "alexnet": "classifier.6", "squeezenet1_1": "classifier.1",
    "densenet121": "classifier", "vit_b_32": "heads.head", "swin_t": "head", "convnext_tiny": "classifier.2",
    "mobilenet_v3_small": "classifier.3", "efficientnet_b0": "classifier.1", "maxvit_t": "classifier.5",
    "inception_v3": "fc", "googlenet": "fc", "shufflenet_v2_x0_5": "fc", "mnasnet0_5": "classifier.1",
}  # fmt: skip


@pytest.mark.parametrize("name", list_models())
def test_the_head_of_every_model_gives_the_logits(name):
    model = list_models()[name]
    with torch.device("meta"):
        net = build_model(name, model.input_shape, CLASSES)
    head = find_head(net)
    if head is None:  # a linear model is all head
        assert sum(isinstance(module, nn.Linear | nn.Conv2d) for module in net.modules()) == 1
    else:
        assert net.get_submodule(head).weight.shape[0] == CLASSES


@pytest.mark.filterwarnings("ignore::FutureWarning")  # of how torchvision will initialise two of them
@pytest.mark.parametrize("name", HEADS)
def test_the_head_of_torchvisions_models(name):
    import torchvision

    with torch.device("meta"):
        net = getattr(torchvision.models, name)(weights=None)
    assert find_head(net) == HEADS[name]
    assert net.get_submodule(HEADS[name]).weight.shape[0] == 1000


def test_a_model_of_one_layer_has_no_backbone():
    assert find_head(nn.Linear(4, 3)) is None
    assert find_head(nn.Sequential(nn.Flatten(), nn.Linear(4, 3))) is None
    assert find_head(nn.ReLU()) is None
    with pytest.raises(EtudeError, match="nothing to freeze"):
        freeze_below_head(nn.Linear(4, 3))


def test_only_the_head_learns_and_frozen_norms_stay_as_they_are(make):
    net = make.net(dropout=0.5)
    net.insert(
        2, nn.BatchNorm2d(8, affine=False)
    )  # has nothing that could be trained, and a state all the same
    freeze_below_head(net)
    before = {name: t.clone() for name, t in net.state_dict().items()}
    optimizer = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=0.1)
    for _ in range(3):
        set_training(net)
        optimizer.zero_grad()
        net(torch.randn(8, 1, 12, 12)).square().sum().backward()
        optimizer.step()
    head = find_head(net)
    changed = {name for name, t in net.state_dict().items() if not torch.equal(t, before[name])}
    assert changed == {f"{head}.weight", f"{head}.bias"}
    assert [m.training for m in net.modules() if isinstance(m, nn.Dropout)] == [True]


def test_without_anything_frozen_it_is_ordinary_training_mode(make):
    net = make.net().eval()
    set_training(net)
    assert all(module.training for module in net.modules())


def test_a_norm_that_is_not_frozen_goes_on_learning(make):
    net = make.net()
    net[0].requires_grad_(False)
    set_training(net)
    assert not net[0].training
    assert net[1].training
    assert net.training
