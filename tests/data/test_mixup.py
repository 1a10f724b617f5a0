"""Mixup against torchvision's, and its shares against the Beta distribution."""

from __future__ import annotations

import pytest
import torch
from scipy.stats import beta, kstest
from torchvision.transforms import v2

from etude.data.mixup import mixing_shares, mixup


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_same_as_torchvision_given_the_same_share(layout):
    chance = torch.Generator().manual_seed(0)
    inputs = torch.randn(9, 3, 6, 5, generator=chance).contiguous(memory_format=layout)
    labels = torch.randint(0, 4, (9,), generator=chance)
    share = 0.3
    transform = v2.MixUp(alpha=1.0, num_classes=4)
    expected, expected_labels = (
        transform.transform(inputs, {"lam": share, "labels": labels, "batch_size": 9}),
        transform.transform(labels, {"lam": share, "labels": labels, "batch_size": 9}),
    )
    mixed, shares = mixup(inputs, labels, torch.full((9,), share), 4)
    assert torch.allclose(mixed, expected, atol=1e-6)
    assert torch.allclose(shares, expected_labels, atol=1e-6)
    assert mixed.is_contiguous(memory_format=layout)
    assert shares.dtype == torch.float32


def test_each_example_has_its_own_share():
    inputs, labels = torch.tensor([[1.0], [10.0], [100.0]]), torch.tensor([0, 1, 2])
    mixed, shares = mixup(inputs, labels, torch.tensor([1.0, 0.5, 0.25]), 3)
    assert mixed.flatten().tolist() == [1.0, 5.5, 32.5]
    assert shares.tolist() == [[1, 0, 0], [0.5, 0.5, 0], [0, 0.75, 0.25]]


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_shares_follow_the_beta_distribution(alpha):
    shares = mixing_shares(5000, torch.Generator().manual_seed(0), alpha)
    assert kstest(shares.double().numpy(), beta(alpha, alpha).cdf).pvalue > 1e-4
    assert torch.equal(shares, mixing_shares(5000, torch.Generator().manual_seed(0), alpha))


def test_a_tiny_parameter_gives_whole_shares():
    shares = mixing_shares(100, torch.Generator().manual_seed(0), 1e-12)
    assert set(shares.tolist()) == {0.0, 1.0}
