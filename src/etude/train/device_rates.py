"""Learning rates that live on the device, where kernels captured once can read what is set later."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from etude.train.combined import Combined


class DeviceRates:
    """Makes the ``lr`` of every group a tensor: float32, of one number, on the device of the group's parameters.

    torch's fused kernels read such a rate from the device's memory. It is rounded to float32, where a rate given as a
    Python number has float64: the updates differ in the last bit.

    Args:
        optimizers: fused ones; their groups may have a ``scale``, by which the rate is multiplied.
    """

    def __init__(self, optimizers: Sequence[torch.optim.Optimizer]) -> None:
        self._groups = [group for each in optimizers for group in each.param_groups]
        self._tensors: list[Tensor] = []
        self._last: float | None = None
        for group in self._groups:
            rate = group["lr"] = torch.tensor(
                float(group["lr"]), dtype=torch.float32, device=group["params"][0].device
            )
            self._tensors.append(rate)

    def set(self, learning_rate: float) -> None:
        """From now on updates are made with ``learning_rate`` times each group's scale. Nothing waits for the device."""
        if learning_rate == self._last:
            return
        for group, tensor in zip(self._groups, self._tensors):
            tensor.fill_(learning_rate * group.get("scale", 1.0))
        self._last = learning_rate

    def close(self) -> None:
        """Make them plain numbers again."""
        for group, tensor in zip(self._groups, self._tensors):
            group["lr"] = float(tensor)


def set_rates(optimizers: Iterable[torch.optim.Optimizer | Combined], learning_rate: float) -> None:
    """The same for groups whose rates are plain numbers."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * group.get("scale", 1.0)
