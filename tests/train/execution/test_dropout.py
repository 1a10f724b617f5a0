"""Dropout from random bytes: its rate, its scale, its layout, its generator."""

from __future__ import annotations

import math

import pytest
import torch

from etude.train.execution.dropout import dropout


@pytest.mark.parametrize("p", [0.1, 0.25, 0.5, 0.9, 0.003])
def test_the_rate_is_that_asked_for(p):
    torch.manual_seed(0)
    count = 1 << 20
    kept = dropout(torch.ones(count), p).count_nonzero().item()
    # five standard deviations of the binomial, and the 1/131,072 to which p is met
    assert abs(kept - count * (1 - p)) < 5 * math.sqrt(count * p * (1 - p)) + count / 131_072


@pytest.mark.parametrize("p", [0.1, 0.25, 0.5, 0.9])
def test_those_kept_are_scaled_so_that_the_expectation_stays(p):
    torch.manual_seed(0)
    inputs = torch.randn(1000)
    outputs = dropout(inputs, p)
    kept = outputs != 0
    torch.testing.assert_close(outputs[kept], inputs[kept] / (1 - p), rtol=2e-4, atol=0)


@pytest.mark.parametrize("p", [0.25, 0.3])
def test_neighbours_are_independent(p):
    torch.manual_seed(0)
    dropped = (dropout(torch.ones(1 << 18), p) == 0).double()
    for distance in (1, 2, 3, 4, 8):
        product = (dropped[:-distance] * dropped[distance:]).mean().item()
        assert abs(product - p * p) < 5 * math.sqrt(p * p * (1 - p * p) / len(dropped)) + 1e-4


@pytest.mark.parametrize("p", [0.5, 0.3])
def test_the_gradient_goes_where_the_outputs_came_from(p):
    torch.manual_seed(0)
    inputs = (torch.rand(40, 50) + 1).requires_grad_()
    outputs = dropout(inputs, p)
    outputs.backward(torch.full_like(outputs, 3.0))
    torch.testing.assert_close(inputs.grad, 3 * outputs.detach() / inputs.detach())


def _layouts():
    dense = torch.rand(4, 6, 5, 3) + 1
    return {
        "contiguous": dense,
        "channels innermost": dense.contiguous(memory_format=torch.channels_last),
        "turned": dense.permute(3, 1, 0, 2),
        "with gaps": dense[:, ::2, 1:],
        "expanded": torch.ones(4, 1, 5, 1).expand(4, 6, 5, 3),
        "matrix turned": dense.view(24, 15).t(),
        "nothing": torch.ones(0, 3),
        "a number": torch.tensor(2.0),
    }


@pytest.mark.parametrize("layout", _layouts())
def test_every_layout(layout):
    inputs = _layouts()[layout]
    before = inputs.clone()
    torch.manual_seed(0)
    outputs = dropout(inputs, 0.5)
    assert torch.equal(inputs, before)
    assert outputs.shape == inputs.shape
    assert ((outputs == 0) | (outputs == 2 * inputs)).all()
    if inputs.numel() > 100:
        assert 0.35 < (outputs == 0).double().mean() < 0.65


def test_the_same_state_of_the_generator_gives_the_same_mask_and_a_resume_goes_on():
    inputs = torch.ones(3, 333)
    torch.manual_seed(5)
    first = dropout(inputs, 0.3)
    state = torch.get_rng_state()
    second = dropout(inputs, 0.3)
    torch.manual_seed(5)
    assert torch.equal(dropout(inputs, 0.3), first)
    torch.set_rng_state(state)
    assert torch.equal(dropout(inputs, 0.3), second)
    assert not torch.equal(first, second)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_the_format_stays(dtype):
    assert dropout(torch.ones(8, dtype=dtype), 0.5).dtype == dtype


def test_rates_near_the_ends():
    assert torch.equal(dropout(torch.ones(100), 0.0), torch.ones(100))
    inputs = torch.ones(1000, requires_grad=True)
    outputs = dropout(inputs, 1 - 1e-9)
    outputs.sum().backward()
    assert outputs.isfinite().all()
    assert inputs.grad.isfinite().all()
