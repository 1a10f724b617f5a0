"""CIFAR-100: a file's second byte is the label, and torchvision's record of the archive agrees."""

from __future__ import annotations

import hashlib
import pickle
import struct
from dataclasses import replace

import numpy as np
import pytest
import torchvision
from PIL import Image

from etude.core.errors import EtudeError
from etude.data.catalog import list_datasets
from etude.data.cifar import find, load
from etude.data.named.cifar100 import CIFAR

SMALL = replace(CIFAR, classes=CIFAR.classes[:6])


@pytest.fixture
def arrays():
    chance = np.random.default_rng(0)
    return chance.integers(0, 256, (12, 3, 32, 32), np.uint8), np.arange(12) % 6


def check(raw, images, labels):
    assert np.array_equal(raw.train_images, images[:8])
    assert np.array_equal(raw.train_labels, labels[:8])
    assert np.array_equal(raw.test_images, images[8:])
    assert np.array_equal(raw.test_labels, labels[8:])


def test_what_torchvision_knows_of_the_archive_is_what_etude_knows():
    theirs = torchvision.datasets.CIFAR100
    assert (CIFAR.python_archive, CIFAR.python_md5, CIFAR.python_folder) == (
        theirs.filename,
        theirs.tgz_md5,
        theirs.base_folder,
    )
    assert CIFAR.python_files == dict(theirs.train_list + theirs.test_list)
    assert list(CIFAR.python_files)[-1] == theirs.test_list[0][0]


def test_a_hundred_classes_in_alphabetical_order():
    assert len(set(CIFAR.classes)) == 100
    assert list(CIFAR.classes) == sorted(CIFAR.classes)
    assert list_datasets()["cifar100"].classes == CIFAR.classes


@pytest.mark.parametrize("place", ["cifar-100-binary", "cifar100/cifar-100-binary", "cifar100"])
def test_binary_files(tmp_path, arrays, place):
    images, labels = arrays
    rows = [bytes([19 - label, label]) + image.tobytes() for image, label in zip(images, labels)]
    folder = tmp_path / place
    folder.mkdir(parents=True)
    (folder / "train.bin").write_bytes(b"".join(rows[:8]))
    (folder / "test.bin").write_bytes(b"".join(rows[8:]))
    check(load(SMALL, tmp_path, None), *arrays)


def python2_pickle(images, labels):
    """What cPickle of Python 2 wrote of a dictionary; only the array is simplified, to a string."""

    def short(text):
        return b"U" + bytes([len(text)]) + text

    def numbers(values):
        return b"](" + b"".join(b"K" + bytes([value]) for value in values) + b"e"

    pixels = b"T" + struct.pack("<i", images.size) + images.tobytes()
    return (
        b"\x80\x02}(" + short(b"filenames") + b"](" + short(b"a.png") + b"e" + short(b"batch_label") + short(b"batch 1")
        + short(b"fine_labels") + numbers(labels) + short(b"coarse_labels") + numbers(19 - labels)
        + short(b"data") + pixels + b"u."
    )  # fmt: skip


def test_python_folder_as_torchvision_keeps_it(tmp_path, arrays):
    images, labels = arrays
    folder = tmp_path / CIFAR.python_folder
    folder.mkdir()
    files = {}
    for name, part in (("train", slice(0, 8)), ("test", slice(8, 12))):
        content = python2_pickle(images[part], labels[part])
        assert pickle.loads(content, encoding="latin1")["fine_labels"] == labels[part].tolist()  # noqa: S301
        (folder / name).write_bytes(content)
        files[name] = hashlib.md5(content).hexdigest()
    check(load(replace(SMALL, python_files=files), tmp_path, None), *arrays)
    with pytest.raises(EtudeError, match="train is damaged"):
        load(SMALL, tmp_path, None)  # the true hashes


def test_pictures_in_class_folders(tmp_path, arrays):
    images, labels = arrays
    for row, (image, label) in enumerate(zip(images, labels)):
        folder = tmp_path / ("test" if row >= 6 else "train") / SMALL.classes[label]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.transpose(1, 2, 0)).save(folder / f"{row:04}.png")
    raw = load(SMALL, tmp_path, None)
    assert np.array_equal(raw.train_images, images[:6])
    assert np.array_equal(raw.test_images, images[6:])


def test_not_at_hand_and_no_network(tmp_path):
    assert find(CIFAR, tmp_path) is None
    with pytest.raises(EtudeError, match=r"cifar-100-binary\.tar\.gz"):
        load(replace(CIFAR, url="http://127.0.0.1:9/cifar-100-binary.tar.gz"), tmp_path, None)
