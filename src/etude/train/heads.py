"""The head of a network: the last layer, which says the classes; all below it is the backbone."""

from __future__ import annotations

from torch import nn


def find_head(model: nn.Module) -> str | None:
    """The dotted name of the layer whose outputs are the logits, such as ``fc`` or ``classifier.6``.

    The last `nn.Linear` in order of definition (torchvision's classifiers and étude's all end in one); None where
    the model has none, or it is the model's only layer with parameters.
    """
    names = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    if not names:
        return None
    own = {id(p) for p in model.get_submodule(names[-1]).parameters()}
    return names[-1] if any(id(p) not in own for p in model.parameters()) else None
