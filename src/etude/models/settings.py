"""The settings of a model, read off the keyword-only arguments of what builds it."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable
from typing import Any, Literal, get_args, get_origin, get_type_hints

from etude.core.errors import EtudeError, unknown
from etude.core.text import Text
from etude.models.entry import Model


def settings_of(model: Model) -> dict[str, Any]:
    """The names of a model's settings with their defaults, such as ``{"dropout": 0.0}``."""
    return {name: parameter.default for name, parameter in _parameters(model.build).items()}


def check_settings(model: Model, settings: dict[str, Any]) -> dict[str, Any]:
    """``settings`` as ``model.build`` takes them: a list becomes a tuple.

    Raises:
        EtudeError: the model has no such setting, or the value is not one that it can take.
    """
    kinds = _kinds(model)
    return {name: _checked(name, value, _kind(model, name, kinds)) for name, value in settings.items()}


def read_setting(model: Model, words: str) -> tuple[str, Any]:
    """A setting as typed on a command line: ``dropout=0.2``, ``widths=256,128``, ``batch_norm=true``.

    Raises:
        EtudeError: as `check_settings`; or there is no ``=``.
    """
    name, equals, value = words.partition("=")
    if not equals:
        raise EtudeError(
            en=f"'{words}' is not a setting; write it as NAME=VALUE, for example dropout=0.2.",
            zh=f"“{words}”不是设置项；请写成 名称=值，例如 dropout=0.2。",
        )
    name = name.strip().replace("-", "_")
    kind = _kind(model, name, _kinds(model))
    return name, _checked(name, _parsed(value.strip(), kind), kind)


def _parameters(build: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    fixed = build.keywords if isinstance(build, functools.partial) else {}
    return {
        name: parameter
        for name, parameter in inspect.signature(build).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY and name not in fixed
    }


def _kinds(model: Model) -> dict[str, Any]:
    build = model.build.func if isinstance(model.build, functools.partial) else model.build
    hints = get_type_hints(build.__init__ if inspect.isclass(build) else build)
    return {name: hints[name] for name in _parameters(model.build)}


def _kind(model: Model, name: str, kinds: dict[str, Any]) -> Any:
    if name in kinds:
        return kinds[name]
    if not kinds:
        raise EtudeError(
            en=f"{model.name} has no settings, so it cannot take '{name}'; leave it out.",
            zh=f"{model.name} 没有设置项，不能使用“{name}”；请去掉它。",
        )
    raise unknown(Text(en=f"setting of {model.name}", zh=f" {model.name} 设置项"), name, kinds)


def _parsed(words: str, kind: Any) -> Any:
    """The value that ``words`` spells, or ``words`` itself where they spell none: `_checked` then says so."""
    if kind is bool:
        return {"true": True, "yes": True, "false": False, "no": False}.get(words.lower(), words)
    try:
        if kind in (int, float):
            return kind(words)
        if get_origin(kind) is tuple:
            return tuple(int(word) for word in words.strip("()[]").split(",") if word.strip())
    except ValueError:
        pass
    return words


def _checked(name: str, value: Any, kind: Any) -> Any:
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            raise unknown(Text(en=f"choice for {name}", zh=f" {name} 选项"), str(value), get_args(kind))
        return value
    if kind is bool:
        return _demand(isinstance(value, bool), name, value, value, "true or false", "true 或 false")
    if get_origin(kind) is tuple:
        right = isinstance(value, list | tuple) and all(_is_whole(item) and item >= 1 for item in value)
        en, zh = "whole numbers of at least 1, such as 256,128", "不小于 1 的整数，例如 256,128"
        return _demand(right, name, value, tuple(value) if right else value, en, zh)
    if kind is int:
        return _demand(
            _is_whole(value) and value >= 1,
            name,
            value,
            value,
            "a whole number of at least 1",
            "不小于 1 的整数",
        )
    number = _is_whole(value) or (isinstance(value, float) and math.isfinite(value))
    if name.startswith("dropout"):
        right = number and 0 <= value < 1
        en, zh = "a probability, at least 0 and less than 1", "概率：不小于 0 且小于 1"
        return _demand(right, name, value, value, en, zh)
    return _demand(number, name, value, value, "a finite number", "有限的数")


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _demand(right: bool, name: str, given: Any, value: Any, en: str, zh: str) -> Any:
    if not right:
        raise EtudeError(en=f"{name} is '{given}'; it must be {en}.", zh=f"{name} 为“{given}”；它必须是{zh}。")
    return value
