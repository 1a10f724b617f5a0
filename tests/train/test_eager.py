"""The optimisers without torch's compiler compute what torch's own do, and do not bring it in."""

import subprocess
import sys

import pytest
import torch

from etude.train.eager import eager

KINDS = [
    (torch.optim.AdamW, {"lr": 0.01, "fused": True}),
    (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True, "fused": True}),
    (torch.optim.Adagrad, {"lr": 0.1}),
    (torch.optim.RMSprop, {"lr": 0.01, "momentum": 0.9}),
    (torch.optim.Adadelta, {}),
    (torch.optim.Adamax, {}),
    (torch.optim.ASGD, {}),
    (torch.optim.Muon, {"lr": 0.01}),
]


def trained(kind, options, reload=False):
    torch.manual_seed(0)
    weight = torch.nn.Parameter(torch.randn(4, 6))
    inputs = torch.randn(5, 8, 6)
    optimizer = kind([{"params": [weight], "weight_decay": 0.1}], **options)
    for place, x in enumerate(inputs):
        if reload and place == 3:
            saved = optimizer.state_dict()
            optimizer = kind([{"params": [weight]}], **options)
            optimizer.load_state_dict(saved)
        optimizer.zero_grad()
        (x @ weight.T).square().mean().backward()
        optimizer.step()
    return weight.detach()


@pytest.mark.parametrize(("kind", "options"), KINDS, ids=lambda each: getattr(each, "__name__", ""))
def test_it_computes_what_torchs_own_does(kind, options):
    expected = trained(kind, options)
    assert torch.equal(trained(eager(kind), options), expected)
    assert torch.equal(trained(eager(kind), options, reload=True), expected)


def test_it_is_of_the_kind_it_was_made_from_and_leaves_that_alone():
    step, zero_grad = torch.optim.SGD.step, torch.optim.SGD.zero_grad
    optimizer = eager(torch.optim.SGD)([torch.nn.Parameter(torch.ones(2))], lr=0.1)
    assert isinstance(optimizer, torch.optim.SGD)
    assert type(optimizer).__name__ == "SGD"
    assert eager(torch.optim.SGD) is type(optimizer)
    assert torch.optim.SGD.zero_grad is zero_grad
    assert torch.optim.SGD.step is step


def test_no_gradient_is_recorded_in_a_step():
    weight = torch.nn.Parameter(torch.ones(2))
    optimizer = eager(torch.optim.Adam)([weight], lr=0.1)
    weight.square().sum().backward()
    optimizer.step()
    assert weight.requires_grad
    assert weight.grad_fn is None
    assert torch.is_grad_enabled()


def test_hooks_of_a_step_are_called():
    optimizer = eager(torch.optim.SGD)([torch.nn.Parameter(torch.ones(2))], lr=0.1)
    called = []
    optimizer.register_step_pre_hook(lambda *_: called.append("before"))
    optimizer.register_step_post_hook(lambda *_: called.append("after"))
    optimizer.step()
    assert called == ["before", "after"]


def test_the_compiler_is_not_imported():
    program = """
import sys, torch
from etude.train.eager import eager
weight = torch.nn.Parameter(torch.ones(3))
optimizer = eager(torch.optim.AdamW)([weight], fused=True)
optimizer.zero_grad()
weight.sum().backward()
optimizer.step()
optimizer.load_state_dict(optimizer.state_dict())
sys.exit("torch._dynamo" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
