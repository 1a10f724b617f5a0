"""Whether what a forward pass does follows from its input and its module alone, as its bytecode tells."""

from __future__ import annotations

import builtins
import dis
import math
import re
import types
from collections.abc import Iterable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

_TRUSTED = re.compile(r"(torch|torchvision|etude)(\.|$)")
_NAMESPACES = (torch, nn, F, torch.linalg, torch.fft, torch.special, math)
_STATE = re.compile(
    r"(is|are|set|get|use|has|init|import|autocast|clear)_|_|.*seed|.*rng|init|save|load|compile|export|vmap|fork|wait|"
    r"cond$|while_loop"
)
_HARMLESS = frozenset(
    {"len", "range", "zip", "enumerate", "tuple", "list", "int", "float", "bool", "sum", "min", "max", "abs",
     "reversed", "sorted", "all", "any", "slice", "map", "round", "ValueError", "RuntimeError", "TypeError"}
)  # fmt: skip
_OF_MODULES = frozenset(
    {"forward", "training", "children", "named_children", "modules", "named_modules", "parameters", "named_parameters",
     "buffers", "named_buffers", "get_submodule", "float", "double", "half", "bfloat16", "type", "to"}
)  # fmt: skip
_STEPS = re.compile(
    r"(RESUME|NOP|CACHE|EXTENDED_ARG|PRECALL|PUSH_NULL|KW_NAMES|NOT_TAKEN|TO_BOOL|COPY|SWAP|POP_TOP|POP_ITER|END_FOR)$"
    r"|(LOAD_(GLOBAL|ATTR|METHOD|CONST|SMALL_INT|DEREF|CLOSURE|ASSERTION_ERROR|COMMON_CONSTANT)|(STORE|DELETE)_DEREF)$"
    r"|(LOAD|STORE|DELETE)_FAST|(RETURN_(VALUE|CONST)|RAISE_VARARGS|RERAISE)$|(POP_JUMP|JUMP)_|(GET_ITER|FOR_ITER)$"
    r"|(MAKE_CELL|COPY_FREE_VARS|MAKE_FUNCTION|SET_FUNCTION_ATTRIBUTE)$|CALL|UNPACK_|UNARY_|COMPARE_OP$|CONTAINS_OP$"
    r"|BINARY_(OP|SUBSCR|SLICE)$|BUILD_(TUPLE|LIST|MAP|SET|SLICE|CONST_KEY_MAP)$"
    r"|(LIST|SET|DICT)_(APPEND|ADD|EXTEND|UPDATE|MERGE)$|MAP_ADD$|LIST_TO_TUPLE$"
)
"""Instructions of CPython 3.11 to 3.14 that touch nothing but local values; one that is not known here is not trusted."""

_DUNDERS = frozenset({"__init__", "__repr__", "__str__", "__getstate__", "__setstate__", "__annotate__", "__annotate_func__"})  # fmt: skip
_OWN = frozenset(vars(nn.Module()))  # the attributes that every module has


def is_pure(module: nn.Module) -> bool:
    """Whether a graph of ``module``, made once, does what its code would do every time.

    Code that prints, counts, appends to a list, reads a variable of its surroundings, or switches gradients off for a
    while does more than a graph keeps. The layers of torch, torchvision and étude are known to do nothing of the kind; of
    other modules the bytecode is read. There may be no closures, no attributes set, no globals but operations of torch
    and constants IN CAPITALS, no ``with`` and no ``try``, and no attribute but numbers, words, tuples of them,
    functions and layers. In doubt the answer is no.
    """
    modules = list(module.modules())
    if any("forward" in vars(each) for each in modules):
        return False
    others = [each for each in modules if not is_known(type(each))]
    kinds = list(dict.fromkeys(type(each) for each in others))
    reader = _Reader(kinds)
    return (
        all(_is_ordinary(kind) for kind in kinds)
        and all(reader.is_function(kind.forward) for kind in kinds)
        and all(
            reader.is_data(value) for each in others for name, value in vars(each).items() if name not in _OWN
        )
    )


def is_known(kind: type[nn.Module]) -> bool:
    """Whether a class of modules, its forward pass included, is one of torch's, torchvision's or étude's."""
    return _is_trusted(kind) and _is_trusted(kind.forward)


def own_classes(kind: type) -> list[type]:
    """Those of a class and its bases that a person wrote."""
    return [each for each in kind.__mro__ if each is not object and not _is_trusted(each)]


def sets_attributes(kind: type) -> bool:
    """Whether the methods a person wrote in a class, but for its constructor, keep something in ``self``."""
    return any(
        step.opname in ("STORE_ATTR", "DELETE_ATTR") or step.argval == "setattr" for step in _steps_of(kind)
    )


