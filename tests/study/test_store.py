"""The store: what is put in comes out, whoever else writes and whatever happens to the file."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from etude.core.errors import EtudeError
from etude.core.text import Text
from etude.study import Row, Rows, Verdict
from etude.study.store import Store


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "folder" / "store.sqlite")
    yield store
    store.close()


def seed_rows(seed):
    return Rows([Row(seed=seed, value=seed / 3, path=np.arange(5, dtype=np.float32))])


def test_rows_come_back_by_key_and_seed(store):
    assert store.rows("k", [0, 1]) == {}
    store.put_rows("toy", "k", {0: seed_rows(0), 1: seed_rows(1)}, 2.0)
    found = store.rows("k", [1, 2])
    assert list(found) == [1]
    assert found[1][0]["value"] == 1 / 3
    assert found[1][0]["path"].tolist() == [0, 1, 2, 3, 4]
    assert store.rows("other", [0]) == {}
    assert store.contents()["toy"][0] == 2
    assert store.size() > 0


def test_what_is_there_stays(store):
    store.put_rows("toy", "k", {0: Rows([Row(seed=0, value=1.0)])}, 1.0)
    store.put_rows("toy", "k", {0: Rows([Row(seed=0, value=2.0)]), 1: seed_rows(1)}, 1.0)
    assert store.rows("k", [0])[0][0]["value"] == 1.0
    assert 1 in store.rows("k", [1])


def test_a_later_verdict_replaces_the_earlier(store):
    for outcome in ("holds", "fails"):
        store.put_verdict("toy", outcome + "-key", Verdict(outcome, Text(en="said", zh="说")), 10)
    last = store.verdicts()["toy"]
    assert (last.outcome, last.key, last.sentence.zh, last.seeds) == ("fails", "fails-key", "说", 10)


def test_clearing_one_study_leaves_the_others(store):
    for name in ("a", "b"):
        store.put_rows(name, name, {0: seed_rows(0)}, 1.0)
    store.clear(["a"])
    assert list(store.contents()) == ["b"]
    store.clear()
    assert store.contents() == {}


def test_a_damaged_file_is_one_sentence_and_can_be_cleared(store):
    store.path.parent.mkdir()
    store.path.write_bytes(b"this is no database, whatever its name says " * 50)
    with pytest.raises(EtudeError, match="etude store clear"):
        store.contents()
    store.clear()
    store.put_rows("toy", "k", {0: seed_rows(0)}, 1.0)
    assert store.contents()["toy"][0] == 1


def test_processes_that_write_at_once_lose_nothing(store):
    """Four processes write 30 chunks each into a file that is not there when they start."""
    write = (
        "import sys; from pathlib import Path; from etude.study import Row, Rows; from etude.study.store import Store\n"
        "store = Store(Path(sys.argv[1])); mine = int(sys.argv[2])\n"
        "for seed in range(30):\n"
        "    store.put_rows(f'study{mine}', f'key{mine}', {seed: Rows([Row(seed=seed, value=mine)])}, 1.0)\n"
        "    store.put_rows('shared', 'shared', {seed: Rows([Row(seed=seed, value=0)])}, 1.0)\n"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", write, str(store.path), str(number)], stderr=subprocess.PIPE)
        for number in range(4)
    ]
    for process in processes:
        assert process.communicate()[1] == b""
        assert process.returncode == 0
    assert {name: count for name, (count, _) in store.contents().items()} == {
        "shared": 30, "study0": 30, "study1": 30, "study2": 30, "study3": 30,
    }  # fmt: skip
