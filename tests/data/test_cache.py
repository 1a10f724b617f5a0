"""Decoded pictures are found again only if every byte is right, and made anew otherwise."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import weakref
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import etude.data.cache as cache
import etude.data.threads as threads
from etude.core.errors import EtudeError
from etude.data.cache import decode_files
from etude.data.decode import Unreadable

WISH = {"channels": 3, "height": 16, "width": 16, "fit": "crop"}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A cache of the test's own."""
    monkeypatch.setenv("ETUDE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "images"


@pytest.fixture
def files(tmp_path):
    chance = np.random.default_rng(0)
    paths = []
    for number in range(7):
        path = tmp_path / f"{number}.png"
        Image.fromarray(chance.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(path)
        paths.append(path)
    return paths


def _expected(paths):
    return np.stack([np.asarray(Image.open(path)).transpose(2, 0, 1) for path in paths])


@pytest.fixture
def never_decode(monkeypatch):
    """From the moment it is called, decoding anything fails the test."""

    def forbid():
        def fail(*_):
            raise AssertionError("decoded again")

        monkeypatch.setattr(cache, "prepare_file", fail)
        monkeypatch.setattr(cache, "read_header", fail)

    return forbid


def test_decodes_once_and_then_maps_the_file(place, files, never_decode):
    first = decode_files(files)
    assert np.array_equal(first.images, _expected(files))
    assert np.array_equal(np.load(first.images.filename, allow_pickle=False), first.images)
    assert isinstance(first.images, np.memmap)
    assert not first.images.flags.writeable
    never_decode()
    second = decode_files(files)
    assert np.array_equal(second.images, first.images)
    assert second.preparation == first.preparation == WISH | {"fit": "stretch"}
    assert second.digests == first.digests
    assert second.files.tolist() == list(range(7))
    assert [entry.name for entry in place.iterdir()] == [Path(first.images.filename).parent.name]


def test_the_content_counts_not_the_place_or_the_time(place, files, never_decode, tmp_path):
    decode_files(files)
    moved = [Path(shutil.copy(path, tmp_path / f"copy{path.name}")) for path in files]
    never_decode()
    assert len(decode_files(moved).images) == 7


def test_another_content_order_or_wish_is_another_entry(place, files):
    before = decode_files(files)
    assert np.array_equal(decode_files(files[::-1]).images, before.images[::-1])
    assert decode_files(files, image_size=8).images.shape == (7, 3, 8, 8)
    assert decode_files(files, preparation=WISH | {"channels": 1}).images.shape == (7, 1, 16, 16)
    Image.new("RGB", (16, 16), (1, 2, 3)).save(files[2])
    after = decode_files(files)
    assert after.images[2, :, 0, 0].tolist() == [1, 2, 3]
    assert np.array_equal(np.delete(after.images, 2, 0), np.delete(before.images, 2, 0))


def test_unreadable_files_are_left_out_and_remembered(place, files, never_decode):
    files[1].write_bytes(b"words")
    files[4].write_bytes(files[4].read_bytes()[:300])
    files[6].write_bytes(b"")
    for _ in range(2):
        decoded = decode_files(files)
        assert decoded.unreadable == {1: "unknown", 4: "damaged", 6: "empty"}
        assert decoded.files.tolist() == [0, 2, 3, 5]
        assert np.array_equal(decoded.images, _expected([files[index] for index in decoded.files]))
        never_decode()


def test_a_passing_failure_is_not_remembered(place, files, monkeypatch):
    original = cache.prepare_file

    def failing(path, preparation):
        if path == files[3]:
            raise Unreadable("failed")
        return original(path, preparation)

    with monkeypatch.context() as patch:
        patch.setattr(cache, "prepare_file", failing)
        decoded = decode_files(files)
    assert decoded.unreadable == {3: "failed"}
    assert "failed this time" in decoded.finding.en
    assert list(place.iterdir()) == []
    assert decode_files(files).unreadable == {}


def test_nothing_readable_is_an_error_and_leaves_nothing(place, files):
    for path in files:
        path.write_bytes(b"words")
    for how in ({}, {"preparation": WISH}):
        with pytest.raises(EtudeError, match="None of the 7 files"):
            decode_files(files, **how)
    assert not place.exists() or not list(place.iterdir())


def _flip(path: Path, byte: int):
    content = bytearray(path.read_bytes())
    content[byte] ^= 1
    path.write_bytes(content)


def _edit_index(path: Path):
    index = json.loads(path.read_text())
    index["content"]["unreadable"] = {"0": "damaged"}
    path.write_text(json.dumps(index))


@pytest.mark.parametrize(
    "harm",
    [
        lambda entry: _flip(entry / "images.npy", -1),
        lambda entry: _flip(entry / "images.npy", 0),
        lambda entry: _flip(entry / "images.npy", 12),
        lambda entry: (entry / "images.npy").write_bytes((entry / "images.npy").read_bytes() + b"x"),
        lambda entry: (entry / "images.npy").write_bytes((entry / "images.npy").read_bytes()[:-100]),
        lambda entry: (entry / "images.npy").write_bytes(b""),
        lambda entry: (entry / "images.npy").unlink(),
        lambda entry: (entry / "index.json").unlink(),
        lambda entry: (entry / "index.json").write_text('{"content": '),
        lambda entry: (entry / "index.json").write_text("[]"),
        lambda entry: (entry / "index.json").write_bytes(b"\xff\xfe"),
        lambda entry: _edit_index(entry / "index.json"),
        lambda entry: np.save(entry / "images.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True),
    ],
)
def test_a_damaged_entry_is_made_again(place, files, harm, never_decode):
    first = decode_files(files)
    entry = Path(first.images.filename).parent
    del first
    harm(entry)
    assert np.array_equal(decode_files(files).images, _expected(files))
    never_decode()
    assert decode_files(files).finding is None


def test_where_the_cache_cannot_be_written_memory_serves(tmp_path, files, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("ETUDE_CACHE", str(tmp_path / "file" / "cache"))
    files[1].write_bytes(b"words")
    decoded = decode_files(files)
    assert decoded.unreadable == {1: "unknown"}
    assert np.array_equal(decoded.images, _expected([files[index] for index in decoded.files]))
    assert "could not be kept" in decoded.finding.en
    assert str(tmp_path / "file") in decoded.finding.zh


@pytest.mark.skipif(sys.platform == "win32", reason="no such limits on Windows")
def test_a_full_disk_leaves_nothing_half_written(place, files):
    """A limit on the size of files stands in for a full disk."""
    program = (
        "import resource, sys; from pathlib import Path; from etude.data.cache import decode_files\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))\n"
        "decoded = decode_files([Path(name) for name in sys.argv[1:]])\n"
        "print(decoded.images.shape, 'disk is full' in decoded.finding.en)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, files)], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "(7, 3, 16, 16) True", done.stderr
    assert list(place.iterdir()) == []


def test_two_processes_at_once(place, files):
    program = (
        "import sys, time; from pathlib import Path; from etude.data.cache import decode_files\n"
        "time.sleep(max(0, float(sys.argv[1]) - time.time()))\n"
        "decoded = decode_files([Path(name) for name in sys.argv[2:]])\n"
        "assert decoded.finding is None, decoded.finding\n"
        "print(int(decoded.images.sum()))"
    )
    command = [sys.executable, "-c", program, str(time.time() + 1.5), *map(str, files)]
    together = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    sums = [process.communicate(timeout=60)[0].strip() for process in together]
    assert sums == [str(_expected(files).sum())] * 3
    assert len(list(place.iterdir())) == 1


def test_the_process_that_comes_second_uses_what_the_first_made(place, files, monkeypatch):
    made = []

    def slow(path, preparation):
        if not made:
            made.append(True)
            decode_files(files)  # meanwhile, another process
        return original(path, preparation)

    original = cache.prepare_file
    monkeypatch.setattr(cache, "prepare_file", slow)
    monkeypatch.setattr(threads, "usable_cores", lambda: 1)
    decoded = decode_files(files)
    assert decoded.finding is None
    assert np.array_equal(decoded.images, _expected(files))
    assert len(list(place.iterdir())) == 1


def test_what_a_killed_process_left_is_removed_after_a_day(place, files):
    entry = Path(decode_files(files).images.filename).parent
    shutil.rmtree(entry)
    old, new = place / f".{entry.name}.aaaa.tmp", place / f".{entry.name}.bbbb.tmp"
    for left in (old, new):
        left.mkdir()
    yesterday = time.time() - 100_000
    os.utime(old, (yesterday, yesterday))
    decode_files(files)
    assert {each.name for each in place.iterdir()} == {entry.name, new.name}


def test_progress_goes_up_to_the_end(place, files):
    told = []
    decode_files(files, progress=lambda done, total: told.append((done, total)))
    assert told == sorted(told)
    assert told[-1] == (14, 14)


def test_memory_stays_bounded(place, tmp_path, monkeypatch):
    """Two thousand pictures are never all decoded at once: they are written as they come."""
    path = tmp_path / "one.png"
    Image.new("RGB", (16, 16)).save(path)
    original, alive, most = cache.prepare_file, set(), [0]

    def watched(path, preparation):
        result = original(path, preparation)
        pixels = result.pixels.view(_Watched)
        alive.add(id(pixels))
        most[0] = max(most[0], len(alive))
        weakref.finalize(pixels, alive.discard, id(pixels))
        return result._replace(pixels=pixels)

    monkeypatch.setattr(cache, "prepare_file", watched)
    assert len(decode_files([path] * 2000, preparation=WISH).images) == 2000
    assert 0 < most[0] <= (os.cpu_count() or 1) * threads._GROUP * threads._GROUPS + 2


class _Watched(np.ndarray):
    """An array that can be watched until it is gone."""
