"""What holds for every model of the catalogue; a new file is tested by being there."""

from __future__ import annotations

import math
import re

import pytest
import torch
import torch.nn.functional as F

from etude.core.errors import EtudeError
from etude.models.catalog import build_model, list_models
from etude.models.settings import settings_of

MODELS = list_models()
# the code of resnet50 and of vgg11 at a greater depth; tests/models compares it with torchvision's
DEEPER = {"resnet101", "resnet152", *(f"vgg{depth}{bn}" for depth in (13, 16, 19) for bn in ("", "_bn"))}
HEAVY = {"alexnet", "vgg11", "vgg11_bn"}  # half a second and half a gigabyte each time they are built
NAMES = [
    pytest.param(name, marks=pytest.mark.slow if name in HEAVY else ()) for name in MODELS if name not in DEEPER
]

every_model = pytest.mark.parametrize("name", MODELS)
every_network = pytest.mark.parametrize("name", NAMES)


def small_shape(name):
    """An image that the model takes and that costs little."""
    side = max(16, MODELS[name].smallest)
    return (3, side, side)


def images(shape, n=2):
    torch.manual_seed(1)
    return torch.randn(n, *shape)


def build(name, shape, num_classes=5, **settings):
    torch.manual_seed(0)
    return build_model(name, shape, num_classes, **settings)


def logits_of(outputs):
    """The model's own, without those of auxiliary classifiers, which it may give in training."""
    return outputs if isinstance(outputs, torch.Tensor) else outputs[0]


def loss_of(outputs, labels):
    every = (outputs,) if isinstance(outputs, torch.Tensor) else outputs
    return sum(F.cross_entropy(logits, labels) for logits in every)


def dropped(name):
    return {"dropout": 0.5} if "dropout" in settings_of(MODELS[name]) else {}


@every_model
def test_entry_is_filled_in(name):
    model = MODELS[name]
    assert model.name == name == name.lower()
    for text in (model.title, model.notes):
        assert text.en.strip()
        assert any("\u4e00" <= letter <= "\u9fff" for letter in text.zh) or text.en == text.zh
    assert any("\u4e00" <= letter <= "\u9fff" for letter in model.notes.zh)
    years = [int(year) for year in re.findall(r"\b\d{4}\b", model.source)]
    assert years
    assert all(1800 < year < 2100 for year in years)
    assert len(model.input_shape) == 3 or model.takes_tables
    assert len(model.input_shape) == 1 or min(model.input_shape[1:]) >= model.smallest
    assert model.num_classes > 1 or model.gives_numbers


@every_model
def test_published_shape_gives_published_classes(name):
    model = MODELS[name]
    with torch.device("meta"):
        logits = build_model(name).eval()(torch.zeros(1, *model.input_shape))
    assert logits.shape == (1, model.num_classes)


@every_model
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (2, 20, 33), (3, 65, 70)], ids=str)
def test_other_sizes_channels_and_classes(name, shape):
    least = MODELS[name].smallest
    if min(shape[1:]) < least:
        with pytest.raises(EtudeError, match=f"{least}×{least}"):
            build(name, shape, 7)
        return
    if name in HEAVY | DEEPER:
        with torch.device("meta"):
            assert build(name, shape, 7).eval()(torch.empty(2, *shape)).shape == (2, 7)
        return
    net = build(name, shape, 7).eval()
    with torch.no_grad():
        logits = net(images(shape))
    assert logits.shape == (2, 7)
    assert logits.isfinite().all()


@every_model
def test_rows_of_a_table_are_taken_or_refused(name):
    if not MODELS[name].takes_tables:
        with pytest.raises(EtudeError, match=r"tables: .*logistic.*mlp"):
            build(name, (13,), 3)
        return
    net = build(name, (13,), 3).train()
    outputs = net(images((13,), 8))
    assert outputs.shape == (8, 3)
    outputs.sum().backward()
    assert all(p.grad is not None for p in net.parameters())


@every_model
def test_a_number_is_given_or_refused(name):
    shape = MODELS[name].input_shape
    if not MODELS[name].gives_numbers:
        with pytest.raises(EtudeError, match=r"at least 2.*linear.*mlp"):
            build(name, shape, 1)
        return
    assert build(name, shape, 1)(images(shape, 4)).shape == (4, 1)


