"""Flags derived from typed settings: each setting is described once, in its model."""

from __future__ import annotations

import argparse
from typing import Any

from pydantic import BaseModel

from etude.cli.parser import Parser
from etude.core.settings import about, choices, kinds


def add_settings(parser: Parser, settings: type[BaseModel], title: str) -> None:
    """One flag for each setting; a flag that is not given leaves None."""
    group = parser.add_argument_group(title)
    for name, field in settings.model_fields.items():
        words = about(settings, name).to(parser.lang).replace("%", "%%")
        flag = "--" + name.replace("_", "-")
        kind = kinds(field.annotation)[0]
        options: dict[str, Any] = {"dest": name, "default": None, "help": words}
        if kind is bool:
            group.add_argument(flag, action=argparse.BooleanOptionalAction, **options)
        elif listed := choices(field.annotation):
            group.add_argument(flag, metavar="|".join(listed), **options)
        else:
            unit = (field.json_schema_extra or {}).get("unit", "")  # type: ignore[union-attr]
            group.add_argument(flag, metavar=_metavar(kind, str(unit)), **options)


def chosen(arguments: argparse.Namespace, settings: type[BaseModel]) -> dict[str, Any]:
    """The settings that were given; checking them is the settings' own affair."""
    given = {name: getattr(arguments, name) for name in settings.model_fields}
    return {name: value for name, value in given.items() if value is not None}


def _metavar(kind: Any, unit: str) -> str:
    if kind is str:
        return "NAME"
    return "N" if kind is int else "X"
