"""What ImageNet and sets made like it keep beside their pictures: words for the classes, labels of flat parts.

Their class folders are named by WordNet's numbers (``n01440764``), and their validation pictures often lie in one
folder, labelled by a list.
"""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

_WORDNET = re.compile(r"n[0-9]{8}")
_WORDS = ("LOC_synset_mapping.txt", "words.txt", "imagenet_class_index.json", "classes.txt")
_LABELS = {"val": ("val_annotations.txt", "LOC_val_solution.csv"), "test": ("test_annotations.txt",)}
_ABOVE = 4  # Kaggle's ImageNet keeps its lists beside ILSVRC, above its parts in ILSVRC/Data/CLS-LOC

LISTS = frozenset(_WORDS) | {name for names in _LABELS.values() for name in names} | {"wnids.txt"}
"""Files that belong to such a set and are no pictures."""


def class_words(folder: Path, classes: Iterable[str]) -> dict[str, str]:
    """A word for each class named by a WordNet number: ``{"n01440764": "tench"}``.

    Read from the first of ``LOC_synset_mapping.txt``, ``words.txt``, ``imagenet_class_index.json`` and ``classes.txt``
    that knows one of them, in the folder or above it. Two classes of one word (ImageNet has two cranes: a bird and a
    machine) keep their number beside it.

    Args:
        folder: the folder of the set, or one of its parts.
        classes: names of class folders; those that are no WordNet numbers are left alone.
    """
    numbers = {name for name in classes if _WORDNET.fullmatch(name)}
    if not numbers:
        return {}
    for path in _near(folder, _WORDS):
        found = {number: words for number, words in _read_words(path) if number in numbers}
        if found:
            words = {number: _first(text) or number for number, text in found.items()}
            often = Counter(words.values())
            return {
                number: word if often[word] == 1 or word == number else f"{word} ({number})"
                for number, word in words.items()
            }
    return {}


def flat_labels(folder: Path, part: str) -> dict[str, str]:
    """The class folder in which each picture of a flat part would lie, by file name; empty where no list tells.

    Tiny ImageNet's ``val_annotations.txt`` (name, class, box; by tabs) lies in the part, Kaggle's
    ``LOC_val_solution.csv`` (name without ending, class and boxes) above it.

    Args:
        folder: of the part.
        part: ``"val"`` or ``"test"``.
    """
    for path in _near(folder, _LABELS[part]):
        labels = {}
        for line in _lines(path):
            name, _, rest = line.replace(",", "\t", 1).partition("\t")
            label = rest.split()[0] if rest.split() else ""
            if name and _WORDNET.fullmatch(label):
                labels[name] = label
        if labels:
            return labels
    return {}


def _near(folder: Path, names: Iterable[str]) -> Iterator[Path]:
    """Files of these names in the folder, else in those above it."""
    place = folder.absolute()
    for above in (place, *list(place.parents)[:_ABOVE]):
        for name in names:
            if (above / name).is_file():
                yield above / name


def _read_words(path: Path) -> Iterator[tuple[str, str]]:
    """Number and words of each class in a file; nothing where it is something else."""
    if path.suffix == ".json":  # {"0": ["n01440764", "tench"], …}
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return
        for pair in content.values() if isinstance(content, dict) else ():
            if isinstance(pair, list) and len(pair) == 2 and all(isinstance(each, str) for each in pair):
                yield pair[0], pair[1].replace("_", " ")
        return
    for line in _lines(path):
        number, *words = re.split(r"[\s,:]+", line.strip(), maxsplit=1)
        if words:
            yield number, words[0]


def _first(words: str) -> str:
    """The first of several names for the same: ``"tench, Tinca tinca"`` is a tench."""
    return next(csv.reader([words]), [""])[0].strip()


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
