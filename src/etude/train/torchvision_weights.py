"""What torchvision says of the weights it publishes: their address, and how pictures must be prepared for them."""

from __future__ import annotations

import re
from typing import Any

from etude.models.catalog import list_models
from etude.models.settings import settings_of

PREFIX = "torchvision:"
_HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
# torchvision feeds these two what its input transform makes of ImageNet's normalisation, which is this one
_NORMALISED_BY_HALF = ("googlenet", "inception_v3")
_STEM = "stem"  # étude's ResNets take a small stem for small pictures; the weights are of the large one


def list_torchvision_models() -> list[str]:
    """The names of torchvision's classifiers, without the prefix."""
    import torchvision

    return torchvision.models.list_models(module=torchvision.models)


def default_weights(kind: str) -> Any:
    """torchvision's own choice among the weights it has for a classifier."""
    import torchvision

    return torchvision.models.get_model_weights(kind).DEFAULT  # type: ignore[attr-defined]


def weights_by_file(name: str) -> tuple[str, Any] | None:
    """The classifier that a published file is for and its entry in torchvision, by the file's name; None: no such file."""
    import torchvision

    for kind in list_torchvision_models():
        for entry in torchvision.models.get_model_weights(kind):  # type: ignore[attr-defined]
            if entry.url.endswith(f"/{name}"):
                return kind, entry
    return None


def facts_of(kind: str, entry: Any, model: str | None = None) -> dict[str, Any]:
    """What `etude.train.weight_files.Weights` says beside the tensors.

    Args:
        kind: the name of the classifier in torchvision.
        entry: of its weights.
        model: the model to begin with; None: étude's of that name, or torchvision's where étude has none.
    """
    preparation = entry.transforms()
    mine = list_models().get(kind)
    model = model or (kind if mine else PREFIX + kind)
    stem = mine is not None and model == kind and _STEM in settings_of(mine)
    return {
        "normalisation": _HALF
        if kind in _NORMALISED_BY_HALF
        else (tuple(preparation.mean), tuple(preparation.std)),
        "image_size": preparation.crop_size[0],
        "settings": {_STEM: "imagenet"} if stem else {},
        "model": model,
    }


def hash_in(name: str) -> str | None:
    """The beginning of a file's SHA-256 that its name gives, as in ``resnet18-f37072fd.pth``."""
    found = re.search(r"-([0-9a-f]{8,})\.pth$", name)
    return found[1] if found else None
