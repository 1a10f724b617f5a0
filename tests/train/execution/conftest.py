"""A network beside its executed form."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from etude.train.execution.executed import Executed
from etude.train.execution.rules import RULES

EVERY_RULE = tuple(RULES)


def tensors_of(outputs) -> list[Tensor]:
    return [outputs] if isinstance(outputs, Tensor) else [t for t in outputs if t is not None]


def run(call, inputs: Tensor, parameters, training: bool):
    """Outputs, and in training the gradients of input and parameters."""
    inputs = inputs.clone().requires_grad_(training)
    for parameter in parameters:
        parameter.grad = None
    outputs = tensors_of(call(inputs * 1.0))  # a tensor that may be written to
    if not training:
        return outputs
    chance = torch.Generator().manual_seed(3)
    loss = sum((o * torch.randn(o.shape, generator=chance).to(o.dtype)).sum() for o in outputs)
    if loss.requires_grad:
        loss.backward()
    return [*outputs, inputs.grad, *(p.grad for p in parameters)]


def assert_same(
    net: nn.Module, inputs: Tensor, rules=EVERY_RULE, training=(True, False), rtol=1e-9, atol=1e-9
) -> Executed:
    """The executed network gives what the bare one gives, in outputs, gradients and buffers. Chance must be equal or none."""
    twin = copy.deepcopy(net)
    executed = Executed(net, rules)
    for mode in training:
        for _ in range(2):  # the second time with what the first left behind
            net.train(mode)
            twin.train(mode)
            torch.manual_seed(0)
            ours = run(executed, inputs, list(net.parameters()), mode)
            torch.manual_seed(0)
            theirs = run(twin, inputs, list(twin.parameters()), mode)
            assert len(ours) == len(theirs)
            for have, want in zip(ours, theirs):
                assert (have is None) == (want is None)
                if want is not None:
                    torch.testing.assert_close(have, want, rtol=rtol, atol=atol)
    for (name, have), want in zip(net.state_dict().items(), twin.state_dict().values()):
        torch.testing.assert_close(
            have, want, rtol=rtol, atol=atol, msg=lambda words, name=name: f"{name}: {words}"
        )
    return executed


def called(executed: Executed) -> list[str]:
    """The names of the functions that the graph calls."""
    assert executed.graph is not None
    return [node.target.__name__ for node in executed.graph.graph.nodes if node.op == "call_function"]


@pytest.fixture
def same():
    return assert_same


@pytest.fixture
def functions():
    return called
