"""What every other room may use, and nothing more."""

from etude.core.errors import EtudeError, NonFiniteLoss, unknown
from etude.core.text import Lang, Text, choose_language

__all__ = ["EtudeError", "Lang", "NonFiniteLoss", "Text", "choose_language", "unknown"]
