"""What a command is told to find a run."""

import shlex

from etude.train.run import Run, open_run


def test_a_run_is_spelt_as_a_shell_finds_it_again(tmp_path, monkeypatch):
    monkeypatch.setenv("ETUDE_RUNS", str(tmp_path / "my runs"))
    inside, outside = tmp_path / "my runs" / "prices one", tmp_path / "else where" / "run"
    assert shlex.split(Run(inside, {}).spelt) == ["prices one"]
    assert shlex.split(Run(outside, {}).spelt) == [str(outside)]
    shipped = open_run("lenet5-mnist")
    assert open_run(shipped.spelt).path == shipped.path
    assert shipped.spelt == "lenet5-mnist"
