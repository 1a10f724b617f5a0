"""Worker processes and the store together: rows come, failures are one sentence, what is measured is kept."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from etude.core.errors import EtudeError
from etude.study.catalog import load_study
from etude.study.collect import Request, collect
from etude.study.pool import Failed, Finished, Job, Measured, run_jobs
from etude.study.rows import Rows
from etude.study.store import Store


def jobs(path, seeds, size=1):
    study = load_study(path)
    return [Job(study, study.knobs(), tuple(range(i, i + size))) for i in range(0, seeds, size)]


def request(path, seeds=3, **knobs):
    study = load_study(path)
    return Request(study, study.knobs(**knobs), tuple(range(seeds)))


def run(requests, store, workers=2):
    for _ in collect(requests, store, workers):
        pass


def test_workers_measure_what_the_study_measures_here(toy):
    path = toy()
    events = list(run_jobs(jobs(path, 4, size=2), 2))
    finished = [event for event in events if isinstance(event, Finished)]
    rows = Rows(sorted((row for event in finished for row in event.rows), key=lambda row: row["seed"]))
    assert rows == load_study(path).run(4)
    assert sum(isinstance(event, Measured) for event in events) == 8


@pytest.mark.parametrize(
    ("edits", "said"),
    [
        ({"    import random\n": "    import random\n    1 / 0\n"}, r"toy.py, line \d+: ZeroDivisionError"),
        ({"yield Row(": "yield dict("}, "must yield Row"),
        ({"yield Row(": "yield None and Row("}, "yielded a NoneType"),
        ({"yield Row(seed=seed,": "yield Row(seed=seed + 1,"}, "a row has seed"),
        ({"    import random\n": "    import os, random\n    os._exit(7)\n"}, "ended with 7"),
        ({"    import random\n": "    import sys, random\n    sys.exit('tired')\n"}, "ended with 1 .tired"),
    ],
    ids=["an error", "no row", "nothing", "a wrong seed", "a sudden end", "an exit"],
)
def test_a_failure_is_one_sentence_and_the_others_go_on(toy, edits, said):
    good = jobs(toy("good"), 3)
    events = list(run_jobs([*jobs(toy(edits=edits), 2), *good], 2))
    failed = [event for event in events if isinstance(event, Failed)]
    assert len(failed) == 2
    for event in failed:
        with pytest.raises(EtudeError, match=said):
            raise EtudeError(event.reason.en, event.reason.zh)
    assert sum(isinstance(event, Finished) for event in events) == 3


def test_what_a_study_prints_is_no_answer(toy):
    path = toy(edits={"    import random\n": "    import random\n    print('{\"done\": 0}')\n"})
    assert sum(isinstance(event, Measured) for event in run_jobs(jobs(path, 2), 1)) == 4


def test_a_file_named_like_a_library_does_no_harm(toy, tmp_path, monkeypatch):
    (tmp_path / "json.py").write_text("raise RuntimeError('shadowed')")
    monkeypatch.chdir(tmp_path)
    assert not any(isinstance(event, Failed) for event in run_jobs(jobs(toy(), 1), 1))


def test_an_unchanged_study_is_recalled_and_only_new_seeds_are_measured(toy, tmp_path):
    store = Store(tmp_path / "s.sqlite")
    first = request(toy(), 3)
    run([first], store)
    assert (first.complete, first.recalled) == (True, 0)
    again = request(toy(), 5)
    run([again], store)
    assert again.recalled == 3
    assert again.all_rows() == load_study(toy()).run(5)
    other = request(toy(), 3, size=9)
    run([other], store)
    assert other.recalled == 0


def test_rows_that_are_not_uniform_are_a_failure_and_are_not_kept(toy, tmp_path):
    store = Store(tmp_path / "s.sqlite")
    broken = request(toy(edits={"group=group,": "group=group, **({} if group == 'on' else {'odd': 1}),"}))
    run([broken], store)
    assert "odd" in broken.failure.en
    assert store.contents() == {}


def test_leaving_the_loop_ends_the_workers(toy):
    path = toy(edits={"    import random\n": "    import random, time\n    time.sleep(60)\n"})
    quick = jobs(toy("quick"), 1)
    began = time.monotonic()
    events = run_jobs([*quick, *jobs(path, 1)], 2)
    next(events)
    events.close()
    assert time.monotonic() - began < 30


SLOW = {"chance = random.Random(seed)": "__import__('time').sleep(0.25); chance = random.Random(seed)"}


def _kept(store):
    return store.contents().get("toy", (0, 0))[0] if store.path.exists() else 0


def _verify(path, store, seeds, report="r"):
    """``etude verify`` in a process, and a session, of its own."""
    order = ["verify", str(path), "--seeds", str(seeds), "--json", "--report", str(path.parent / report)]
    return subprocess.Popen(
        [sys.executable, "-m", "etude", *order], env={**os.environ, "ETUDE_STORE": str(store.path)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        preexec_fn=_heed_ctrl_c,
    )  # fmt: skip


def _heed_ctrl_c():
    """A shell starts what runs in its background deaf to Ctrl-C, and its children inherit that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_sigkill_during_verify_loses_no_finished_seed_and_leaves_no_worker(toy, tmp_path):
    path, store = toy(edits=SLOW), Store(tmp_path / "s.sqlite")
    process = _verify(path, store, 40)
    while _kept(store) < 5:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = _kept(store)
    assert 5 <= kept < 40
    time.sleep(1.5)
    listed = subprocess.run(
        ["ps", "-o", "args=", "-g", str(process.pid)], capture_output=True, text=True
    ).stdout
    assert "etude.study.worker" not in listed
    again = request(path, 40)
    run([again], store)
    assert again.recalled == kept
    assert again.all_rows() == load_study(toy("whole")).run(40)


@pytest.mark.slow
def test_two_verifies_at_once_do_not_disturb_each_other(toy, tmp_path):
    path, store = toy(edits=SLOW), Store(tmp_path / "s.sqlite")
    for process in [_verify(path, store, 8, report) for report in ("one", "other")]:
        out, _ = process.communicate()
        assert process.returncode == 0
        assert '"outcome": "holds"' in out
    assert _kept(store) == 8


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="needs SIGINT")
def test_ctrl_c_keeps_what_is_done_and_says_so(toy, tmp_path):
    path, store = toy(edits=SLOW), Store(tmp_path / "s.sqlite")
    process = _verify(path, store, 40)
    while _kept(store) < 3:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does it: to the whole group
    said = process.communicate()[1]
    assert process.returncode == 130
    assert f"{_kept(store)} of 40 seeds are kept" in said
    assert "Traceback" not in said
