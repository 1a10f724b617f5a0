"""Weights of torchvision: the right file, checked, and what to do where the network forbids. No network is used."""

from __future__ import annotations

import hashlib
from types import SimpleNamespace

import pytest
import torch
import torchvision

from etude.core.errors import EtudeError
from etude.train import pretrained
from etude.train.pretrained import pretrained_weights
from etude.train.torchvision_models import build_any_model
from etude.train.torchvision_weights import default_weights, hash_in, list_torchvision_models
from etude.train.weight_files import read_weights
from etude.train.weights import apply_weights


@pytest.fixture(autouse=True)
def own_caches(tmp_path, monkeypatch):
    monkeypatch.setenv("ETUDE_CACHE", str(tmp_path / "cache"))
    torch_hub = tmp_path / "hub"
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(torch_hub))
    return tmp_path


def serve(tmp_path, monkeypatch, kind: str, where: str):
    """Weights of ``kind``, in ``where``, under a name that has the right hash; the network that made them."""
    net = getattr(torchvision.models, kind)(weights=None, num_classes=1000)
    made = tmp_path / "made.pth"
    torch.save(net.state_dict(), made)
    name = f"{kind}-{hashlib.sha256(made.read_bytes()).hexdigest()[:8]}.pth"
    (tmp_path / where).mkdir(parents=True)
    made.rename(tmp_path / where / name)
    real = default_weights(kind)
    facts = SimpleNamespace(url=f"https://localhost:1/{name}", transforms=real.transforms, meta=real.meta)
    monkeypatch.setattr(pretrained, "default_weights", lambda _: facts)
    return net.eval(), tmp_path / where / name


@pytest.mark.parametrize("where", ["cache/weights", "hub/checkpoints"])
@pytest.mark.parametrize("model", ["squeezenet1_1", "torchvision:squeezenet1_1"])
def test_a_file_that_is_there_is_used_without_the_network(tmp_path, monkeypatch, where, model):
    net, path = serve(tmp_path, monkeypatch, "squeezenet1_1", where)
    weights = pretrained_weights(model)
    assert weights.where == path.name
    assert weights.image_size == 224
    assert weights.normalisation == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    mine = build_any_model("torchvision:squeezenet1_1", (3, 64, 64), 1000).eval()
    assert apply_weights(mine, weights.tensors, weights.where) == []
    x = torch.randn(2, 3, 64, 64)
    assert torch.equal(mine(x), net(x))


def test_a_file_with_another_content_is_not_used(tmp_path, monkeypatch):
    _, path = serve(tmp_path, monkeypatch, "squeezenet1_1", "cache/weights")
    path.write_bytes(b"something else")
    with pytest.raises(
        EtudeError, match=rf"download https://localhost:1/{path.name}.* --weights {path.name}.*lenet5"
    ):
        pretrained_weights("squeezenet1_1")


def test_etudes_resnets_are_told_to_take_the_stem_of_the_weights(tmp_path, monkeypatch):
    net, _ = serve(tmp_path, monkeypatch, "resnet18", "cache/weights")
    weights = pretrained_weights("resnet18")
    assert weights.settings == {"stem": "imagenet"}
    mine = build_any_model("resnet18", (3, 64, 64), 1000, **weights.settings).eval()
    apply_weights(mine, weights.tensors, weights.where)
    x = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(mine(x), net(x))


@pytest.mark.parametrize("kind", ["googlenet", "inception_v3"])
def test_the_two_with_an_input_transform_are_normalised_for_it(kind, tmp_path, monkeypatch):
    """What torchvision's pretrained network sees of a picture is what this one sees."""
    monkeypatch.setattr(pretrained, "_downloaded", lambda *_: tmp_path / "x.pth")
    monkeypatch.setattr(pretrained, "weights_of_file", lambda _: SimpleNamespace(tensors={}))
    mean, std = pretrained_weights(kind).normalisation
    picture = torch.rand(1, 3, 8, 8)
    theirs = getattr(torchvision.models, kind)(weights=None, init_weights=False, transform_input=True)
    imagenet = torchvision.transforms.functional.normalize(
        picture, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    )
    mine = torchvision.transforms.functional.normalize(picture, list(mean), list(std))
    torch.testing.assert_close(mine, theirs._transform_input(imagenet), rtol=1e-5, atol=1e-5)


def test_a_model_without_any_is_told_of_those_that_have():
    with pytest.raises(EtudeError, match=r"no pretrained weights for mlp.*lenet5"):
        pretrained_weights("mlp")


def test_every_file_of_torchvision_has_its_hash_in_its_name():
    for kind in list_torchvision_models():
        name = default_weights(kind).url.rpartition("/")[2]
        assert hash_in(name), name


def test_a_published_file_given_by_hand_is_used_as_pretrained_weights_are(tmp_path):
    """Known by its name, so that its pictures are normalised alike; an older file than the default one too."""
    for kind, name in (("resnet18", "resnet18-f37072fd.pth"), ("resnet50", "resnet50-0676ba61.pth")):
        torch.save({"fc.weight": torch.zeros(2, 2)}, tmp_path / name)
        weights = read_weights(tmp_path / name)
        assert weights.normalisation == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
        assert (weights.model, weights.image_size, weights.settings) == (kind, 224, {"stem": "imagenet"})
    torch.save({"fc.weight": torch.zeros(2, 2)}, tmp_path / "swin_t-704ceda3.pth")
    assert read_weights(tmp_path / "swin_t-704ceda3.pth").model == "torchvision:swin_t"
