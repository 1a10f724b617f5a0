"""What is imported when: the slow things only by what uses them."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("torch", "numpy", "matplotlib", "pydantic", "rich", "PIL", "sklearn")


@pytest.mark.parametrize("code", ["import etude", "from etude.cli.main import main; main(['--help'])",
                                  "from etude.cli.main import main; main(['--version'])"])  # fmt: skip
def test_nothing_heavy_is_imported_before_it_is_used(code):
    check = f"{code}\nimport sys\nprint([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_help_of_a_command_does_not_load_torch():
    check = (
        "import sys\nfrom etude.cli.main import main\ntry:\n    main(['train', '--help'])\nexcept SystemExit:\n    pass\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


def test_every_public_name_is_there():
    import etude

    for name in etude.__all__:
        assert getattr(etude, name) is not None
    with pytest.raises(AttributeError):
        etude.no_such_name  # noqa: B018
