"""Many networks of one structure held as one: every parameter has the members as its first dimension."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from etude.core.devices import choose_device
from etude.core.errors import EtudeError
from etude.core.seeds import seed_everything
from etude.data.batches import EVALUATION_BATCH_SIZE
from etude.train.recipe import Recipe
from etude.train.stacked_layers import Pass, StackedLayers, Unstackable, drop_by_member


class StackedModel:
    """Networks that differ in values only, trained together by `etude.train.fit_many.fit_many`.

    Known layers (linear, convolution, pooling, batch normalisation, dropout, activations) run as batched
    products and grouped convolutions; any other network is mapped over its members by `torch.func.vmap`.

    Args:
        models: the members. The same layers and shapes; parameters, buffers and the probabilities of
            `nn.Dropout` may differ. They are copied.
        device: where the stack lives.

    Attributes:
        parameters: of all members, by the name in the lone network: ``[members, …]``; what is trained.
        buffers: the same of its buffers.

    Raises:
        EtudeError: there is no member, or members differ in more than values.
    """

    def __init__(self, models: Sequence[nn.Module], device: torch.device | str = "cpu") -> None:
        _check_alike(models)
        self._lone = [copy.deepcopy(model).to(device) for model in models]
        self._shape = copy.deepcopy(self._lone[0])
        for module in self._shape.modules():
            if hasattr(module, "inplace"):  # would write into what other members, or the caller, still need
                module.inplace = False  # type: ignore[assignment]
        self.parameters = {
            name: torch.stack([model.get_parameter(name).detach() for model in self._lone])
            for name, _ in self._shape.named_parameters()
        }
        for name, parameter in self._shape.named_parameters():
            self.parameters[name].requires_grad_(parameter.requires_grad)
        self.buffers = {
            name: torch.stack([dict(m.named_buffers())[name] for m in self._lone])
            for name, _ in self._lone[0].named_buffers()
        }
        drops = {
            name: torch.tensor([m.get_submodule(name).p for m in self._lone])  # type: ignore[arg-type]
            for name, module in self._shape.named_modules()
            if type(module) is nn.Dropout
        }
        self._layers: StackedLayers | None = None
        self._tried = False
        with contextlib.suppress(Unstackable):
            self._layers = StackedLayers(self._shape, drops) if not _tied(self._shape) else None
        self._keep = _use_member_dropout(self._shape, drops, device)

    @classmethod
    def begin(cls, make_model: Callable[[], nn.Module], recipes: Sequence[Recipe]) -> StackedModel:
        """One member a recipe, each made after seeding with its recipe's seed, as a lone run would be.

        The default generators are left as the last member's making leaves them.
        """
        models = []
        for recipe in recipes:
            seed_everything(recipe.seed)
            models.append(make_model())
        return cls(models, choose_device(recipes[0].device) if recipes else "cpu")

    def __len__(self) -> int:
        """The number of members."""
        return len(self._lone)

    @property
    def device(self) -> torch.device:
        return next(iter(self.parameters.values())).device

    @property
    def dtype(self) -> torch.dtype:
        return next(iter(self.parameters.values())).dtype

    @property
    def engine(self) -> str:
        """``layers`` (batched products and grouped convolutions) or ``vmap``."""
        return "vmap" if self._layers is None else "layers"

    @torch.no_grad()
    def member(self, index: int) -> nn.Module:
        """Member ``index`` as an ordinary network with the weights it has now, in evaluation mode; a copy."""
        model = copy.deepcopy(self._lone[index])
        for name, parameter in model.named_parameters():
            parameter.copy_(self.parameters[name][index])
        for name, buffer in model.named_buffers():
            buffer.copy_(self.buffers[name][index])
        return model.eval()

    def members(self) -> Iterator[nn.Module]:
        """All members, one after another."""
        return (self.member(index) for index in range(len(self)))

    @torch.no_grad()
    def __call__(self, inputs: Tensor) -> Tensor:
        """What all members answer to the same ``inputs`` ``[n, …]``: ``[members, n, …]``, in evaluation mode."""
        inputs = inputs.to(self.device)
        chunks = inputs.split(EVALUATION_BATCH_SIZE) if len(inputs) else (inputs,)
        return torch.cat([self.outputs(chunk, shared=True, training=False) for chunk in chunks], dim=1)

    def outputs(self, inputs: Tensor, shared: bool, training: bool) -> Tensor:
        """Outputs ``[members, n, …]`` for inputs ``[members, n, …]``, or ``[n, …]`` where ``shared``.

        In training mode chance is drawn for each member by itself, and running statistics are updated.
        """
        if not self._tried and self._layers is not None:
            self._try(inputs if shared else inputs[0])
        if self._layers is not None:
            run = Pass(len(self), {**self.parameters, **self.buffers}, training)
            return self._layers(run, inputs, shared)
        return self._mapped(inputs, shared, training)

    @torch.no_grad()
    def _try(self, inputs: Tensor) -> None:
        """Whether the known layers can take inputs of this shape; found out where nothing is changed by it."""
        self._tried = True
        try:
            run = Pass(len(self), {**self.parameters, **self.buffers}, training=False)
            self._layers(run, inputs[:1], True)  # type: ignore[misc]
        except Unstackable:
            self._layers = None

    def _mapped(self, inputs: Tensor, shared: bool, training: bool) -> Tensor:
        self._shape.train(training)

        def lone(parameters: dict[str, Tensor], buffers: dict[str, Tensor], inputs: Tensor) -> Any:
            return functional_call(self._shape, (parameters, buffers), (inputs,))

        mapped = vmap(lone, in_dims=(0, 0, None if shared else 0), randomness="different")
        return mapped(self.parameters, {**self.buffers, **self._keep}, inputs)


class _MemberDropout(nn.Module):
    """Dropout whose probability is a tensor, so that it can differ from member to member."""

    keep: Tensor

    def __init__(self, keep: Tensor) -> None:
        super().__init__()
        self.register_buffer("keep", keep)

    def forward(self, x: Tensor) -> Tensor:
        return drop_by_member(x, self.keep.to(x.dtype)) if self.training else x


def _use_member_dropout(
    model: nn.Module, drops: dict[str, Tensor], device: torch.device | str
) -> dict[str, Tensor]:
    """Put it where members differ; the probabilities of keeping, by the name of the buffer that holds them."""
    keep = {}
    for name, probabilities in drops.items():
        if name and (probabilities != probabilities[0]).any():
            keep[f"{name}.keep"] = (1 - probabilities).to(device)
            model.set_submodule(name, _MemberDropout(keep[f"{name}.keep"][0]))
    return keep


def _tied(model: nn.Module) -> bool:
    return len(list(model.parameters())) < len(list(model.named_parameters(remove_duplicate=False)))


def _check_alike(models: Sequence[nn.Module]) -> None:
    if not models:
        raise EtudeError(
            en="There is no member to train; give at least one.", zh="没有可训练的成员；请至少给出一个。"
        )
    if not any(parameter.requires_grad for parameter in models[0].parameters()):
        raise EtudeError(
            en=f"{type(models[0]).__name__} has no parameter to train; give a model whose parameters want a gradient.",
            zh=f"{type(models[0]).__name__} 没有可训练的参数；请给出参数需要梯度的模型。",
        )
    first = _structure(models[0])
    for index, model in enumerate(models):
        other = _structure(model)
        name = next((key for key in {**first, **other} if first.get(key) != other.get(key)), None)
        if name is not None:
            raise EtudeError(
                en=f"Member {index} differs from member 0 in '{name}' ({other.get(name)}, not {first.get(name)}); members "
                "may differ in the values of parameters and in the probability of nn.Dropout only.",
                zh=f"第 {index} 个成员与第 0 个成员的“{name}”不同（{other.get(name)}，而不是 {first.get(name)}）；"
                "各成员只能在参数的数值和 nn.Dropout 的概率上有所不同。",
            )


def _structure(model: nn.Module) -> dict[str, Any]:
    """All that members must have in common: layers, their plain settings, shapes and types of tensors."""
    found: dict[str, Any] = {}
    for path, module in model.named_modules():
        found[path or "model"] = type(module).__qualname__
        for name, value in vars(module).items():
            free = name == "training" or (name == "p" and type(module) is nn.Dropout)
            if not free and isinstance(value, (bool, int, float, str, tuple, type(None))):
                found[f"{path}.{name}".lstrip(".")] = repr(value)
    tensors = [*model.named_parameters(), *model.named_buffers()]
    return found | {f"{name} ": (tuple(t.shape), str(t.dtype), t.requires_grad) for name, t in tensors}
