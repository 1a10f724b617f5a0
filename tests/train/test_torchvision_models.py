"""torchvision's classifiers by name."""

from __future__ import annotations

import pytest
import torch
import torchvision

from etude.core.errors import EtudeError
from etude.models.catalog import find_model
from etude.models.summary import count
from etude.tasks.classification import Classification
from etude.train.torchvision_models import (
    build_any_model,
    find_any_model,
)
from etude.train.torchvision_weights import PREFIX, list_torchvision_models

SMALL = {
    "resnet18": (3, 32, 32), "squeezenet1_1": (1, 32, 32), "mobilenet_v3_small": (1, 32, 32), "alexnet": (3, 64, 64),
    "densenet121": (1, 32, 32), "googlenet": (3, 64, 64), "inception_v3": (3, 96, 96),
    "vit_b_32": (1, 64, 64), "swin_t": (1, 64, 64), "shufflenet_v2_x0_5": (3, 32, 32),
}  # fmt: skip


def test_all_of_torchvisions_classifiers_are_listed():
    assert set(list_torchvision_models()) == set(torchvision.models.list_models(module=torchvision.models))
    assert {"resnet18", "vit_b_16"} <= set(list_torchvision_models())


@pytest.mark.parametrize("name", SMALL)
def test_one_learns_from_pictures_of_any_channels(name):
    torch.manual_seed(0)
    model = build_any_model(PREFIX + name, SMALL[name], 5)
    task = Classification(model.train())
    (part,) = task.parts((torch.randn(4, *SMALL[name]), torch.tensor([0, 1, 2, 4])))
    part.loss().backward()
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    assert gradients
    assert all(g.isfinite().all() for g in gradients)
    assert model.eval()(torch.randn(2, *SMALL[name])).shape == (2, 5)


def test_it_is_torchvisions_own():
    torch.manual_seed(0)
    mine = build_any_model("torchvision:resnet18", (3, 64, 64), 10)
    torch.manual_seed(0)
    theirs = torchvision.models.resnet18(weights=None, num_classes=10)
    x = torch.randn(2, 3, 64, 64)
    assert torch.equal(mine.eval()(x), theirs.eval()(x))


@pytest.mark.slow
def test_inception_has_its_auxiliary_classifier_at_its_own_size():
    assert build_any_model("torchvision:inception_v3", (3, 299, 299), 5).AuxLogits is not None


def test_facts_for_the_table_of_models():
    model = find_any_model("torchvision:resnet18")
    assert model.input_shape == (3, 224, 224)
    assert model.num_classes == 1000
    assert "1512.03385" in model.source
    assert find_any_model("lenet5") is find_model("lenet5")
    for name, millions in (
        ("resnet18", 11.69),
        ("regnet_y_400mf", 4.34),
    ):  # as torchvision's documentation has it
        with torch.device("meta"):
            net = build_any_model(PREFIX + name, (3, 224, 224), 1000)
        parameters, flops = count(net, (3, 224, 224))
        gflops = torchvision.models.get_model_weights(name).DEFAULT.meta["_ops"]
        assert parameters / 1e6 == pytest.approx(millions, abs=0.01)
        assert flops / 2e9 == pytest.approx(gflops, rel=0.02)


def test_dropout_is_a_setting_where_there_is_one():
    model = build_any_model("torchvision:alexnet", (3, 64, 64), 5, dropout=0.1)
    assert {m.p for m in model.modules() if isinstance(m, torch.nn.Dropout)} == {0.1}
    with pytest.raises(EtudeError, match="no dropout"):
        build_any_model("torchvision:resnet18", (3, 64, 64), 5, dropout=0.1)


@pytest.mark.parametrize(
    ("name", "shape", "words"),
    [
        ("torchvision:resnet17", (3, 64, 64), "did you mean torchvision:resnet18"),
        ("torchvision:fcn_resnet50", (3, 64, 64), "segmentation"),
        ("torchvision:fasterrcnn_resnet50_fpn", (3, 64, 64), "detection"),
        ("torchvision:r3d_18", (3, 64, 64), "video"),
        ("torchvision:quantized_resnet18", (3, 64, 64), "quantization"),
        ("torchvision:", (3, 64, 64), "choose one of|did you mean"),
        ("torchvision:vit_b_16", (3, 60, 60), "--image-size 224"),
        ("torchvision:vit_b_16", (3, 64, 32), "--image-size 224"),
        ("torchvision:maxvit_t", (3, 64, 64), "--image-size 224"),
        ("torchvision:inception_v3", (3, 32, 32), "--image-size 299"),
        ("torchvision:alexnet", (3, 28, 28), "--image-size 224"),
        ("torchvision:resnet18", (13,), "not examples of shape"),
        ("torchvision:resnet18", (3, 64, 64, 0), "not examples of shape"),
    ],
)
def test_what_cannot_be_is_told_in_a_sentence(name, shape, words):
    with pytest.raises(EtudeError, match=words):
        build_any_model(name, shape, 5)
