"""Convolution, pooling and ReLU as one operation, against the three of torch."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from etude.train.execution.conv_pool import conv_pool


def both(inputs, weight, bias, padding, relu):
    """Outputs and gradients of the operation and of torch's three, in float64."""
    results = []
    for ours in (True, False):
        x, w = (t.double().clone().requires_grad_() for t in (inputs, weight))
        b = None if bias is None else bias.double().clone().requires_grad_()
        if ours:
            outputs = conv_pool(x, w, b, padding, relu)
        else:
            outputs = F.max_pool2d(F.conv2d(x, w, b, padding=padding), 2)
            outputs = F.relu(outputs) if relu else outputs
        chance = torch.Generator().manual_seed(1)
        (outputs * torch.randn(outputs.shape, generator=chance, dtype=torch.float64)).sum().backward()
        results.append([outputs, x.grad, w.grad, *([] if b is None else [b.grad])])
    return results


def assert_equal(results):
    for ours, theirs in zip(*results, strict=True):
        assert ours.shape == theirs.shape
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    batch=st.integers(1, 3), channels=st.integers(1, 3), out=st.integers(1, 5), high=st.integers(1, 5),
    wide=st.integers(1, 5), pad=st.tuples(st.integers(0, 2), st.integers(0, 2)), extra=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    biased=st.booleans(), relu=st.booleans(), innermost=st.booleans(),
)  # fmt: skip
def test_outputs_and_gradients_are_those_of_torch(
    batch, channels, out, high, wide, pad, extra, biased, relu, innermost
):
    height, width = high + extra[0], wide + extra[1]
    chance = torch.Generator().manual_seed(high * 100 + wide)
    inputs = torch.randn(batch, channels, height, width, generator=chance)
    if innermost:
        inputs = inputs.contiguous(memory_format=torch.channels_last)
    weight = torch.randn(out, channels, high, wide, generator=chance)
    bias = torch.randn(out, generator=chance) if biased else None
    assert_equal(both(inputs, weight, bias, pad, relu))


@pytest.mark.parametrize("relu", [False, True])
def test_of_equal_ones_the_same_gets_the_gradient(relu):
    flat = torch.ones(2, 1, 8, 8)  # constant pictures: all four of every square are equal
    weight = torch.ones(3, 1, 3, 3)
    assert_equal(both(flat, weight, torch.tensor([-1.0, 0.0, 1.0]), (0, 0), relu))
    steps = torch.randint(0, 2, (4, 1, 12, 12), generator=torch.Generator().manual_seed(0)).float()
    assert_equal(both(steps, weight, None, (1, 1), relu))  # many pairs and triples are equal


def test_pixels_that_want_no_gradient_get_none():
    inputs, weight = torch.randn(2, 1, 8, 8), torch.randn(4, 1, 3, 3, requires_grad=True)
    conv_pool(inputs, weight, None, (0, 0), True).sum().backward()
    assert inputs.grad is None
    assert weight.grad is not None


def test_what_is_not_a_number_stays_visible():
    inputs = torch.zeros(1, 1, 6, 6)
    inputs[0, 0, 2, 2] = float("nan")
    weight = torch.randn(2, 1, 3, 3)
    ours = conv_pool(inputs, weight, None, (0, 0), False)
    assert torch.equal(ours.isnan(), F.max_pool2d(F.conv2d(inputs, weight), 2).isnan())


def test_under_bf16_it_is_as_near_to_float64_as_torch_is():
    errors = {True: 0.0, False: 0.0}
    for seed in range(5):
        chance = torch.Generator().manual_seed(seed)
        inputs, weight, bias = (torch.randn(s, generator=chance) for s in [(8, 1, 28, 28), (6, 1, 5, 5), (6,)])
        exact = both(inputs, weight, bias, (2, 2), True)[1]
        for ours in errors:
            x, w, b = (t.clone().requires_grad_() for t in (inputs, weight, bias))
            with torch.autocast("cpu", dtype=torch.bfloat16):
                if ours:
                    outputs = conv_pool(x, w, b, (2, 2), True)
                else:
                    outputs = F.relu(F.max_pool2d(F.conv2d(x, w, b, padding=2), 2))
            assert outputs.dtype == torch.bfloat16
            noise = torch.randn(outputs.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
            (outputs.double() * noise).sum().backward()
            assert x.grad.dtype == w.grad.dtype == b.grad.dtype == torch.float32
            found = zip((outputs, x.grad, w.grad, b.grad), exact, strict=True)
            errors[ours] += sum(((have.double() - want).norm() / want.norm()).item() for have, want in found)
    assert errors[True] < 1.3 * errors[False] < 1.3 * 5 * 0.2


@pytest.mark.parametrize("shape", [(1, 9, 9), (0, 1, 9, 9)])
def test_one_picture_without_a_batch_and_a_batch_without_pictures(shape):
    inputs, weight = torch.randn(shape), torch.randn(4, 1, 3, 3)
    expected = F.relu(F.max_pool2d(F.conv2d(inputs, weight), 2))
    torch.testing.assert_close(conv_pool(inputs, weight, None, (0, 0), True), expected)


def test_what_torch_refuses_is_refused():
    weight = torch.randn(4, 1, 3, 3)
    for inputs in (torch.zeros(1, 1, 8, 8, dtype=torch.uint8), torch.zeros(1, 1, 8, 8).double()):
        with pytest.raises(RuntimeError):
            conv_pool(inputs, weight, None, (0, 0), False)
    with pytest.raises(RuntimeError):
        conv_pool(torch.zeros(1, 1, 3, 3), weight, None, (0, 0), False)  # nothing is left to pool


def test_evaluation_keeps_nothing():
    inputs, weight = torch.randn(2, 1, 8, 8), torch.randn(4, 1, 3, 3, requires_grad=True)
    with torch.inference_mode():
        outputs = conv_pool(inputs, weight, None, (0, 0), False)
        torch.testing.assert_close(outputs, F.max_pool2d(F.conv2d(inputs, weight), 2))
    assert not outputs.requires_grad
