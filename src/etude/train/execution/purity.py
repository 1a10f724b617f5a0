"""Whether what a forward pass does follows from its input and its module alone, as its bytecode tells."""

from __future__ import annotations

import builtins
import dis
import types
from typing import Any

from torch import nn

_TRUSTED = frozenset({"torch", "torchvision", "etude", "math"})
_HARMLESS = frozenset(
    {"len", "range", "zip", "enumerate", "isinstance", "tuple", "list", "int", "float", "bool", "sum", "min", "max",
     "abs", "reversed", "sorted", "all", "any", "slice", "map", "round"}
)  # fmt: skip
_WITH_EFFECTS = frozenset(
    {"STORE_ATTR", "DELETE_ATTR", "STORE_GLOBAL", "DELETE_GLOBAL", "STORE_DEREF", "IMPORT_NAME", "YIELD_VALUE"}
)
_CHANGEABLE = (list, dict, set, bytearray)


def is_pure(module: nn.Module) -> bool:
    """Whether a graph of ``module``, made once, does what its code would do every time.

    Code that prints, counts, appends to a list, or reads a variable of its surroundings does more than a graph keeps.
    The layers of torch, torchvision and étude are known to do nothing of the kind; of other modules the bytecode is
    read: there may be no closures, no attributes set, no globals but those of torch and constants IN CAPITALS, and no
    attribute that is a list or a dictionary. In doubt the answer is no.
    """
    return all(_is_known(type(each)) or _reads_pure(each) for each in module.modules())


def _is_known(owner: Any) -> bool:
    return (getattr(owner, "__module__", None) or "").partition(".")[0] in _TRUSTED


def _reads_pure(module: nn.Module) -> bool:
    kind = type(module)
    if kind.__call__ is not nn.Module.__call__ or "forward" in vars(module):
        return False
    if any(isinstance(v, _CHANGEABLE) for name, v in vars(module).items() if not name.startswith("_")):
        return False
    return _is_pure_function(kind.forward, kind, set())


def _is_pure_function(function: Any, kind: type, seen: set[Any]) -> bool:
    if not isinstance(function, types.FunctionType) or function.__closure__:
        return False
    if function in seen:
        return True
    seen.add(function)
    return _is_pure_code(function.__code__, function.__globals__, kind, seen)


def _is_pure_code(code: types.CodeType, surroundings: dict[str, Any], kind: type, seen: set[Any]) -> bool:
    for step in dis.get_instructions(code):
        if step.opname in _WITH_EFFECTS:
            return False
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME") and not _is_harmless(step.argval, surroundings):
            return False
        if step.opname in ("LOAD_ATTR", "LOAD_METHOD") and not _is_harmless_attribute(step.argval, kind, seen):
            return False
    inner = [each for each in code.co_consts if isinstance(each, types.CodeType)]
    return all(_is_pure_code(each, surroundings, kind, seen) for each in inner)


def _is_harmless(name: str, surroundings: dict[str, Any]) -> bool:
    if name not in surroundings:
        return name in _HARMLESS and hasattr(builtins, name)
    value = surroundings[name]
    if isinstance(value, (int, float, str, tuple)):
        return name.isupper()
    owner = value if isinstance(value, types.ModuleType) else getattr(value, "__module__", None)
    root = owner.__name__ if isinstance(owner, types.ModuleType) else str(owner or "")
    return root.partition(".")[0] in _TRUSTED


def _is_harmless_attribute(name: str, kind: type, seen: set[Any]) -> bool:
    """An attribute that the module's own class defines is code of the person's as well; any other is data, or torch's."""
    found = next((vars(each)[name] for each in kind.__mro__ if name in vars(each)), None)
    if found is None or any(name in vars(each) for each in (nn.Module, object)):
        return True
    if isinstance(found, (staticmethod, classmethod)):
        found = found.__func__
    if isinstance(found, types.FunctionType):
        return _is_pure_function(found, kind, seen)
    return isinstance(found, (int, float, str, bool, type(None)))
