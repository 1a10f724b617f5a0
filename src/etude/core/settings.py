"""Typed settings: one description of a setting, from which flags, forms, checks and help all follow."""

from __future__ import annotations

import re
import types
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from etude.core.errors import EtudeError, unknown
from etude.core.text import Text, same


class Settings(BaseModel):
    """Base of every group of settings: frozen, and a name it does not know is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)


def setting(default: Any, *, about: Text, unit: str | Text = "", **bounds: Any) -> Any:
    """One setting: its default, what it means, its unit and its bounds (``ge``, ``gt``, ``le``, ``lt``)."""
    units = unit if isinstance(unit, Text) else same(unit)
    words: dict[str, Any] = {"zh": about.zh, "unit": units.en, "unit_zh": units.zh}
    return Field(default, description=about.en, json_schema_extra=words, **bounds)


def about(settings: type[BaseModel], name: str) -> Text:
    """What a setting means, in both languages."""
    return Text(en=settings.model_fields[name].description or "", zh=str(_extra(settings, name).get("zh", "")))


def unit_of(settings: type[BaseModel], name: str) -> Text:
    """The unit of a setting, in both languages; empty where it has none."""
    extra = _extra(settings, name)
    return Text(en=str(extra.get("unit", "")), zh=str(extra.get("unit_zh", "")))


def bounds_of(settings: type[BaseModel], name: str) -> tuple[float | None, float | None]:
    """The least and the greatest value of a setting; None where it is open."""
    marks = settings.model_fields[name].metadata
    low, high = (
        next((getattr(mark, key) for mark in marks for key in keys if hasattr(mark, key)), None)
        for keys in (("ge", "gt"), ("le", "lt"))
    )
    return low, high


def kinds(annotation: Any) -> tuple[Any, ...]:
    """The types an annotation admits, without None: ``int | None`` gives ``(int,)``."""
    if get_origin(annotation) in (Union, types.UnionType):
        return tuple(kind for part in get_args(annotation) for kind in kinds(part))
    return () if annotation is type(None) else (annotation,)


def choices(annotation: Any) -> tuple[str, ...]:
    """The values a ``Literal`` admits; empty for any other type."""
    return tuple(value for kind in kinds(annotation) if get_origin(kind) is Literal for value in get_args(kind))


def make(settings: type[BaseModel], values: dict[str, Any]) -> Any:
    """``settings(**values)``, with one clear sentence instead of a list of validation errors.

    Raises:
        EtudeError: a name is unknown or a value is out of bounds; the first such is named.
    """
    try:
        return settings(**values)
    except ValidationError as error:
        raise explain(error, settings) from None


def explain(error: ValidationError, settings: type[BaseModel]) -> EtudeError:
    """The first thing wrong, as a sentence: what was given, what was expected."""
    first = error.errors()[0]
    name = str(first["loc"][0]) if first["loc"] else ""
    given, kind, context = first.get("input"), first["type"], first.get("ctx", {})
    if kind == "extra_forbidden":
        return unknown(Text(en="setting", zh="设置项"), name, settings.model_fields)
    bounds = {
        "greater_than_equal": ("ge", "at least", "不小于"),
        "greater_than": ("gt", "greater than", "大于"),
        "less_than_equal": ("le", "at most", "不大于"),
        "less_than": ("lt", "less than", "小于"),
    }
    if kind in bounds:
        key, en, zh = bounds[kind]
        return EtudeError(
            en=f"{name} is {given}; it must be {en} {context[key]}.",
            zh=f"{name} 为 {given}；它必须{zh} {context[key]}。",
        )
    if kind == "literal_error":
        return unknown(
            Text(en=f"choice for {name}", zh=f" {name} 选项"),
            str(given),
            choices(settings.model_fields[name].annotation),
        )
    if kind == "finite_number":
        return EtudeError(
            en=f"{name} is {given}; it must be a finite number.", zh=f"{name} 为 {given}；它必须是有限的数。"
        )
    if kind == "value_error" and isinstance(context.get("error"), EtudeErrorValue):
        return context["error"].error
    if kind.startswith(("int", "float", "bool")):
        en, zh = {
            "i": ("a whole number", "整数"),
            "f": ("a number", "数字"),
            "b": ("true or false", "true 或 false"),
        }[kind[0]]
        return EtudeError(en=f"{name} is '{given}'; it must be {en}.", zh=f"{name} 为“{given}”；它必须是{zh}。")
    message = re.sub(r"^Value error, ", "", first["msg"])
    return EtudeError(en=f"{name} is '{given}': {message}.", zh=f"{name} 为“{given}”：{message}。")


def _extra(settings: type[BaseModel], name: str) -> dict[str, Any]:
    extra = settings.model_fields[name].json_schema_extra
    return extra if isinstance(extra, dict) else {}


class EtudeErrorValue(ValueError):
    """Carries a sentence in both languages out of a pydantic validator."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(en)
        self.error = EtudeError(en=en, zh=zh)
