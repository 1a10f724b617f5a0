"""What a result depends on, as a hash: the code that made it, the knobs, the version of torch, the device, the data.

Two hashes, because figures and sentences are made anew each time: `rows_key` covers what ``measure`` reaches, so that an
edit of a figure does not measure again; `verdict_key` covers the whole file, and the étude modules imported by either.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import json
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import etude
from etude.study.knobs import BaseKnobs
from etude.study.study import Study

_FORMAT = 1
_ROOT = Path(next(iter(etude.__path__)))


def rows_key(study: Study, knobs: BaseKnobs) -> str:
    """The hash of all that the rows of ``study`` depend on, seeds aside."""
    tree = ast.parse(study.path.read_bytes())
    reached = list(_reached(tree, ("measure", "Knobs")))
    modules = _closure([*_imports(reached), *_data(study)])
    # the contract measures nothing: an edit of its wording leaves all rows as they are
    code = {name: digest for name, digest in modules.items() if not name.startswith("etude.study")}
    return _hash("\n".join(ast.dump(node) for node in reached), code, knobs.model_dump(), study.chunk)


def verdict_key(study: Study, knobs: BaseKnobs) -> str:
    """The hash of the study's whole file and of every étude module it imports, directly or not."""
    source = study.path.read_bytes()
    code = _closure([*_imports([ast.parse(source)]), *_data(study)])
    return _hash(hashlib.sha256(source).hexdigest(), code, knobs.model_dump(), study.chunk)


def _hash(own: str, code: dict[str, str], knobs: dict[str, Any], chunk: int) -> str:
    try:
        torch = version("torch")
    except PackageNotFoundError:
        torch = "none"
    content = {
        "format": _FORMAT, "own": own, "code": code, "knobs": knobs, "chunk": chunk, "torch": torch, "device": "cpu",
    }  # fmt: skip
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _data(study: Study) -> list[str]:
    """The modules that name the hashes of the data sets' files: the data's fingerprint."""
    return [f"etude.data.named.{name.replace('-', '_')}" for name in study.data]


def _reached(tree: ast.Module, roots: Iterable[str]) -> Iterator[ast.stmt]:
    """The top-level statements that ``roots`` need, directly or not, in the file's order."""
    binds = {statement: _bound(statement) for statement in tree.body}
    wanted, open_names = set(), list(roots)
    seen: set[str] = set(open_names)
    while open_names:
        name = open_names.pop()
        for statement in (s for s, names in binds.items() if name in names):
            wanted.add(statement)
            for node in ast.walk(statement):
                if isinstance(node, ast.Name) and node.id not in seen:
                    seen.add(node.id)
                    open_names.append(node.id)
    return (s for s in tree.body if s in wanted)


def _bound(statement: ast.stmt) -> set[str]:
    """The names that a top-level statement gives a meaning to."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return {statement.name}
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return {(alias.asname or alias.name).partition(".")[0] for alias in statement.names}
    return {
        node.id
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }


def _closure(names: Iterable[str]) -> dict[str, str]:
    """The modules ``names`` and all étude modules that they import, with the hash of each file."""
    found: dict[str, str] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in found or name == "etude" or (path := _file(name)) is None:
            continue
        source = path.read_bytes()
        found[name] = hashlib.sha256(source).hexdigest()
        waiting += _imports_of_file(path, source)
    return found


@functools.lru_cache(maxsize=512)
def _imports_of_file(path: Path, source: bytes) -> tuple[str, ...]:
    return tuple(_imports([ast.parse(source)]))


def _imports(trees: Iterable[ast.AST]) -> Iterator[str]:
    """The étude modules that some code imports anywhere, those for type checkers aside."""
    for tree in trees:
        waiting: list[ast.AST] = [tree]
        while waiting:
            node = waiting.pop()
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
                waiting += node.orelse
                continue
            waiting += ast.iter_child_nodes(node)
            yield from _named(node)


def _named(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if alias.name.startswith("etude."))
    elif isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] == "etude":
        for alias in node.names:
            inner = f"{node.module}.{alias.name}"
            yield inner if _file(inner) else etude._WHERE.get(alias.name, node.module)
            yield node.module
    elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "etude":
        yield etude._WHERE.get(node.attr, f"etude.{node.attr}")  # etude.fit, after `import etude`


def _file(name: str) -> Path | None:
    place = _ROOT.joinpath(*name.split(".")[1:])
    for path in (place.with_suffix(".py"), place / "__init__.py"):
        if path.is_file():
            return path
    return None
