"""What the catalogue knows about a model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etude.core.text import Text

if TYPE_CHECKING:
    from torch import nn

Shape = tuple[int, ...]
"""``(channels, height, width)`` of one image, or ``(num_features,)`` of one row of a table."""


@dataclass(frozen=True)
class Model:
    """One architecture of the catalogue.

    Args:
        name: what it is asked for by, such as ``lenet5``.
        title: what it is, in a few words.
        source: where it was published: authors, year, section.
        build: called as ``build(input_shape, num_classes, **settings)``. Its keyword-only arguments are the
            model's settings; one that a `functools.partial` has filled in is fixed, and no setting.
        input_shape: of the examples it was published for, or those of the course.
        num_classes: the number of classes it was published for, or those of the course; 1 for a number.
        notes: one sentence worth knowing before choosing it.
        smallest: the least height and width, in pixels, that leaves something after the last pooling.
        takes_tables: whether it can be built for a row of a table, ``(num_features,)``, as well as for an image.
        gives_numbers: whether it can be built for regression: one output, which is a number and not a class.
    """

    name: str
    title: Text
    source: str
    build: Callable[..., nn.Module]
    input_shape: Shape
    num_classes: int
    notes: Text
    smallest: int = 1
    takes_tables: bool = False
    gives_numbers: bool = False
