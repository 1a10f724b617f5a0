"""The data of a comparison: the same pictures for étude and for its peers."""

from __future__ import annotations

import io
import tarfile

import numpy as np
import pytest
from bench.speed.prepare import NotAtHand, cifar10, mnist, photo_files, write_job_data, write_photos
from PIL import Image

from etude.data.catalog import load_data


def test_etude_and_its_peers_train_on_as_many_pictures(tmp_path):
    source = mnist(None)  # Fashion-MNIST, which comes with étude
    kept = write_job_data(source, tmp_path, 400, 50)
    parts = {part: np.load(tmp_path / f"x_{part}.npy") for part in ("train", "validation", "test")}
    data = load_data(tmp_path / "data.npz")
    assert {part: len(x) for part, x in parts.items()} == {"train": 340, "validation": 60, "test": 50}
    assert kept == len(data.train) == 340
    assert (len(data.validation), len(data.test)) == (60, 50)
    both = np.concatenate([parts["train"], parts["validation"]])
    np.testing.assert_array_equal(both, data.train.images[:, 0])
    labels = np.concatenate([np.load(tmp_path / "y_train.npy"), np.load(tmp_path / "y_validation.npy")])
    np.testing.assert_array_equal(labels[data.train.rows], data.train.labels)


def test_cifar_is_read_from_a_folder_and_from_a_tar_file(tmp_path):
    chance = np.random.default_rng(0)
    with tarfile.open(tmp_path / "cifar10-jpg.tar", "w") as archive:
        for part in ("train", "test"):
            for label in ("cat", "dog"):
                for number in range(3):
                    content = io.BytesIO()
                    pixels = chance.integers(256, size=(32, 32, 3), dtype=np.uint8)
                    Image.fromarray(pixels).save(content, "PNG")
                    path = tmp_path / "folder" / "cifar10" / part / label / f"{number}.png"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(content.getvalue())
                    archive.add(path, f"{part}/{label}/{number}.png")
    packed, unpacked = cifar10(tmp_path, 20), cifar10(tmp_path / "folder", 20)
    assert packed["x_train"].shape == (4, 32, 32, 3)
    assert packed["y_train"].tolist() == [0, 0, 1, 1]
    for name, array in packed.items():
        np.testing.assert_array_equal(array, unpacked[name])
    first = np.asarray(Image.open(tmp_path / "folder" / "cifar10" / "train" / "cat" / "0.png"))
    np.testing.assert_array_equal(unpacked["x_train"][0], first)


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(NotAtHand, match="cifar10"):
        cifar10(tmp_path)
    with pytest.raises(NotAtHand, match="photos"):
        photo_files(tmp_path)


def test_more_photographs_than_there_are_come_again_as_files_of_their_own(tmp_path):
    photos = []
    for label, colour in (("red", (255, 0, 0)), ("blue", (0, 0, 255))):
        content = io.BytesIO()
        Image.new("RGB", (16, 16), colour).save(content, "JPEG")
        photos.append((label, content.getvalue()))
    write_photos(photos, tmp_path, 5)
    written = sorted((tmp_path / "train").glob("*/*.jpg"))
    assert len(written) == len({path.read_bytes() for path in written}) == 5
    for path in written:
        original = Image.open(io.BytesIO(dict(photos)[path.parent.name]))
        np.testing.assert_array_equal(np.asarray(Image.open(path)), np.asarray(original))
    assert len(list((tmp_path / "test").glob("*/*.jpg"))) == 2
