"""What a process imports before its first step, and what it reads meanwhile."""

import subprocess
import sys

import pytest

from etude.cli.ahead import Ahead, no_collection
from etude.core.errors import EtudeError

HEAVY = ("torchvision", "torch._dynamo", "scipy", "sklearn", "sqlalchemy", "pandas")

TRAINS = """
import sys
from etude.cli import train
seen = []
def watch(session, output, clock, explained=False):
    for record in session:
        seen.append(record.step)
        if len(seen) == 2:
            break
    session.close()
    print(*(name for name in {heavy} if name in sys.modules))
    return 0
train.train_to_the_end = watch
from etude.cli.main import main
sys.exit(main(["train", "--steps", "2", "--quiet", "--run-dir", sys.argv[1]]) or len(seen) != 2)
"""


def run(program, *arguments):
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)], check=True, capture_output=True, text=True
    ).stdout.split()


def test_two_steps_of_the_plain_command_import_nothing_heavy_but_torch(tmp_path):
    assert run(TRAINS.format(heavy=(*HEAVY, "matplotlib", "rich")), tmp_path / "run") == []


def test_the_help_imports_no_torch():
    program = """
import sys
from etude.cli.main import main
for words in (["--help"], ["train", "--help"], ["resume", "--help"]):
    try:
        main(words)
    except SystemExit:
        pass
print("LOADED", *(name for name in ("torch", "numpy", "matplotlib", "rich") if name in sys.modules))
"""
    output = run(program)
    assert output[output.index("LOADED") :] == ["LOADED"]


def test_what_is_made_ahead_is_there_and_what_goes_wrong_is_raised_where_it_is_asked_for():
    assert Ahead(lambda: 6 * 7).result() == 42

    def fail():
        raise EtudeError(en="no", zh="不")

    ahead = Ahead(fail)
    with pytest.raises(EtudeError, match="no"):
        ahead.result()
    with pytest.raises(EtudeError, match="no"):  # asked again, the same
        ahead.result()


def test_reference_cycles_are_collected_again_afterwards():
    program = """
import gc
from etude.cli.ahead import no_collection
try:
    with no_collection():
        inside = gc.isenabled()
        raise ValueError
except ValueError:
    print(inside, gc.isenabled())
"""
    assert run(program) == ["False", "True"]


def test_where_torch_is_loaded_already_nothing_is_changed():
    import gc

    import torch  # noqa: F401

    frozen = gc.get_freeze_count()
    with no_collection():
        assert gc.isenabled()
    assert gc.get_freeze_count() == frozen
