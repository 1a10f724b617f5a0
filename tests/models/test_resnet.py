"""ResNets against torchvision's, and the CIFAR ones against the paper's numbers."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from etude.models.catalog import build_model
from etude.models.cifar_resnet import Shortcut

torchvision_models = pytest.importorskip("torchvision.models")


def test_small_images_keep_torchvision_s_names():
    ours = build_model("resnet18", (3, 32, 32), 10).state_dict()
    theirs = torchvision_models.resnet18(num_classes=10).state_dict()
    assert list(ours) == list(theirs)
    assert [name for name in ours if ours[name].shape != theirs[name].shape] == ["conv1.weight"]
    assert ours["conv1.weight"].shape == (64, 3, 3, 3)


def _sizes_of_first_stage(net, shape):
    seen = []
    handle = net.layer1.register_forward_hook(
        lambda module, inputs, output: seen.append(tuple(output.shape[2:]))
    )
    with torch.no_grad():
        net.eval()(torch.zeros(1, *shape))
    handle.remove()
    return seen[0]


@pytest.mark.parametrize(
    ("size", "stem", "first"),
    [(32, "auto", 32), (64, "auto", 64), (65, "auto", 17), (64, "imagenet", 16), (96, "small", 96)],
)
def test_stem_follows_the_size_or_the_setting(size, stem, first):
    net = build_model("resnet18", (1, size, size), 10, stem=stem)
    assert _sizes_of_first_stage(net, (1, size, size)) == (first, first)


@pytest.mark.parametrize(("depth", "millions"), [(20, 0.27), (32, 0.46), (44, 0.66), (56, 0.85), (110, 1.7)])
@pytest.mark.parametrize("kind", ["resnet", "plain"])
def test_cifar_networks_have_the_published_size(kind, depth, millions):
    net = build_model(f"{kind}{depth}")
    total = sum(p.numel() for p in net.parameters())
    digits = 1 if depth == 110 else 2
    assert round(total / 1e6, digits) == millions  # table 6
    layers = [m for m in net.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.Linear)]
    assert len(layers) == depth


def test_twins_differ_by_the_shortcuts_alone():
    torch.manual_seed(0)
    residual, plain = build_model("resnet20").eval(), build_model("plain20").eval()
    plain.load_state_dict(residual.state_dict(), strict=True)
    x = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        assert not torch.allclose(residual(x), plain(x))
        for net in (residual, plain):  # with the blocks' own part silenced, only a shortcut can carry the input
            for name, parameter in net.named_parameters():
                if ".bn2." in name:
                    parameter.zero_()
        assert residual.stage1(x.new_ones(1, 16, 8, 8)).sum() == 16 * 8 * 8
        assert plain.stage1(x.new_ones(1, 16, 8, 8)).sum() == 0


def test_option_a_takes_every_other_pixel_and_adds_zeros():
    x = torch.randn(2, 3, 8, 6)
    y = Shortcut(new_channels=5, stride=2)(x)
    assert y.shape == (2, 8, 4, 3)
    torch.testing.assert_close(y[:, :3], F.avg_pool2d(x, 1, stride=2))
    assert y[:, 3:].abs().sum() == 0
    assert Shortcut(0, 1)(x) is x


def test_large_images_are_halved_first():
    small, large = build_model("resnet20", (3, 48, 48)), build_model("resnet20", (3, 49, 49))
    assert small.conv1.stride == (1, 1)
    assert large.conv1.stride == (2, 2)
