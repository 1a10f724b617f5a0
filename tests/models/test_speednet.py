"""SpeedNet: what its first layer is for, and how its parts begin."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F

from etude.models.catalog import build_model
from etude.models.speednet import ShiftNorm, Whitening, conv_from_identity
from etude.train.optimizers import build_optimizer
from etude.train.recipe import Recipe


def natural(n: int = 40, channels: int = 3, side: int = 16) -> torch.Tensor:
    """Pictures whose neighbouring pixels and channels are alike."""
    chance = torch.Generator().manual_seed(0)
    grey = torch.randn(n, 1, side, side, generator=chance)
    colour = torch.randn(n, channels, side, side, generator=chance)
    return F.avg_pool2d(F.pad(grey + 0.6 * colour, (1, 1, 1, 1)), 3, 1) * 2 + 0.5


@pytest.mark.parametrize("channels", [1, 3])
def test_outputs_of_the_whitening_are_uncorrelated_and_of_variance_one(channels):
    layer, pictures = Whitening(channels), natural(channels=channels)
    layer.initialise_from(pictures)
    size = 4 * channels
    out = layer(pictures)[:, :size].transpose(0, 1).flatten(1)
    moments = out @ out.T / out.shape[1]
    # directions of little variance are held back, so that the diagonal is at most 1
    assert (moments - torch.diag(moments.diag())).abs().max() < 1e-3
    assert ((moments.diag() > 0.9) & (moments.diag() < 1 + 1e-4)).all()
    torch.testing.assert_close(layer.weight[size:], -layer.weight[:size])


def test_whitening_is_the_inverse_root_of_the_covariance():
    """W^T W = (C + e I)^-1 for every choice of axes: no eigenvectors are compared."""
    layer, pictures = Whitening(3), natural()
    layer.initialise_from(pictures)
    patches = pictures.unfold(2, 2, 1).unfold(3, 2, 1).permute(0, 2, 3, 1, 4, 5).reshape(-1, 12).double()
    wanted = torch.linalg.inv(patches.T @ patches / len(patches) + 5e-4 * torch.eye(12, dtype=torch.float64))
    kernels = layer.weight[:12].reshape(12, 12).double()
    torch.testing.assert_close(kernels.T @ kernels, wanted, rtol=1e-3, atol=1e-2)


def test_whitening_does_not_depend_on_how_many_pictures_are_taken_at_once(monkeypatch):
    one, other = Whitening(3), Whitening(3)
    one.initialise_from(natural())
    monkeypatch.setattr("etude.models.speednet._PICTURES_AT_ONCE", 7)
    other.initialise_from(natural())
    torch.testing.assert_close(one.weight, other.weight)


def test_the_whitening_is_saved_but_not_trained():
    net = build_model("speednet", (3, 16, 16), 4, width=2)
    net.initialise_from(natural())
    assert "whitening.weight" in net.state_dict()
    assert "whitening.weight" not in dict(net.named_parameters())
    before = net.whitening.weight.clone()
    optimizer = build_optimizer(net, Recipe(optimizer="sgd", learning_rate=1.0, weight_decay=0.1), fused=False)
    F.cross_entropy(net(natural(8)), torch.arange(8) % 4).backward()
    optimizer.step()
    assert torch.equal(net.whitening.weight, before)
    assert net.whitening.bias.abs().max() > 0


def test_a_convolution_begins_by_passing_its_inputs_on():
    conv, x = conv_from_identity(5, 8), torch.randn(2, 5, 6, 6)
    y = conv(x)
    torch.testing.assert_close(y[:, :5], x)
    assert not torch.allclose(y[:, 5:8].std(), torch.zeros(()))
    torch.testing.assert_close(
        conv_from_identity(5, 3)(x), x[:, :3]
    )  # fewer outputs than inputs: the first ones


def test_norm_is_batch_norm_and_its_shift_learns_64_times_as_fast():
    ours, theirs = ShiftNorm(4), torch.nn.BatchNorm2d(4, momentum=0.4)
    x, wanted = torch.randn(6, 4, 3, 3) * 2 + 1, torch.randn(6, 4, 3, 3)
    torch.testing.assert_close(ours(x), theirs(x))
    torch.testing.assert_close(ours.running_mean, theirs.running_mean)
    torch.testing.assert_close(ours.running_var, theirs.running_var)
    before = ours(x).detach(), theirs(x).detach()
    for norm in (ours, theirs):
        ((norm(x) - wanted) ** 2).mean().backward()
        with torch.no_grad():
            norm.bias -= 0.01 * norm.bias.grad
    moved = [(norm(x) - old)[0, :, 0, 0] for norm, old in zip((ours, theirs), before)]
    torch.testing.assert_close(moved[0], 64 * moved[1], rtol=1e-3, atol=1e-5)
    ours.eval(), theirs.eval()
    bias = copy.deepcopy(ours.bias.data)
    theirs.bias.data.copy_(8 * bias)
    theirs.running_mean.copy_(ours.running_mean), theirs.running_var.copy_(ours.running_var)
    torch.testing.assert_close(ours(x), theirs(x))