@every_network
def test_smallest_image_and_two_classes_train(name):
    side = MODELS[name].smallest
    net = build(name, (1, side, side), 2).train()
    outputs = net(images((1, side, side)))
    assert logits_of(outputs).shape == (2, 2)
    loss_of(outputs, torch.tensor([0, 1])).backward()
    assert all(p.grad.isfinite().all() for p in net.parameters())


@every_network
def test_gradient_reaches_every_parameter(name):
    shape = small_shape(name)
    net = build(name, shape).train()
    loss_of(net(images(shape, 4)), torch.tensor([0, 1, 2, 3])).backward()
    for place, parameter in net.named_parameters():
        assert parameter.grad is not None, place
        assert parameter.grad.isfinite().all(), place
        assert parameter.grad.abs().max() > 0, place


@every_network
def test_fresh_weights_are_not_sure_of_anything(name):
    """A first loss far above that of guessing means weights that begin much too large."""
    shape = small_shape(name)
    net = build(name, shape, 10).train()
    loss = F.cross_entropy(logits_of(net(images(shape, 20))), torch.arange(20) % 10).item()
    assert loss < 3 * math.log(10)


@every_network
def test_evaluation_is_deterministic(name):
    shape = small_shape(name)
    net = build(name, shape, **dropped(name)).eval()
    with torch.no_grad():
        assert torch.equal(net(images(shape)), net(images(shape)))


@every_network
def test_same_seed_same_weights(name):
    shape = small_shape(name)
    one, two = build(name, shape).state_dict(), build(name, shape).state_dict()
    assert all(torch.equal(one[key], two[key]) for key in one)


@every_network
def test_state_round_trip(name):
    shape = small_shape(name)
    net = build(name, shape).eval()
    torch.manual_seed(9)
    other = build_model(name, shape, 5).eval()
    x = images(shape)
    with torch.no_grad():
        assert not torch.equal(net(x), other(x))
        other.load_state_dict(net.state_dict(), strict=True)
        assert torch.equal(net(x), other(x))


@every_network
def test_dropout_acts_in_training_alone(name):
    if not dropped(name):
        assert not any(isinstance(module, torch.nn.Dropout) for module in build(name, (1, 4, 4)).modules())
        return
    shape = small_shape(name)
    without, with_it = build(name, shape, dropout=0.0), build(name, shape, dropout=0.5)
    with_it.load_state_dict(without.state_dict(), strict=True)
    x = images(shape, 4)
    with torch.no_grad():
        assert torch.equal(without.eval()(x), with_it.eval()(x))
        torch.manual_seed(3)
        first = logits_of(with_it.train()(x))
        assert not torch.equal(first, logits_of(with_it(x)))
        assert not torch.allclose(first, logits_of(without.train()(x)))


@every_network
def test_channels_last_gives_the_same(name):
    shape = small_shape(name)
    net = build(name, shape).eval()
    x = images(shape)
    with torch.no_grad():
        plain = net(x)
        net = net.to(memory_format=torch.channels_last)
        torch.testing.assert_close(net(x.to(memory_format=torch.channels_last)), plain, rtol=1e-3, atol=1e-4)


@every_network
def test_bf16_autocast_is_near_float32(name):
    if sum(p.numel() for p in build(name, small_shape(name)).parameters()) > 2_000_000:
        pytest.skip("slow in bf16 on a processor without bf16 units; its layers are those of the small ones")
    shape = small_shape(name)
    net = build(name, shape).train()
    x = images(shape, 8)
    with torch.no_grad():
        exact = net.eval()(x)
        with torch.autocast("cpu", torch.bfloat16):
            rounded = net(x)
    assert rounded.dtype == torch.bfloat16
    error = (rounded.float() - exact).norm() / exact.norm()
    assert error < 0.1  # bf16 has 8 bits of mantissa: 0.4 % an operation, adding up over a hundred layers
    with torch.autocast("cpu", torch.bfloat16):
        loss = F.cross_entropy(logits_of(net.train()(x)).float(), torch.arange(8) % 5)
    loss.backward()
    assert all(p.grad.dtype == torch.float32 and p.grad.isfinite().all() for p in net.parameters())
