"""Receptive fields by gradient: which pixels can change a unit at all, and which do.

Luo, Li, Urtasun & Zemel (2016), "Understanding the Effective Receptive Field in Deep Convolutional Neural Networks", NeurIPS:
the gradient of a unit with respect to the pixels, averaged over inputs, is far from even over the theoretical field.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.overrides import TorchFunctionMode

from etude.insight.calls import Call, record_calls
from etude.insight.receptive_field import find_map
from etude.models.summary import evaluation_mode

NEGLIGIBLE = 0.0455
"""Below this share of the largest gradient a pixel does not count as seen (Luo et al. 2016, section 3.2: two deviations)."""


def reachable_pixels(
    model: nn.Module, layer: str, input_shape: Sequence[int], unit: tuple[int, int] | None = None, seed: int = 0
) -> np.ndarray:
    """The pixels that can change a unit: bool ``[height, width]``.

    They are those with a gradient once nothing can cancel or be cut off: with positive weights, a positive picture, means
    in place of maxima, and no activation that ends at 6. The model itself is not changed.

    Args:
        model: takes ``[batch, *input_shape]``.
        layer: the name of a layer that puts out maps.
        input_shape: ``(channels, height, width)``.
        unit: its row and column in the map; else the one in the middle.
        seed: of the positive weights.

    Raises:
        EtudeError: there is no such layer.
    """
    chance = torch.Generator().manual_seed(seed)
    stand_ins = {name: _positive(name, tensor, chance) for name, tensor in model.named_parameters()}
    stand_ins |= {name: _plain(name, tensor) for name, tensor in model.named_buffers()}
    picture = 0.5 + torch.rand(1, *input_shape, generator=chance, dtype=torch.float64)
    picture.requires_grad_()
    with evaluation_mode(model), _LettingThrough():
        calls = _calls_up_to(layer, model, lambda: functional_call(model, stand_ins, (picture,)))
        maps = find_map(calls, layer).gave
        row, column = unit or (maps.shape[2] // 2, maps.shape[3] // 2)
        (gradient,) = torch.autograd.grad(maps[0, :, row, column].sum(), picture)
    return (gradient[0] != 0).any(0).numpy()


def effective_fields(
    model: nn.Module, layers: Sequence[str], inputs: Tensor, seed: int = 0
) -> dict[str, np.ndarray]:
    """How much each pixel changes the unit in the middle of each layer's maps, with the weights as they are.

    For every input the unit's channels are weighted at random (standard normal), so that none is preferred; the absolute
    gradient is summed over the picture's channels and averaged over the inputs.

    Args:
        model: takes ``inputs``.
        layers: names of layers that put out maps.
        inputs: ``[n, channels, height, width]`` as the model takes them.
        seed: of the weighting.

    Returns:
        for each layer float ``[height, width]``, the largest 1 (all 0 where no gradient arrives).

    Raises:
        EtudeError: a layer is not there.
    """
    chance = torch.Generator().manual_seed(seed)
    pixels = inputs.detach().clone().requires_grad_()
    found = {}
    with evaluation_mode(model), torch.enable_grad():
        calls = record_calls(model, lambda: model(pixels))
        for layer in layers:
            maps = find_map(calls, layer).gave
            middle = maps[:, :, maps.shape[2] // 2, maps.shape[3] // 2]  # [n, channels]
            weights = torch.randn(middle.shape, generator=chance).to(middle)
            (gradient,) = torch.autograd.grad((middle * weights).sum(), pixels, retain_graph=True)
            field = gradient.abs().sum(1).mean(0).cpu().double().numpy()
            found[layer] = field / (field.max() or 1.0)
    return found


def effective_size(field: np.ndarray) -> float:
    """The side, in pixels, of the square as large as the area above `NEGLIGIBLE` (Luo et al. 2016, section 3.2)."""
    return float(np.sqrt((field > NEGLIGIBLE * field.max()).sum()))


_CUTTING = ("relu6", "hardtanh", "hardtanh_", "hardswish", "hardswish_", "hardsigmoid", "hardsigmoid_")


class _LettingThrough(TorchFunctionMode):
    """A maximum lets through the gradient of one pixel only; a mean, of all that might have been it."""

    def __torch_function__(self, func: Any, kinds: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__name__", "") in _CUTTING:
            return args[0]
        if func in (torch.max_pool2d, torch.nn.functional.max_pool2d):
            names = ("input", "kernel_size", "stride", "padding", "dilation", "ceil_mode")
            given = {**dict(zip(names, args)), **kwargs}
            if given.get("dilation", 1) in (1, (1, 1), [1, 1]):
                return torch.nn.functional.avg_pool2d(
                    given["input"], given["kernel_size"], given.get("stride"), given.get("padding", 0),
                    given.get("ceil_mode", False),
                )  # fmt: skip
        return func(*args, **kwargs)


class _Reached(Exception):
    """The layer has run; what comes after it need not."""


def _calls_up_to(layer: str, model: nn.Module, run: Callable[[], Any]) -> list[Call]:
    """The calls up to the layer's, or all of them where the name needs to be looked for."""
    name, _, time = layer.partition("@")
    left = [int(time or 1)]

    def stop(*_: Any) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise _Reached

    def run_until() -> None:
        module = dict(model.named_modules()).get(name)
        handle = module.register_forward_hook(stop) if module is not None else None
        try:
            run()
        except _Reached:
            pass
        finally:
            if handle is not None:
                handle.remove()

    return record_calls(model, run_until)


def _positive(name: str, tensor: Tensor, chance: torch.Generator) -> Tensor:
    if tensor.ndim < 2:
        return torch.full(tensor.shape, 0.0 if name.endswith("bias") else 1.0, dtype=torch.float64)
    fan_in = tensor[0].numel()
    if tensor.ndim == 2:  # a linear layer's may be huge; one number a row is stored
        rows = 0.5 + torch.rand(len(tensor), 1, generator=chance, dtype=torch.float64)
        return (rows / fan_in).expand(tensor.shape)
    return (0.5 + torch.rand(tensor.shape, generator=chance, dtype=torch.float64)) / fan_in


def _plain(name: str, tensor: Tensor) -> Tensor:
    """The running statistics of a norm as if it did nothing; other buffers as they are."""
    if name.endswith("running_mean"):
        return torch.zeros_like(tensor, dtype=torch.float64)
    if name.endswith("running_var"):
        return torch.ones_like(tensor, dtype=torch.float64)
    return tensor.double() if tensor.is_floating_point() else tensor
