"""The architectures that torchvision has too: the same names, beginnings, outputs, gradients and costs as its own."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from etude.models.catalog import build_model, list_models
from etude.models.settings import settings_of
from etude.models.summary import count
from etude.models.vgg import VGG, convolutions

torchvision_models = pytest.importorskip("torchvision.models")

RESNETS = ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152")
VGGS = tuple(f"vgg{depth}{end}" for depth in (11, 13, 16, 19) for end in ("", "_bn"))
OPTIONS = {"googlenet": {"init_weights": True}}  # torchvision warns where it is left open
SIZES = {"alexnet": (3, 70, 87), "googlenet": (3, 33, 48)} | dict.fromkeys(VGGS, (3, 36, 42))
SLOW = ("vgg11", "vgg11_bn", "resnet101", "resnet152")
IMAGENET = {"stem": "imagenet"}


def theirs_of(name, num_classes=7):
    return getattr(torchvision_models, name)(weights=None, num_classes=num_classes, **OPTIONS.get(name, {}))


def ours_of(name, num_classes=7):
    return build_model(name, SIZES.get(name, (3, 33, 48)), num_classes, **(IMAGENET if name in RESNETS else {}))


def marked(*names):
    return [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in names]


@pytest.mark.parametrize("name", ["alexnet", "googlenet", *VGGS, *RESNETS])
def test_names_shapes_and_kinds_are_torchvision_s(name):
    with torch.device("meta"):
        ours, theirs = ours_of(name, 1000), theirs_of(name, 1000)

    def described(net):
        return [(key, tuple(value.shape), value.dtype) for key, value in net.state_dict().items()]

    assert described(ours) == described(theirs)  # in the same order, too
    assert {key for key, _ in ours.named_parameters()} == {key for key, _ in theirs.named_parameters()}


@pytest.mark.parametrize("name", marked("alexnet", "googlenet", "vgg11", "vgg11_bn", *RESNETS))
def test_outputs_gradients_and_statistics_are_torchvision_s(name):
    torch.manual_seed(0)
    theirs = theirs_of(name)
    torch.manual_seed(0)
    ours = ours_of(name)
    for key, value in ours.state_dict().items():  # the same seed begins the same
        assert torch.equal(value, theirs.state_dict()[key]), key
    ours.load_state_dict(theirs.state_dict(), strict=True)
    x, labels = torch.randn(4, *SIZES.get(name, (3, 33, 48))), torch.tensor([0, 3, 3, 6])
    with torch.no_grad():
        torch.testing.assert_close(ours.eval()(x), theirs.eval()(x), rtol=1e-5, atol=1e-5)
    outputs = []
    for net in (ours, theirs):
        torch.manual_seed(5)  # of the dropout
        given = net.train()(x)
        outputs.append((given,) if isinstance(given, torch.Tensor) else tuple(given))
        sum(F.cross_entropy(logits, labels) for logits in outputs[-1]).backward()
    torch.testing.assert_close(*outputs, rtol=1e-5, atol=1e-5)
    for (key, one), (_, other) in zip(ours.named_parameters(), theirs.named_parameters()):
        torch.testing.assert_close(
            one.grad, other.grad, rtol=1e-4, atol=1e-5, msg=lambda m, key=key: f"{key}: {m}"
        )
    for (key, one), (_, other) in zip(ours.named_buffers(), theirs.named_buffers()):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5, msg=lambda m, key=key: f"{key}: {m}")


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize(("depth", "column"), [(11, "A"), (13, "B"), (16, "D"), (19, "E")])
def test_every_vgg_computes_torchvision_s_maps(depth, column, batch_norm):
    """The linear layers are the same in all of them, and as large as everything else put together."""
    vgg = torchvision_models.vgg
    torch.manual_seed(0)
    ours = convolutions(3, depth, batch_norm).train()
    theirs = vgg.make_layers(vgg.cfgs[column], batch_norm).train()
    theirs.load_state_dict(ours.state_dict(), strict=True)
    x = torch.randn(2, 3, 36, 42)
    ours_maps, theirs_maps = ours(x), theirs(x)
    assert ours_maps.shape == (2, 512, 1, 1)
    torch.testing.assert_close(ours_maps, theirs_maps, rtol=1e-5, atol=1e-5)
    ours_maps.square().sum().backward()
    theirs_maps.square().sum().backward()
    for one, other in zip(ours.parameters(), theirs.parameters()):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-4, atol=1e-5)


def test_vgg_begins_as_torchvision_s(monkeypatch):
    """The same calls of initialisation in the same order, so that the same seed gives the same weights."""
    calls = []
    for name in ("kaiming_normal_", "normal_", "zeros_", "constant_"):
        monkeypatch.setattr(
            torch.nn.init, name, lambda t, *a, n=name, **k: calls.append((n, tuple(t.shape), a, k))
        )

    def meaning(call):  # zeros and constants of 0 are the same; a batch norm begins at 1 and 0 by itself
        name, shape, arguments, _ = call
        return ("zeros_", shape, (), {}) if (name, arguments) == ("constant_", (0,)) else call

    with torch.device("meta"):
        theirs_of("vgg16")
        theirs = [meaning(call) for call in calls]
        calls.clear()
        VGG((3, 224, 224), 7, depth=16, batch_norm=False)
    assert [meaning(call) for call in calls] == theirs
    assert len(theirs) == 2 * 16


def test_transform_input_is_torchvision_s():
    torch.manual_seed(0)
    theirs = torchvision_models.GoogLeNet(
        num_classes=5, transform_input=True, init_weights=True, aux_logits=False
    )
    ours = build_model("googlenet", (3, 32, 32), 5, transform_input=True, aux_logits=False)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    x = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x), rtol=1e-5, atol=1e-5)
    torch.manual_seed(1)
    given = ours.train()(x)
    assert isinstance(given, torch.Tensor)  # nothing auxiliary
    torch.manual_seed(1)
    torch.testing.assert_close(given, theirs.train()(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("name", "dropout"), [("alexnet", 0.5), ("googlenet", 0.2), ("vgg16", 0.5)])
def test_dropout_is_torchvision_s_unless_set(name, dropout):
    assert settings_of(list_models()[name])["dropout"] == dropout
    with torch.device("meta"):
        ours, theirs = ours_of(name), theirs_of(name)
    rates = [[m.p for m in net.modules() if isinstance(m, torch.nn.Dropout)] for net in (ours, theirs)]
    assert rates[0] == rates[1]
    assert dropout in rates[0]


@pytest.mark.parametrize("name", ["alexnet", "googlenet", *VGGS, *RESNETS])
def test_size_and_cost_are_the_published_ones(name):
    """As torchvision documents them: GFLOPs are multiply-adds there, and GoogLeNet is without what training adds."""
    facts = torchvision_models.get_model_weights(name).IMAGENET1K_V1.meta
    with torch.device("meta"):
        net = build_model(name, **({"aux_logits": False} if name == "googlenet" else {}))
    parameters, flops = count(net, (3, 224, 224))
    assert parameters == facts["num_params"]
    assert flops / 2e9 == pytest.approx(facts["_ops"], rel=0.01)


@pytest.mark.parametrize(
    ("name", "smallest"),
    [("alexnet", (63, 63)), ("googlenet", (15, 15)), ("vgg11", (32, 32)), ("vgg19_bn", (32, 32))],
)
def test_smallest_is_torchvision_s_and_less_is_too_little(name, smallest):
    assert torchvision_models.get_model_weights(name).IMAGENET1K_V1.meta["min_size"] == smallest
    model = list_models()[name]
    side = smallest[0]
    assert model.smallest == side
    with torch.device("meta"):
        net = model.build((3, side, side), 5).eval()
        assert net(torch.empty(1, 3, side, side)).shape == (1, 5)
        with pytest.raises(RuntimeError):
            net(torch.empty(1, 3, side - 1, side - 1))
