"""All that can be seen of a trained network and one picture, gathered for the command line and the browser."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from etude.core.errors import EtudeError
from etude.data.dataset import Examples
from etude.insight.calls import find_call, record_calls
from etude.insight.effective_field import effective_fields, effective_size
from etude.insight.feature_maps import FeatureMaps, feature_maps
from etude.insight.filters import Filters, find_filters
from etude.insight.receptive_field import receptive_fields
from etude.insight.saliency import Occlusion, gradient_saliency, occlusion
from etude.models.summary import evaluation_mode
from etude.train.predict import Predictor

_SMOOTH = 32  # noisy copies of SmoothGrad; the paper finds little change beyond 50
_EFFECTIVE_LAYERS = 10
_NOISE_INPUTS = 16
_LOOKED_THROUGH = 512


class Inspection:
    """One network, one picture.

    Args:
        predictor: the network.
        pixels: uint8 ``[channels, height, width]``, the picture as the network takes it.
        layer: the layer to look at; else several through the depth.
        class_name: the class to explain; else the likeliest.

    Raises:
        EtudeError: there is no such layer, or nothing in it that can be drawn.

    Attributes:
        top: the three likeliest classes with their probabilities.
        label: the class that is explained.
        fields: receptive fields by layer, in order; none for a network without maps.
        filters: the weights of the layer asked for, or of the first that has any; None where that layer's are no pictures.
    """

    def __init__(
        self, predictor: Predictor, pixels: np.ndarray, layer: str | None = None, class_name: str | None = None
    ) -> None:
        self.predictor, self.pixels, self.model = predictor, pixels, predictor.model
        self.inputs = normalised(predictor, pixels[np.newaxis])
        with evaluation_mode(self.model), torch.no_grad():
            calls = record_calls(self.model, lambda: self.model(self.inputs))
        found = None if layer is None else find_call(calls, layer)
        self.layer = None if found is None else found.name
        self.top = predictor.top([pixels])[0]
        self.label = class_name or self.top[0][0]
        shape = self.inputs.shape[1:]
        self.fields = receptive_fields(self.model, shape)
        if found is not None and found.is_map and found.name not in {field.layer for field in self.fields}:
            names = {field.layer for field in self.fields} | {found.name}
            self.fields = receptive_fields(
                self.model, shape, [call.name for call in calls if call.name in names]
            )
        self.shows_maps = found is None or found.is_map
        self.filters = self._filters()
        if found is not None and not found.is_map and self.filters is None:
            names = ", ".join(field.layer for field in self.fields) or find_filters(self.model, shape).layer
            raise EtudeError(
                en=f"{found.name} puts out no maps and its weights are no pictures; choose one of: {names}.",
                zh=f"{found.name} 的输出不是特征图，权重也无法画成图；可选：{names}。",
            )

    @property
    def focus(self) -> str | None:
        """The layer asked for, where it has maps."""
        return self.layer if self.layer in {field.layer for field in self.fields} else None

    def _filters(self) -> Filters | None:
        shape = self.inputs.shape[1:]
        try:
            return find_filters(self.model, shape, self.layer, self.inputs)
        except EtudeError:
            return None

    def maps(self) -> list[FeatureMaps]:
        """The maps of the layer asked for, or of several."""
        if not self.shows_maps:
            return []
        return feature_maps(self.model, self.inputs, None if self.layer is None else [self.layer])

    @cached_property
    def effective(self) -> dict[str, np.ndarray]:
        """Effective receptive fields of up to ten layers evenly through the depth, over noise like normalised pictures."""
        names = [field.layer for field in self.fields]
        places = np.linspace(0, len(names) - 1, min(len(names), _EFFECTIVE_LAYERS)).round().astype(int)
        chosen = [name for place, name in enumerate(names) if place in places or name == self.focus]
        chance = torch.Generator().manual_seed(0)
        noise = torch.randn(_NOISE_INPUTS, *self.inputs.shape[1:], generator=chance)
        return effective_fields(self.model, chosen, noise.to(self.inputs)) if chosen else {}

    @property
    def class_index(self) -> int:
        return self.predictor.classes.index(self.label)

    @cached_property
    def gradient(self) -> np.ndarray:
        """Saliency by gradient (SmoothGrad), ``[height, width]``."""
        return gradient_saliency(self.model, self.inputs, self.class_index, samples=_SMOOTH)

    @cached_property
    def hiding(self) -> Occlusion:
        """Saliency by occlusion."""
        return occlusion(self.model, self.inputs, self.class_index)

    @property
    def mean_colour(self) -> tuple[float, ...]:
        """What hides: the mean of the training pictures, a value from 0 to 1 a channel."""
        return tuple(self.predictor.run.record["data"]["mean"])

    def rival(self) -> tuple[str, float] | None:
        """The likeliest class with the worst patch hidden, where it takes the place of the class explained."""
        if self.label != self.top[0][0]:
            return None
        top, left, _ = self.hiding.worst
        covered = self.inputs.clone()
        covered[:, :, top : top + self.hiding.patch, left : left + self.hiding.patch] = 0
        with torch.no_grad():
            probabilities = self.model(covered).float().softmax(1)[0].cpu()
        best = int(probabilities.argmax())
        return None if best == self.class_index else (self.predictor.classes[best], float(probabilities[best]))

    def field_rows(self) -> list[dict[str, Any]]:
        """The receptive fields as plain numbers, in pixels."""
        return [
            {
                "layer": field.layer,
                "maps": list(field.shape),
                "jump": [field.rows.jump, field.columns.jump],
                "size": list(field.size),
                "start": [field.rows.start, field.columns.start],
                "effective_size": effective_size(self.effective[field.layer])
                if field.layer in self.effective
                else None,
            }
            for field in self.fields
        ]

    def to_json(self) -> dict[str, Any]:
        """What was found, as JSON: classes, receptive fields, what hiding costs."""
        top, left, probability = self.hiding.worst
        worst = {"top": top, "left": left, "size": self.hiding.patch, "probability": probability}
        return {
            "top": [{"class": label, "probability": chance} for label, chance in self.top],
            "class": self.label,
            "probability": self.hiding.probability,
            "layer": self.layer,
            "receptive_fields": self.field_rows(),
            "worst_patch": worst,
        }


def normalised(predictor: Predictor, pixels: np.ndarray) -> Tensor:
    """Pictures uint8 ``[n, channels, height, width]`` as the network takes them: float32, normalised, on its device."""
    data = predictor.run.record["data"]
    mean, std = (torch.tensor(data[name], dtype=torch.float32).view(1, -1, 1, 1) for name in ("mean", "std"))
    return ((torch.from_numpy(np.array(pixels)).float() / 255 - mean) / std).to(predictor.device)


def choose_example(predictor: Predictor, examples: Examples, class_name: str | None) -> tuple[int, np.ndarray]:
    """The first picture (of the class, if one is named) that the network gets right, else the first.

    Returns:
        its place among the examples, and its pixels.
    """
    wanted = np.arange(len(examples))
    if class_name is not None:
        wanted = np.flatnonzero(examples.labels == predictor.classes.index(class_name))
    wanted = wanted[:_LOOKED_THROUGH]
    if not len(wanted):
        raise EtudeError(
            en=f"There is no picture of '{class_name}' in the test data; give one with --image FILE.",
            zh=f"测试集中没有“{class_name}”的图片；请用 --image 给出一张。",
        )
    rows = wanted if examples.rows is None else examples.rows[wanted]
    pixels = np.asarray(examples.images[rows])
    right = predictor.probabilities(pixels).argmax(1) == examples.labels[wanted]
    first = int(right.argmax())  # 0 where none is right
    return int(wanted[first]), pixels[first]
