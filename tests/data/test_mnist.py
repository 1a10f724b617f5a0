"""MNIST wherever it lies, and the one sentence where it lies nowhere."""

from __future__ import annotations

import functools
import gzip
import hashlib
import shutil
import threading
from http.server import HTTPServer, SimpleHTTPRequestHandler

import pytest

import etude.data.named.mnist as mnist
from etude.core.errors import EtudeError
from etude.data.catalog import load_data


@pytest.mark.parametrize("place", ["", "mnist", "MNIST/raw"])
@pytest.mark.parametrize("zipped", [True, False])
def test_it_is_found_in_every_usual_place(place, zipped, real_data, tmp_path):
    folder = tmp_path / place
    folder.mkdir(parents=True, exist_ok=True)
    for file in (real_data / "mnist").glob("*.gz"):
        if zipped:
            shutil.copy(file, folder)
        else:
            (folder / file.stem).write_bytes(gzip.decompress(file.read_bytes()))
    data = load_data("mnist", data_dir=tmp_path)
    assert (len(data.train), len(data.validation), len(data.test)) == (55_000, 5_000, 10_000)
    # the design states this sum of the unpacked training images
    unpacked = (
        b"\0\0\x08\x03" + b"".join(n.to_bytes(4, "big") for n in (60_000, 28, 28)) + data.train.images.tobytes()
    )
    assert hashlib.md5(unpacked).hexdigest() == "6bbc9ace898e44ae57da46a324031adb"


def test_a_file_that_is_not_mnist_is_named(real_data, tmp_path):
    for file in (real_data / "mnist").glob("*.gz"):
        shutil.copy(file, tmp_path)
    shutil.copy(tmp_path / "t10k-labels-idx1-ubyte.gz", tmp_path / "train-labels-idx1-ubyte.gz")
    with pytest.raises(EtudeError, match=r"train-labels.*is not MNIST's"):
        load_data("mnist", data_dir=tmp_path)


def test_without_a_network_one_sentence_says_which_files_to_put_where(tmp_path, monkeypatch):
    monkeypatch.setattr(mnist, "_MIRRORS", ("http://127.0.0.1:9/",))
    with pytest.raises(EtudeError) as error:
        load_data("mnist", data_dir=tmp_path)
    for words in (error.value.text.en, error.value.text.zh):
        assert "train-images-idx3-ubyte.gz" in words
        assert str(tmp_path / "mnist") in words
        assert "\n" not in words
    assert list(tmp_path.iterdir()) == []


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def mirror(real_data):
    http = HTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=real_data / "mnist"))
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{http.server_port}/"
    http.shutdown()
    thread.join(timeout=10)
    http.server_close()


def test_it_is_downloaded_once_and_is_the_same(mirror, real_data, tmp_path, monkeypatch):
    monkeypatch.setattr(mnist, "_MIRRORS", ("http://127.0.0.1:9/", mirror))
    told = []
    data = load_data("mnist", data_dir=tmp_path, progress=lambda done, total: told.append((done, total)))
    assert data.fingerprint == load_data("mnist", data_dir=real_data).fingerprint
    sizes = [path.stat().st_size for path in real_data.glob("mnist/*.gz")]
    assert {total for done, total in told if done == total} == set(sizes)
    assert len(list((tmp_path / "mnist").iterdir())) == 4
    monkeypatch.setattr(mnist, "_MIRRORS", ())
    assert load_data("mnist", data_dir=tmp_path).fingerprint == data.fingerprint


def test_a_download_that_lacks_one_file_fetches_that_one(mirror, real_data, tmp_path, monkeypatch):
    (tmp_path / "mnist").mkdir()
    for file in (real_data / "mnist").glob("t*.gz"):
        shutil.copy(file, tmp_path / "mnist")
    (tmp_path / "mnist" / "t10k-labels-idx1-ubyte.gz").unlink()
    monkeypatch.setattr(mnist, "_MIRRORS", (mirror,))
    totals = set()
    load_data("mnist", data_dir=tmp_path, progress=lambda _, total: totals.add(total))
    assert totals == {(real_data / "mnist" / "t10k-labels-idx1-ubyte.gz").stat().st_size}
