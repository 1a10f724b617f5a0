"""The networks of the comparison are étude's own, and every way is asked for the same work."""

from __future__ import annotations

import pytest
import torch
from bench.speed.job import Job, read_job
from bench.speed.nets import NETS
from bench.speed.peak import SHAPES, step_flops

from etude.models.catalog import build_model


@pytest.mark.parametrize("name", ["lenet5", "resnet20", "resnet18"])
def test_a_net_gives_what_etudes_own_gives(name):
    torch.manual_seed(0)
    peers, ours = NETS[name](), build_model(name, SHAPES[name], 10)
    peers.load_state_dict(_matched(peers.state_dict(), ours.state_dict()))
    inputs = torch.randn(4, *SHAPES[name])
    for net in (peers, ours):
        net.train()
    torch.testing.assert_close(peers(inputs), ours(inputs), rtol=1e-4, atol=1e-4)
    for net in (peers, ours):
        net.eval()
    torch.testing.assert_close(peers(inputs), ours(inputs), rtol=1e-4, atol=1e-4)


def _matched(peers, ours):
    """The tensors of ``ours`` under the names of ``peers``; both declare their layers in the same order."""
    assert [tuple(t.shape) for t in peers.values()] == [tuple(t.shape) for t in ours.values()]
    return dict(zip(peers, ours.values()))


def test_the_mnist_net_is_that_of_pytorch_examples():
    net = NETS["mnistnet"]()
    assert sum(p.numel() for p in net.parameters()) == 1_199_882  # as its summary is quoted everywhere
    assert net(torch.randn(2, 1, 28, 28)).shape == (2, 10)


def test_the_flops_of_a_step_are_three_times_those_of_the_products():
    # forward, and backward in the weights and in the inputs; the first layer needs no gradient of its inputs
    first = 2 * 28 * 28 * 6 * 25
    rest = 2 * (10 * 10 * 16 * 6 * 25 + 400 * 120 + 120 * 84 + 84 * 10)
    assert step_flops("lenet5") == 2 * first + 3 * rest


@pytest.mark.parametrize("job", [Job("here"), Job("there", "resnet20", 128, 3, "sgd", 0.05, True, 7)])
def test_a_job_survives_its_command_line(job):
    assert read_job(job.to_arguments()) == job
