"""A folder of pictures as a data set: split, labelled, looked over, the same every time."""

from __future__ import annotations

import json
import tarfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from etude.core.errors import EtudeError
from etude.data.folder import load_folder, load_for
from etude.data.prepare import prepare_image

PARTS = ("train", "validation", "test")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ETUDE_CACHE", str(tmp_path / "cache"))


def _make(folder: Path, seed: int = 0, size: int = 12, **counts: int) -> Path:
    """``folder`` with random pictures, all different; keys are class folders (``train__cat`` for ``train/cat``)."""
    chance = np.random.default_rng(seed)
    for name, count in counts.items():
        place = folder / name.replace("__", "/")
        place.mkdir(parents=True, exist_ok=True)
        for number in range(count):
            pixels = chance.integers(0, 256, (size, size, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(place / f"{number}.png")
    return folder


def _copy(folder: Path, source: str, target: str) -> None:
    """The same pixels in another file, with other bytes."""
    (folder / target).parent.mkdir(parents=True, exist_ok=True)
    Image.open(folder / source).save(folder / target, compress_level=1, dpi=(72, 72))
    assert (folder / target).read_bytes() != (folder / source).read_bytes()


def _words(data) -> str:
    return "\n".join(found.en for found in data.findings)


def test_a_folder_of_classes_is_split_in_three(tmp_path):
    data = load_folder(_make(tmp_path / "pets", dog=40, cat=20), seed=3)
    assert data.name == "pets"
    assert data.classes == ("cat", "dog")
    assert data.input_shape == (3, 12, 12)
    assert data.findings == ()
    names = [name for part in PARTS for name in getattr(data, part).names]
    assert len(names) == len(set(names)) == 60
    for part, sizes in (("train", [14, 28]), ("validation", [3, 6]), ("test", [3, 6])):
        examples = getattr(data, part)
        assert np.bincount(examples.labels).tolist() == sizes
        assert data.split[part] == sum(sizes) == len(examples)
        for pixels, label, name in zip(examples.pixels(), examples.labels, examples.names):
            assert name.split("/")[0] == data.classes[label]
            assert np.array_equal(pixels, np.asarray(Image.open(tmp_path / "pets" / name)).transpose(2, 0, 1))
    assert data.split["seed"] == 3


def test_what_is_recorded_is_json_and_prepares_a_new_picture_the_same(tmp_path):
    data = load_folder(_make(tmp_path, dog=10, cat=10), seed=0, image_size=8)
    json.dumps([data.split, data.source, data.preparation], allow_nan=False)
    pixels, _ = prepare_image(tmp_path / data.train.names[0], json.loads(json.dumps(data.preparation)))
    assert np.array_equal(pixels, data.train.pixels()[0])
    assert pixels.shape == data.input_shape == (3, 8, 8)


def test_mean_and_deviation_are_those_of_the_training_part(tmp_path):
    data = load_folder(_make(tmp_path, dog=30, cat=30), seed=0)
    pixels = data.train.pixels().astype(np.float64) / 255
    assert np.allclose(data.mean, pixels.mean(axis=(0, 2, 3)), atol=1e-9)
    assert np.allclose(data.std, pixels.std(axis=(0, 2, 3)), atol=1e-9)


def test_the_same_folder_and_seed_give_the_same(tmp_path):
    first = load_folder(_make(tmp_path / "a", dog=20, cat=20), seed=1)
    again = load_folder(tmp_path / "a", seed=1)
    other = load_folder(tmp_path / "a", seed=2)
    elsewhere = load_folder(_make(tmp_path / "b", dog=20, cat=20), seed=1)
    assert first.fingerprint == again.fingerprint == elsewhere.fingerprint != other.fingerprint
    assert first.train.names == again.train.names == elsewhere.train.names != other.train.names


def test_a_changed_picture_changes_the_fingerprint(tmp_path):
    before = load_folder(_make(tmp_path, dog=20, cat=20), seed=1)
    pixels = np.asarray(Image.open(tmp_path / "dog" / "7.png")).copy()
    pixels[0, 0, 0] ^= 1
    Image.fromarray(pixels).save(tmp_path / "dog" / "7.png")
    assert load_folder(tmp_path, seed=1).fingerprint != before.fingerprint


def test_the_persons_own_parts_are_kept(tmp_path):
    _make(tmp_path, train__b=6, train__a=6, val__a=5, val__b=5, test__a=7)
    data = load_folder(tmp_path, seed=0)
    assert [len(getattr(data, part)) for part in PARTS] == [12, 10, 7]
    for part, folder in zip(PARTS, ("train", "val", "test")):
        assert {name.split("/")[0] for name in getattr(data, part).names} == {folder}
    assert "held out" not in _words(data)
    assert "The test part has no picture of b" in _words(data)


@pytest.mark.parametrize(
    ("further", "sizes", "told"),
    [
        ({}, [28, 6, 6], ("test", "validation")),
        ({"test__a": 5, "test__b": 5}, [34, 6, 10], ("validation",)),
        ({"val__a": 5, "val__b": 5}, [34, 10, 6], ("test",)),
    ],
)
def test_parts_that_lack_are_held_out_of_training_and_said(tmp_path, further, sizes, told):
    data = load_folder(_make(tmp_path, train__a=20, train__b=20, **further), seed=0)
    assert [len(getattr(data, part)) for part in PARTS] == sizes
    assert [part for part in ("test", "validation") if f"has no {part} part" in _words(data)] == list(told)
    assert len({name for part in PARTS for name in getattr(data, part).names}) == sum(sizes)


@pytest.mark.parametrize(("size", "count"), [(0.3, 12), (7, 7), (0, 0)])
def test_validation_can_be_a_share_or_a_number(tmp_path, size, count):
    data = load_folder(_make(tmp_path, a=20, b=20), seed=0, validation_fraction=size)
    assert (len(data.validation), len(data.test)) == (count, 6)
    assert ("The validation part is empty" in _words(data)) == (count == 0)


@pytest.mark.parametrize("size", [0.9, 40])
def test_more_held_out_than_there_is_is_refused(tmp_path, size):
    with pytest.raises(EtudeError, match="hold out fewer"):
        load_folder(_make(tmp_path, a=20, b=20), seed=0, validation_fraction=size)


def test_unreadable_files_are_named_and_the_rest_goes_on(tmp_path):
    _make(tmp_path, dog=20, cat=20)
    whole = (tmp_path / "dog" / "3.png").read_bytes()
    (tmp_path / "dog" / "3.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "cat" / "words.jpg").write_text("no picture")
    (tmp_path / "cat" / "empty.gif").touch()
    data = load_folder(tmp_path, seed=0)
    assert data.source["unreadable"] == ["cat/empty.gif", "cat/words.jpg", "dog/3.png"]
    assert "cat/empty.gif (empty file), cat/words.jpg (not a picture), dog/3.png (damaged)" in _words(data)
    used = {name for part in PARTS for name in getattr(data, part).names}
    assert len(used) == 39
    assert not used & set(data.source["unreadable"])
    for part in PARTS:  # labels and names did not slip against the pictures
        examples = getattr(data, part)
        for pixels, name in zip(examples.pixels(), examples.names):
            assert np.array_equal(pixels, np.asarray(Image.open(tmp_path / name)).transpose(2, 0, 1))


def test_a_class_without_one_readable_picture_is_no_class(tmp_path):
    _make(tmp_path, dog=10, cat=10)
    (tmp_path / "emu").mkdir()
    (tmp_path / "emu" / "1.jpg").write_text("no picture")
    assert load_folder(tmp_path, seed=0).classes == ("cat", "dog")


def test_copies_are_told_and_never_both_learnt_and_tested(tmp_path):
    _make(tmp_path, dog=30, cat=30)
    for number in range(10):
        _copy(tmp_path, f"dog/{number}.png", f"dog/again/{number}.png")
        _copy(tmp_path, f"cat/{number}.png", f"dog/cat{number}.png")
    for seed in range(3):
        data = load_folder(tmp_path, seed=seed)
        assert "10 pictures occur more than once in their class" in _words(data)
        assert "10 pictures are in two classes, cat and dog" in _words(data)
        assert "Copies of a picture go to one part together" in _words(data)
        train, validation, test = (
            {pixels.tobytes() for pixels in part.pixels()} for part in (data.train, data.validation, data.test)
        )
        assert validation
        assert test
        assert not train & validation
        assert not train & test
        assert not validation & test
        assert len(data.train) + len(data.validation) + len(data.test) == 80


def test_copies_across_the_persons_own_parts_are_told_and_left(tmp_path):
    _make(tmp_path, train__a=10, train__b=10, val__a=5, val__b=5, test__a=5, test__b=5)
    _copy(tmp_path, "train/a/0.png", "test/a/copy.png")
    data = load_folder(tmp_path, seed=0)
    assert "1 picture of the test part is also in the training part" in _words(data)
    assert "train/a/0.png = test/a/copy.png" in _words(data)
    assert "go to one part together" not in _words(data)
    assert len(data.test) == 11


def test_very_few_pictures_still_load(tmp_path):
    data = load_folder(_make(tmp_path, a=1, b=1), seed=0)
    assert [len(getattr(data, part)) for part in PARTS] == [2, 0, 0]
    assert "2 classes have fewer than 5 pictures: a: 1, b: 1" in _words(data)
    assert "The test part is empty" in _words(data)


def test_grey_pictures_have_one_channel_and_are_not_mirrored(tmp_path):
    for label in "ab":
        (tmp_path / label).mkdir()
        for number in range(5):
            Image.effect_noise((20, 20), 40 + number).save(tmp_path / label / f"{number}.png")
    data = load_folder(tmp_path, seed=0)
    assert data.input_shape == (1, 20, 20)
    assert len(data.mean) == len(data.std) == 1
    assert data.augmentations == ("crop",)
    assert load_folder(_make(tmp_path, a=3, b=3), seed=0).augmentations == ("flip", "crop")


def test_every_kind_of_picture_in_one_folder(tmp_path):
    """Modes, sizes, rotations and animations together: as many examples as files, and one shape."""
    chance = np.random.default_rng(0)
    colour = Image.fromarray(chance.integers(0, 256, (90, 70, 3), dtype=np.uint8))
    rotated = Image.Exif()
    rotated[0x0112] = 6
    folder = tmp_path / "各种 图片"
    for label in ("甲", "乙 类"):
        (folder / label).mkdir(parents=True)
        for name, image, how in [
            ("a.JPG", colour, {"exif": rotated}),
            ("b.png", colour.convert("RGBA"), {}),
            ("c.gif", colour.quantize(16), {"save_all": True, "append_images": [colour.quantize(8)]}),
            ("d.tif", Image.fromarray(chance.integers(0, 65536, (30, 50), dtype=np.uint16)), {}),
            ("e.webp", colour.resize((33, 20)), {}),
            ("f.bmp", colour.convert("1"), {}),
            ("g.jpeg", colour.convert("CMYK"), {}),
            ("h.png", colour.convert("LA"), {}),
            ("i.tiff", Image.fromarray(chance.random((40, 40), dtype=np.float32)), {}),
        ]:
            image.save(folder / label / name, **how)
    data = load_folder(folder, seed=0)
    assert sum(len(getattr(data, part)) for part in PARTS) == 18
    assert data.source["unreadable"] == []
    assert data.classes == ("乙 类", "甲")
    assert data.input_shape[0] == 3
    assert data.preparation["fit"] == "crop"


def test_a_single_class_and_a_wrapped_folder_are_refused(tmp_path):
    _make(tmp_path / "photos", cat=3, dog=3)
    with pytest.raises(EtudeError, match="one class only"):
        load_folder(tmp_path, seed=0)


def test_to_measure_a_run_on_the_test_part_counts(tmp_path):
    _make(tmp_path, train__a=4, train__b=4, test__b=3)
    classes, preparation = ("z", "b", "a"), {"channels": 1, "height": 9, "width": 7, "fit": "crop"}
    examples, findings = load_for(tmp_path, classes, preparation)
    assert examples.labels.tolist() == [1, 1, 1]
    assert list(examples.names) == [f"test/b/{number}.png" for number in range(3)]
    for pixels, name in zip(examples.pixels(), examples.names):
        assert np.array_equal(pixels, prepare_image(tmp_path / name, preparation).pixels)
    assert "test part" in findings[0].en


def test_to_measure_a_run_a_flat_folder_counts_whole(tmp_path):
    _make(tmp_path, b=4)
    (tmp_path / "b" / "2.png").write_text("no picture")
    examples, findings = load_for(tmp_path, ("a", "b"), {"channels": 3, "height": 8, "width": 8, "fit": "crop"})
    assert examples.labels.tolist() == [1, 1, 1]
    assert [found.en for found in findings] == [
        "1 file could not be read and is left out: b/2.png (not a picture)."
    ]
    _make(tmp_path, wolf=2)
    with pytest.raises(EtudeError, match="wolf"):
        load_for(tmp_path, ("a", "b"), {"channels": 3, "height": 8, "width": 8, "fit": "crop"})


def test_to_measure_a_run_a_test_part_alone_is_enough(tmp_path):
    _make(tmp_path, test__a=2, test__b=3)
    preparation = {"channels": 3, "height": 12, "width": 12, "fit": "crop"}
    examples, _ = load_for(tmp_path, ("b", "a"), preparation)
    assert examples.labels.tolist() == [1, 1, 0, 0, 0]


def _unpack(archive: Path, target: Path, wanted=lambda name: True) -> Path:
    with tarfile.open(archive) as tar:
        members = [member for member in tar if wanted(member.name)]
        tar.extractall(target, members, filter="data")
    return target


def test_real_photographs(real_data, tmp_path):
    folder = _unpack(real_data / "photos.tar", tmp_path) / "photos"
    shots = sorted(folder.glob("dog/*.jpg"))
    shots[0].write_bytes(shots[0].read_bytes()[:5000])
    shots[1].write_text("no picture")
    data = load_folder(folder, seed=0)
    assert data.source["unreadable"] == [f"dog/{shots[0].name}", f"dog/{shots[1].name}"]
    assert data.input_shape == (3, 64, 64)
    assert data.classes == ("bird", "cat", "dog", "insect", "reptile")
    assert sum(len(getattr(data, part)) for part in PARTS) == 293
    # by the bytes of the files, 44 photographs lie both in bird and in reptile
    contents = Counter(path.read_bytes() for path in folder.glob("*/*.jpg"))
    assert sum(count == 2 for count in contents.values()) == 44
    assert "44 pictures are in two classes, bird and reptile" in _words(data)
    assert "'dog' has 116 pictures, 9.7 times as many as 'cat' with 12" in _words(data)
    began = time.perf_counter()
    again = load_folder(folder, seed=0)
    assert again.fingerprint == data.fingerprint
    assert time.perf_counter() - began < 2


@pytest.mark.slow
def test_real_small_pictures(real_data, tmp_path):
    folder = _unpack(real_data / "cifar10-jpg.tar", tmp_path, lambda name: name.endswith(("00.jpg", "50.jpg")))
    data = load_folder(folder, seed=0)
    assert data.input_shape == (3, 32, 32)
    assert data.num_classes == 10
    assert data.preparation == {"channels": 3, "height": 32, "width": 32, "fit": "stretch"}
    assert (len(data.train) + len(data.validation), len(data.test)) == (1000, 200)
    assert np.bincount(data.validation.labels).tolist() == [15] * 10
    for row in range(0, 200, 20):
        picture = np.asarray(Image.open(folder / data.test.names[row])).transpose(2, 0, 1)
        assert np.array_equal(data.test.pixels()[row], picture)