def takes_gradients(kind: type) -> bool:
    """Whether the methods a person wrote in a class take gradients themselves, perhaps to be differentiated again."""
    return any(step.argval in ("autograd", "grad", "func", "functional_call") for step in _steps_of(kind))


def _steps_of(kind: type) -> list[dis.Instruction]:
    """The instructions of the methods a person wrote in a class, but for its constructor."""
    functions = [
        found
        for each in own_classes(kind)
        for name, found in vars(each).items()
        if isinstance(found, types.FunctionType) and name != "__init__"
    ]
    codes = [code for function in functions for code in _with_inner(function.__code__)]
    return [step for code in codes for step in dis.get_instructions(code)]


class _Reader:
    """Reads functions, each once. An attribute may be of any of the classes: the receiver cannot be told from the code."""

    def __init__(self, kinds: list[type]) -> None:
        self._classes = list(dict.fromkeys(each for kind in kinds for each in own_classes(kind)))
        self._seen: set[Any] = set()

    def is_function(self, function: Any) -> bool:
        if _is_operation(function) or (isinstance(function, types.FunctionType) and _is_trusted(function)):
            return True
        if not isinstance(function, types.FunctionType) or function.__closure__:
            return False
        if function in self._seen:
            return True
        self._seen.add(function)
        defaults = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
        codes = _with_inner(function.__code__)
        return all(_is_constant(value) for value in defaults) and all(
            self._is_code(code, function.__globals__) for code in codes
        )

    def is_data(self, value: Any) -> bool:
        """Whether an attribute of a module is a constant or a pure function."""
        return _is_constant(value) or self.is_function(value)

    def _is_code(self, code: types.CodeType, surroundings: dict[str, Any]) -> bool:
        steps = [step for step in dis.get_instructions(code) if step.opname != "EXTENDED_ARG"]
        for place, step in enumerate(steps):
            if step.opname == "IS_OP":  # two stand-ins of one tensor are not identical, but neither is None
                if steps[place - 1].argval is not None:
                    return False
            elif (
                not _STEPS.match(step.opname)
                or (
                    step.opname == "LOAD_GLOBAL"
                    and not self._is_global(step.argval, surroundings, steps[place + 1 :])
                )
                or (step.opname in ("LOAD_ATTR", "LOAD_METHOD") and not self._is_attribute(step.argval))
            ):
                return False
        return True

    def _is_global(self, name: str, surroundings: dict[str, Any], after: Iterable[dis.Instruction]) -> bool:
        if name not in surroundings:
            return name in _HARMLESS and hasattr(builtins, name)
        value = surroundings[name]
        if not isinstance(value, types.ModuleType):
            return name.isupper() if _is_constant(value) else _is_operation(value)
        for step in after:
            if step.opname not in ("LOAD_ATTR", "LOAD_METHOD") or value not in _NAMESPACES:
                return False
            value = getattr(value, step.argval, None)
            if not isinstance(value, types.ModuleType):
                return value is not None and (_is_constant(value) or _is_operation(value))
        return False

    def _is_attribute(self, name: str) -> bool:
        found = [vars(each)[name] for each in self._classes if name in vars(each)]
        functions = [each.__func__ if isinstance(each, staticmethod | classmethod) else each for each in found]
        if not all(self.is_data(each) for each in functions):
            return False
        return bool(found) or name in _OF_MODULES or not (hasattr(nn.Module, name) or name.startswith("reset_"))


def _is_trusted(owner: Any) -> bool:
    return bool(_TRUSTED.match(getattr(owner, "__module__", None) or ""))


def _is_ordinary(kind: type) -> bool:
    """Whether calls, attributes and operators of a class mean what they mean for every module."""
    return not any(
        name.startswith("__") and name.endswith("__") and name not in _DUNDERS and callable(found)
        for each in own_classes(kind)
        for name, found in vars(each).items()
    )


def _is_constant(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(_is_constant(each) for each in value)
    kinds = (int, float, str, bool, type(None), slice, torch.dtype, torch.device, torch.memory_format)
    return type(value) in kinds


def _is_operation(value: Any) -> bool:
    """Whether it is a function of torch, or of mathematics, that neither reads nor changes a state."""
    name = getattr(value, "__name__", "")
    if not isinstance(value, types.FunctionType | types.BuiltinFunctionType) or _STATE.match(name):
        return False
    return any(getattr(space, name, None) is value for space in _NAMESPACES)


def _with_inner(code: types.CodeType) -> list[types.CodeType]:
    """A function's code and that of the functions and comprehensions in it."""
    inner = [each for each in code.co_consts if isinstance(each, types.CodeType)]
    return [code, *(each for one in inner for each in _with_inner(one))]
