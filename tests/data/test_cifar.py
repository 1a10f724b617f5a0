"""CIFAR in its four forms: the same pictures from each, nothing unpickled, damage told."""

from __future__ import annotations

import hashlib
import io
import pickle
import pickletools
import struct
import tarfile
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from etude.core.errors import EtudeError
from etude.data.cifar import find, load
from etude.data.named.cifar10 import CIFAR

SMALL = replace(CIFAR, classes=CIFAR.classes[:3])


@pytest.fixture
def arrays():
    chance = np.random.default_rng(0)
    return chance.integers(0, 256, (24, 3, 32, 32), np.uint8), np.arange(24) % 3


def binary_files(images, labels):
    """Six files of four pictures each, as the authors lay them out: a label byte, then 3,072 of pixels."""
    rows = [bytes([label]) + image.tobytes() for image, label in zip(images, labels)]
    return {name: b"".join(rows[4 * i : 4 * i + 4]) for i, name in enumerate(CIFAR.binary_files)}


def python2_pickle(images, labels):
    """What cPickle of Python 2 wrote: strings as BINSTRING, an array through numpy's _reconstruct."""

    def short(text):
        return b"U" + bytes([len(text)]) + text

    numbers = b"".join(b"K" + bytes([label]) for label in labels)
    flat = images.reshape(len(images), -1)
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85" + short(b"b") + b"\x87R"
        b"(K\x01" + b"K" + bytes([len(flat)]) + b"M" + struct.pack("<H", flat.shape[1]) + b"\x86"
        b"cnumpy\ndtype\n" + short(b"u1") + b"K\x00K\x01\x87R"
        b"(K\x03" + short(b"|") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
        b"T" + struct.pack("<i", flat.size) + flat.tobytes() + b"tb"
    )  # fmt: skip
    return (
        b"\x80\x02}(" + short(b"batch_label") + short(b"batch") + short(b"labels") + b"](" + numbers + b"e"
        + short(b"data") + array + short(b"filenames") + b"](" + short(b"a.png") + b"eu."
    )  # fmt: skip


def python_files(images, labels):
    return {
        name: python2_pickle(images[4 * i : 4 * i + 4], labels[4 * i : 4 * i + 4])
        for i, name in enumerate(CIFAR.python_files)
    }


def write(folder, files):
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def tar(files, folder):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(f"{folder}/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def check(raw, images, labels):
    assert np.array_equal(raw.train_images, images[:20])
    assert np.array_equal(raw.test_images, images[20:])
    assert np.array_equal(raw.train_labels, labels[:20])
    assert np.array_equal(raw.test_labels, labels[20:])
    assert raw.train_images.dtype == np.uint8
    assert raw.train_labels.dtype == np.int64


@pytest.mark.parametrize("place", ["cifar-10-batches-bin", "cifar10/cifar-10-batches-bin", "cifar10"])
def test_binary_folder(tmp_path, arrays, place):
    write(tmp_path / place, binary_files(*arrays))
    check(load(SMALL, tmp_path, None), *arrays)


def test_binary_archive(tmp_path, arrays):
    content = tar(binary_files(*arrays), CIFAR.binary_folder)
    (tmp_path / CIFAR.archive).write_bytes(content)
    check(load(replace(SMALL, archive_md5=hashlib.md5(content).hexdigest()), tmp_path, None), *arrays)
    with pytest.raises(EtudeError, match="damaged"):
        load(SMALL, tmp_path, None)


def hashed(files):
    return replace(SMALL, python_files={name: hashlib.md5(c).hexdigest() for name, c in files.items()})


def test_hand_written_pickle_is_what_python_reads(arrays):
    content = python2_pickle(arrays[0][:4], arrays[1][:4])
    read = pickle.loads(content, encoding="latin1")  # noqa: S301 - written four lines above
    assert np.array_equal(read["data"], arrays[0][:4].reshape(4, -1))
    assert read["labels"] == [0, 1, 2, 0]


def test_python_folder_as_torchvision_keeps_it(tmp_path, arrays):
    files = python_files(*arrays)
    write(tmp_path / CIFAR.python_folder, files)
    check(load(hashed(files), tmp_path, None), *arrays)


def test_python_archive(tmp_path, arrays):
    files = python_files(*arrays)
    content = tar(files, CIFAR.python_folder)
    (tmp_path / "cifar10").mkdir()
    (tmp_path / "cifar10" / CIFAR.python_archive).write_bytes(content)
    check(load(replace(hashed(files), python_md5=hashlib.md5(content).hexdigest()), tmp_path, None), *arrays)


def test_nothing_pickled_is_executed(tmp_path, arrays):
    """A file that would create another one when unpickled is read as data only."""
    files = python_files(*arrays)
    marker = tmp_path / "executed"
    harmful = b"cpathlib\nPath\n(V" + str(marker).encode() + b"\ntR0"
    files = {name: content[:2] + harmful + content[2:] for name, content in files.items()}
    assert any(opcode.name == "REDUCE" for opcode, _, _ in pickletools.genops(next(iter(files.values()))))
    write(tmp_path / CIFAR.python_folder, files)
    check(load(hashed(files), tmp_path, None), *arrays)


def test_changed_python_file_is_refused(tmp_path, arrays):
    files = python_files(*arrays)
    write(tmp_path / CIFAR.python_folder, files)
    with pytest.raises(EtudeError, match="data_batch_1 is damaged"):
        load(SMALL, tmp_path, None)  # the true hashes


@pytest.mark.parametrize("spoil", [lambda b: b[:-1], lambda b: b"\x09" + b[1:], lambda b: b""])
def test_damaged_binary_file_is_named(tmp_path, arrays, spoil):
    files = binary_files(*arrays)
    files["data_batch_3.bin"] = spoil(files["data_batch_3.bin"])
    write(tmp_path / CIFAR.binary_folder, files)
    with pytest.raises(EtudeError, match=r"data_batch_3\.bin is damaged"):
        load(SMALL, tmp_path, None)


def test_pictures_in_class_folders(tmp_path, arrays):
    images, labels = arrays
    for row, (image, label) in enumerate(zip(images, labels)):
        folder = tmp_path / ("test" if row >= 20 else "train") / SMALL.classes[label]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.transpose(1, 2, 0)).save(folder / f"{row:04}.png")
    raw = load(SMALL, tmp_path, None)
    # the order of folders is that of the classes' names
    order = np.lexsort((np.arange(20), labels[:20]))
    assert np.array_equal(raw.train_images, images[:20][order])
    assert np.array_equal(raw.train_labels, labels[:20][order])
    assert sorted(raw.test_labels) == sorted(labels[20:])


def test_not_at_hand_and_no_network(tmp_path):
    assert find(CIFAR, tmp_path) is None
    with pytest.raises(EtudeError, match=r"cifar-10-binary\.tar\.gz") as caught:
        load(replace(CIFAR, url="http://127.0.0.1:9/cifar-10-binary.tar.gz"), tmp_path, None)
    assert "--data-dir" in caught.value.text.en
