"""What every test may use: places of their own, and the real data where it is at hand."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="session", autouse=True)
def _own_places(tmp_path_factory):
    """No test reads or writes the caches, data or runs of the person who runs it."""
    home = tmp_path_factory.mktemp("home")
    places = {
        "ETUDE_CACHE": str(home / "cache"),
        "ETUDE_DATA": str(home / "data"),
        "ETUDE_RUNS": str(home / "runs"),
        "ETUDE_STORE": str(home / "studies.sqlite"),
        "ETUDE_LANG": "en",
    }
    before = {name: os.environ.get(name) for name in places}
    os.environ.update(places)
    yield
    for name, value in before.items():
        if value is None:
            os.environ.pop(name)
        else:
            os.environ[name] = value


@pytest.fixture(autouse=True)
def _arithmetic_as_it_was():
    """The command line has denormals flushed in its process; a test that runs it in this one must not pass that on."""
    yield
    if torch := sys.modules.get("torch"):
        torch.set_flush_denormal(False)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data that lies beside the checkout on the developers' machines; skips without it."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs ../shared/data, which lies beside the checkout on the developers' machines only")
    return folder
