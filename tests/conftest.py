"""What every test may use: places of their own, a small study to break, and the real data where it is at hand."""

from __future__ import annotations

import os
import sys
import tarfile
import textwrap
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


@pytest.fixture(scope="session")
def real_set(real_data, tmp_path_factory):
    """The folder of a data set that is not bundled, by its name: from the real data, unpacked; skips without it."""

    def folder(name: str) -> Path:
        packed = real_data / f"{name}-jpg.tar"
        if packed.is_file():
            unpacked = tmp_path_factory.getbasetemp() / name
            if not unpacked.exists():
                with tarfile.open(packed) as archive:
                    archive.extractall(unpacked, filter="data")
            return unpacked
        if not (real_data / name).is_dir():
            pytest.skip(f"{name} is not among the real data")
        return real_data / name

    return folder


TOY = '''
"""On is more than off."""
from etude.core.text import Text
from etude.study import BaseKnobs, Row, knob, paired_difference

TITLE = Text(en="Toy", zh="玩具")
CLAIM = Text(en="On is more than off.", zh="开大于关。")
SOURCE = "nobody 2020"
PREDICTED = "holds"
QUICK = {"size": 2}
BUDGET_S = 5


class Knobs(BaseKnobs):
    size: int = knob(3, ge=1, le=50, about=Text(en="how much", zh="多少"))


def measure(knobs, seeds):
    import random

    for seed in seeds:
        chance = random.Random(seed)
        for group in ("on", "off"):
            yield Row(seed=seed, group=group, value=chance.random() + (knobs.size if group == "on" else 0))


def verdict(rows):
    return paired_difference(
        rows, "value", by="group", greater="on", lesser="off", margin=1.0, what=Text(en="on minus off", zh="开减关")
    )


def figure(rows, lang):
    from matplotlib.figure import Figure

    figure = Figure()
    axes = figure.subplots()
    axes.plot(rows.column("value"), label={"en": "a number", "zh": "数值"}[lang])
    axes.set_xlabel({"en": "row", "zh": "行"}[lang])
    axes.set_ylabel({"en": "value (1)", "zh": "数值（1）"}[lang])
    return figure
'''


@pytest.fixture
def toy(tmp_path):
    """A function that writes the toy study, with some of its text replaced, and returns its path."""

    def write(name="toy", **replaced):
        text = textwrap.dedent(TOY).lstrip()
        for old, new in replaced.get("edits", {}).items():
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / f"{name}.py"
        path.write_text(text, encoding="utf-8")
        return path

    return write
