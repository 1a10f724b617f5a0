"""The head of a network: the last layer, which says the classes; all below it is the backbone."""

from __future__ import annotations

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from etude.core.errors import EtudeError


def find_head(model: nn.Module) -> str | None:
    """The dotted name of the layer whose outputs are the logits, such as ``fc`` or ``classifier.6``.

    The last `nn.Linear` in order of definition, which it is in étude's models and torchvision's; of a network
    without any, such as SqueezeNet, the last `nn.Conv2d`. None where the model has neither, or nothing below it has
    parameters.
    """
    named = dict(model.named_modules())
    for kind in (nn.Linear, nn.Conv2d):
        names = [name for name, module in named.items() if isinstance(module, kind)]
        if names:
            own = {id(p) for p in named[names[-1]].parameters()}
            return names[-1] if any(id(p) not in own for p in model.parameters()) else None
    return None


def freeze_below_head(model: nn.Module) -> None:
    """Let only the head learn: nothing below it wants a gradient any more. Train it with `set_training`.

    Raises:
        EtudeError: the model has no head with a backbone below it.
    """
    head = find_head(model)
    if head is None:
        raise EtudeError(
            en=f"{type(model).__name__} has no layers below its last one, so there is nothing to freeze; leave out --freeze.",
            zh=f"{type(model).__name__} 的最后一层以下没有可冻结的层；请去掉 --freeze。",
        )
    model.requires_grad_(False)
    model.get_submodule(head).requires_grad_(True)


def set_training(model: nn.Module) -> None:
    """Training mode, in which what is frozen stays as it is: frozen layers are put in evaluation mode.

    A module counts as frozen if it has parameters and none of them wants a gradient. In training mode the batch norms
    among them would go on moving their running statistics, and what was learnt above them would not fit any more.
    Dropout between the backbone and the head stays active.
    """
    model.train()
    if not all(p.requires_grad for p in model.parameters()):
        _put_frozen_to_eval(model)


class TrainingMode:
    """`set_training` of one model, for a loop that asks for it at every step: it looks before it sets.

    Layers that are added or replaced later are not seen.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._modules, self._parameters = list(model.modules()), list(model.parameters())
        self._known: tuple[list[bool], list[bool]] | None = None

    def set(self) -> None:
        """Put every layer in the mode in which it is trained."""
        if self._known != self._found():
            set_training(self._model)
            self._known = self._found()

    def _found(self) -> tuple[list[bool], list[bool]]:
        return [m.training for m in self._modules], [p.requires_grad for p in self._parameters]


def _put_frozen_to_eval(module: nn.Module) -> tuple[bool, bool]:
    """Whether ``module`` has parameters, and whether one of them wants a gradient."""
    has = wants = False
    for parameter in module._parameters.values():
        if parameter is not None:
            has, wants = True, wants or parameter.requires_grad
    for child in module.children():
        of_child = _put_frozen_to_eval(child)
        has, wants = has or of_child[0], wants or of_child[1]
    # a norm without scale and shift has no parameters that would tell: it is part of the backbone
    if (has and not wants) or (not has and isinstance(module, _BatchNorm)):
        module.eval()
    return has, wants
