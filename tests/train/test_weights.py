"""Weights from elsewhere: what fits is taken, what does not is told."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from etude.core.errors import EtudeError
from etude.models.catalog import build_model
from etude.train.weights import apply_weights


def resnet(channels: int = 3, classes: int = 10, seed: int = 1) -> nn.Module:
    torch.manual_seed(seed)
    net = build_model("resnet20", (channels, 16, 16), classes)
    for module in net.modules():  # statistics that are not those of a new network
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    return net


def same(model: nn.Module, other: nn.Module, channels: int = 3) -> None:
    x = torch.randn(4, channels, 16, 16)
    torch.testing.assert_close(model.eval()(x), other.eval()(x), rtol=0, atol=0)


@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "model.", "module._orig_mod."])
def test_all_of_it_whatever_it_was_wrapped_in(prefix):
    source, target = resnet(seed=1), resnet(seed=2)
    tensors = {prefix + name: t for name, t in source.state_dict().items()}
    assert apply_weights(target, tensors, "file") == []
    same(target, source)


def test_counters_may_be_missing_and_averages_bring_one():
    source, target = resnet(seed=1), resnet(seed=2)
    tensors = {f"module.{n}": t for n, t in source.state_dict().items() if "num_batches" not in n}
    apply_weights(target, tensors | {"n_averaged": torch.tensor(3)}, "file")
    same(target, source)


def test_half_precision_is_widened():
    source, target = resnet(seed=1).half().float(), resnet(seed=2)
    apply_weights(
        target, {name: t.half() if t.is_floating_point() else t for name, t in source.state_dict().items()}, "f"
    )
    assert target.fc.weight.dtype == torch.float32
    same(target, source)


def test_a_head_of_another_size_begins_anew():
    source, target = resnet(seed=1), resnet(classes=4, seed=2)
    fresh = target.fc.weight.clone()
    (told,) = apply_weights(target, source.state_dict(), "cifar")
    assert "10 outputs" in told.en
    assert "4" in told.en
    assert "重新初始化" in told.zh
    assert torch.equal(target.fc.weight, fresh)
    torch.testing.assert_close(target.stage3[2].conv2.weight, source.stage3[2].conv2.weight)
    torch.testing.assert_close(target.bn1.running_var, source.bn1.running_var)


def test_a_file_without_a_head():
    source, target = resnet(seed=1), resnet(seed=2)
    tensors = {name: t for name, t in source.state_dict().items() if not name.startswith("fc.")}
    (told,) = apply_weights(target, tensors, "backbone")
    assert "no last layer (fc)" in told.en


def test_colour_to_grey_answers_a_grey_picture_as_before():
    source, target = resnet(3, seed=1), resnet(1, seed=2)
    (told,) = apply_weights(target, source.state_dict(), "colour")
    assert "conv1.weight" in told.en
    x = torch.randn(4, 1, 16, 16)
    torch.testing.assert_close(target.eval()(x), source.eval()(x.expand(-1, 3, -1, -1)), rtol=1e-4, atol=1e-4)


def test_grey_to_colour_answers_a_grey_picture_as_before():
    source, target = resnet(1, seed=1), resnet(3, seed=2)
    assert len(apply_weights(target, source.state_dict(), "grey")) == 1
    x = torch.randn(4, 1, 16, 16)
    torch.testing.assert_close(target.eval()(x.expand(-1, 3, -1, -1)), source.eval()(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.pop("stage1.0.conv1.weight"), "'stage1.0.conv1.weight' is missing"),
        (lambda t: t.pop("bn1.running_mean"), "'bn1.running_mean' is missing"),
        (lambda t: t.update(extra=torch.zeros(1)), "no place for 'extra'"),
        (lambda t: t.update({"stage1.0.conv1.weight": torch.zeros(2)}), r"has shape \[2\]"),
        (lambda t: t.update({"fc.weight": torch.zeros(10, 99)}), r"'fc.weight' has shape \[10, 99\]"),
        (lambda t: t.pop("fc.bias"), "'fc.bias' is missing"),
    ],
)
def test_anything_else_is_refused_and_nothing_is_changed(change, words):
    source, target = resnet(seed=1), resnet(seed=2)
    before = {name: t.clone() for name, t in target.state_dict().items()}
    tensors = dict(source.state_dict())
    change(tensors)
    with pytest.raises(EtudeError, match=words):
        apply_weights(target, tensors, "file")
    assert all(torch.equal(t, before[name]) for name, t in target.state_dict().items())


def test_weights_of_another_model_say_how_many_differ():
    other = build_model("resnet32", (3, 16, 16), 10)
    with pytest.raises(EtudeError, match=r"'stage1.3.conv1.weight' is missing \(and \d+ more"):
        apply_weights(other, resnet().state_dict(), "resnet20")


def test_tied_weights_are_taken_under_either_name():
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second, self.head = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 2)
            self.second.weight = self.first.weight

    source, target = Tied(), Tied()
    for left_out in ("first.weight", "second.weight", None):
        tensors = {name: t for name, t in source.state_dict().items() if name != left_out}
        apply_weights(target, tensors, "tied")
        torch.testing.assert_close(target.second.weight, source.first.weight)


@pytest.mark.parametrize("name", ["densenet121", "vit_b_32"])
def test_names_of_old_files_of_torchvision(name):
    """What torchvision's own load_state_dict renames is renamed here too."""
    import re

    import torchvision

    build = getattr(torchvision.models, name)
    source, target = build(weights=None, num_classes=5), build(weights=None, num_classes=5)
    old = {re.sub(r"(norm|conv)([12])\.(?=\w+$)", r"\1.\2.", n) if "denselayer" in n else n: t
           for n, t in source.state_dict().items()}  # fmt: skip
    old = {n.replace("mlp.0.", "mlp.linear_1.").replace("mlp.3.", "mlp.linear_2."): t for n, t in old.items()}
    assert old.keys() != source.state_dict().keys()
    apply_weights(target, old, "old")
    for key, tensor in target.state_dict().items():
        assert torch.equal(tensor, source.state_dict()[key])


def test_auxiliary_classifiers_may_differ():
    import torchvision

    source = torchvision.models.googlenet(weights=None, num_classes=9, init_weights=False)
    target = torchvision.models.googlenet(weights=None, num_classes=4, init_weights=False)
    told = apply_weights(target, source.state_dict(), "googlenet")
    assert [("auxiliary" in each.en, "last layer" in each.en) for each in told] == [
        (True, False),
        (False, True),
    ]
    without = torchvision.models.googlenet(weights=None, num_classes=9, init_weights=False, aux_logits=False)
    assert apply_weights(without, source.state_dict(), "googlenet") == []
    x = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(without.eval()(x), source.eval()(x))
