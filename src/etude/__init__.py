"""étude: a deep-learning course that runs.

Nothing heavy is imported here: torch loads when something that uses it is first touched.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_WHERE = {
    "Classification": "etude.tasks.classification",
    "Epoch": "etude.train.fit",
    "EtudeError": "etude.core.errors",
    "Recipe": "etude.train.recipe",
    "Regression": "etude.tasks.regression",
    "Run": "etude.train.run",
    "Session": "etude.train.session",
    "StackedModel": "etude.train.stacked",
    "State": "etude.train.state",
    "Step": "etude.train.fit",
    "Text": "etude.core.text",
    "build_model": "etude.models.catalog",
    "fit": "etude.train.fit",
    "fit_many": "etude.train.fit_many",
    "list_studies": "etude.study.catalog",
    "load_data": "etude.data.catalog",
    "load_study": "etude.study.catalog",
    "open_run": "etude.train.run",
    "resume_run": "etude.train.start",
    "start_run": "etude.train.start",
}

__all__ = ["__version__", *_WHERE]

if TYPE_CHECKING:
    from etude.core.errors import EtudeError
    from etude.core.text import Text
    from etude.data.catalog import load_data
    from etude.models.catalog import build_model
    from etude.study.catalog import list_studies, load_study
    from etude.tasks.classification import Classification
    from etude.tasks.regression import Regression
    from etude.train.fit import Epoch, Step, fit
    from etude.train.fit_many import fit_many
    from etude.train.recipe import Recipe
    from etude.train.run import Run, open_run
    from etude.train.session import Session
    from etude.train.stacked import StackedModel
    from etude.train.start import resume_run, start_run
    from etude.train.state import State


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(import_module(_WHERE[name]), name)
    raise AttributeError(f"module 'etude' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
