"""Flags derived from typed settings: each setting is described once, in its model."""

from __future__ import annotations

import argparse
from typing import Any

from pydantic import BaseModel

from etude.cli.parser import Parser
from etude.core.settings import about, bounds_of, choices, kinds, unit_of
from etude.core.text import Text


def add_settings(parser: Parser, settings: type[BaseModel], title: str, ranges: bool = False) -> None:
    """One flag for each setting; a flag that is not given leaves None. ``ranges``: the help tells default and bounds."""
    group = parser.add_argument_group(title)
    for name, field in settings.model_fields.items():
        words = about(settings, name).to(parser.lang)
        words = (words + _range(settings, name, parser) if ranges else words).replace("%", "%%")
        flag = "--" + name.replace("_", "-")
        kind = kinds(field.annotation)[0]
        options: dict[str, Any] = {"dest": name, "default": None, "help": words}
        if kind is bool:
            group.add_argument(flag, action=argparse.BooleanOptionalAction, **options)
        elif listed := choices(field.annotation):
            group.add_argument(flag, metavar="|".join(listed), **options)
        else:
            group.add_argument(flag, metavar=_metavar(kind), **options)


def chosen(arguments: argparse.Namespace, settings: type[BaseModel]) -> dict[str, Any]:
    """The settings that were given; checking them is the settings' own affair."""
    given = {name: getattr(arguments, name) for name in settings.model_fields}
    return {name: value for name, value in given.items() if value is not None}


def _range(settings: type[BaseModel], name: str, parser: Parser) -> str:
    """Default, bounds and unit, such as " (7; 2 to 50 layers)"."""
    (low, high), unit = bounds_of(settings, name), unit_of(settings, name).to(parser.lang)
    between = Text(en="{low} to {high}", zh="{low} 至 {high}")
    if low is None or high is None:
        between = (
            Text(en="at least {low}", zh="不小于 {low}")
            if high is None
            else Text(en="at most {high}", zh="不大于 {high}")
        )
    bounds = "" if low is None and high is None else "; " + between.format(low=low, high=high).to(parser.lang)
    default = settings.model_fields[name].default
    said = (
        f"{str(default).lower() if isinstance(default, bool) else default}{bounds}{' ' + unit if unit else ''}"
    )
    return f" ({said})" if parser.lang == "en" else f"（{said.replace('; ', '；')}）"


def _metavar(kind: Any) -> str:
    if kind is str:
        return "NAME"
    return "N" if kind is int else "X"
