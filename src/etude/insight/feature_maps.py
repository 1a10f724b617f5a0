"""Feature maps: what each layer of a network makes of one picture.

Zeiler & Fergus (2014), "Visualizing and Understanding Convolutional Networks", ECCV, section 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from etude.insight.calls import Call, map_units, record_calls
from etude.insight.receptive_field import find_map
from etude.models.summary import evaluation_mode


@dataclass(frozen=True)
class FeatureMaps:
    """What one layer makes of one picture.

    Args:
        layer: its name.
        maps: float32 ``[channels, height, width]``.
    """

    layer: str
    maps: np.ndarray

    @property
    def order(self) -> np.ndarray:
        """The channels, the strongest first: by their largest activation."""
        return np.argsort(-self.maps.max((1, 2)), kind="stable")

    @property
    def silent(self) -> int:
        """How many maps are 0 at every place of this picture."""
        return int((self.maps == 0).all((1, 2)).sum())

    @property
    def signed(self) -> bool:
        """Whether there are negative activations: no ReLU has passed over them."""
        return bool((self.maps < 0).any())

    def strongest_unit(self, channel: int) -> tuple[int, int]:
        """Row and column of the largest activation of a map."""
        row, column = np.unravel_index(self.maps[channel].argmax(), self.maps.shape[1:])
        return int(row), int(column)


def feature_maps(
    model: nn.Module, inputs: Tensor, layers: Sequence[str] | None = None, limit: int = 6
) -> list[FeatureMaps]:
    """The maps of some layers for one picture, in the order in which the layers run.

    Args:
        model: takes ``inputs``.
        inputs: ``[1, channels, height, width]``, normalised as in training.
        layers: names; these layers' outputs are shown as they are. Without it a few through the depth, of each size of map
            the last one, each after the norm and the activation that follow it.
        limit: how many of those at most.

    Raises:
        EtudeError: a layer is not there, or puts out no maps.

    Returns:
        one entry a layer; none for a network without maps.
    """
    with evaluation_mode(model), torch.no_grad():
        calls = record_calls(model, lambda: model(inputs))
    if layers is not None:
        found = [(call.name, call.gave) for call in (find_map(calls, layer) for layer in layers)]
    else:
        found = [(call.name, _activated(calls, call)) for call in _through_the_depth(map_units(calls), limit)]
    return [FeatureMaps(name, maps[0].float().cpu().numpy()) for name, maps in found]


def _through_the_depth(units: list[Call], limit: int) -> list[Call]:
    """The first unit, and of each size of map the last; where these are few, more of those between."""
    if len(units) <= limit:
        return units
    last = {unit.shape[2:]: place for place, unit in enumerate(units)}
    places = sorted({0, *last.values()})
    if len(places) < min(limit, 4):
        places = sorted({round(place) for place in np.linspace(0, len(units) - 1, limit)})
    while len(places) > limit:  # the early ones are the finer pictures, the last the most telling
        del places[len(places) // 2]
    return [units[place] for place in places]


def _activated(calls: list[Call], call: Call) -> Tensor:
    """The maps as the next building block gets them: after a norm and an activation, be they modules or functions."""
    value = call.gave
    units = [each for each in calls if each.unit]
    for after in units[next(i for i, unit in enumerate(units) if unit is call) + 1 :]:
        if after.input_shape != call.shape:
            break
        if not after.is_pointwise:
            return after.given
        value = after.gave
    return value
