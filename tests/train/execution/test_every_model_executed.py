"""Every model of the catalogue, and some of torchvision's, gives executed what it gives as it is."""

from __future__ import annotations

import pytest
import torch

from etude.models.catalog import build_model, list_models
from etude.models.settings import settings_of

MODELS = list_models()
HEAVY = {"alexnet", "googlenet", "resnet34", "resnet50", "resnet101", "resnet152", "resnet110", "plain110"}
HEAVY |= {name for name in MODELS if name.startswith("vgg")}
NAMES = [pytest.param(name, marks=pytest.mark.slow if name in HEAVY else ()) for name in MODELS]
THEIRS = [pytest.param(name, marks=pytest.mark.slow) for name in ("mobilenet_v3_small", "squeezenet1_1")]


@pytest.mark.parametrize("name", NAMES)
def test_a_model_of_the_catalogue(name, same):
    side = max(16, MODELS[name].smallest)
    without = {"dropout": 0.0} if "dropout" in settings_of(MODELS[name]) else {}
    torch.manual_seed(0)
    net = build_model(name, (3, side, side), 5, **without)
    if name.startswith("vgg") and name != "vgg11":  # their classifiers are one, of a hundred million weights
        net.classifier = torch.nn.Linear(net.classifier[0].in_features, 5)
    net.double()  # no rounding hides a difference
    for layer in net.modules():
        if isinstance(layer, torch.nn.Dropout):
            layer.p = 0.0
    pictures = torch.randn(3, 3, side, side, dtype=torch.float64)
    assert same(net, pictures, rtol=1e-6, atol=1e-8).graph is not None  # none is left out by mistake


@pytest.mark.parametrize("name", THEIRS)
def test_a_model_of_torchvision(name, same):
    torchvision = pytest.importorskip("torchvision")
    torch.manual_seed(0)
    net = torchvision.models.get_model(name, num_classes=5).double()
    for layer in net.modules():
        if isinstance(layer, torch.nn.Dropout):
            layer.p = 0.0
    same(net, torch.randn(2, 3, 64, 64, dtype=torch.float64), rtol=1e-6, atol=1e-8)
