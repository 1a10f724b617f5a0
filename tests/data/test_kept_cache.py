"""Pictures decoded while training goes on: the same as decoded before, found again, and never taken for whole when they are not."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms.v2 import functional as tv

import etude.data.kept_cache as kept_cache
import etude.data.kept_entry as kept_entry
import etude.data.lazy as lazy
from etude.core.errors import EtudeError
from etude.data.augmentation import Augmentation
from etude.data.batches import ImageBatches
from etude.data.decode import Unreadable, read_header
from etude.data.folder import load_folder, load_for
from etude.data.kept_cache import look_at_files
from etude.data.prepare import prepare_image, size_to_keep

CROPS = Augmentation(flip=True, random_resized_crop=True)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ETUDE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def large(monkeypatch):
    """Any folder counts as one of many photographs."""
    monkeypatch.setattr(kept_cache, "MANY_BYTES", 0)


def _make(folder: Path, count: int = 24, sizes=((150, 120), (120, 160), (200, 130))) -> Path:
    chance = np.random.default_rng(0)
    for label in ("cat", "dog"):
        (folder / label).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            small = chance.integers(0, 256, (9, 12, 3), dtype=np.uint8)
            image = Image.fromarray(small).resize(sizes[number % len(sizes)], Image.Resampling.BICUBIC)
            image.save(folder / label / f"{number}.{'jpg' if number % 4 else 'png'}")
    return folder


def _epoch(data, epoch: int = 0, **how) -> list[torch.Tensor]:
    return [batch.inputs for batch in ImageBatches(data, 8, seed=1, **how).batches(epoch)]


def _same(first, second) -> bool:
    return len(first) == len(second) and all(torch.equal(a, b) for a, b in zip(first, second))


@pytest.mark.parametrize("room", [False, True])
@pytest.mark.parametrize("augment", [False, True, CROPS])
def test_training_sees_the_same_while_decoding_and_from_the_cache(tmp_path, large, room, augment):
    folder = _make(tmp_path / "photos")
    first = load_folder(folder, seed=0, image_size=48, room_to_crop=room)
    decoding = _epoch(first, augment=augment, channels_last=True)
    assert isinstance(first.train.images, lazy.LazyPictures)
    first.train.images.wait()
    _wait_for_index(tmp_path)
    again = load_folder(folder, seed=0, image_size=48, room_to_crop=room)
    assert not isinstance(again.train.images, lazy.LazyPictures)
    assert (first.fingerprint, first.mean, first.std) == (again.fingerprint, again.mean, again.std)
    assert (first.train.names, first.preparation) == (again.train.names, again.preparation)
    assert _same(decoding, _epoch(again, augment=augment, channels_last=True))
    assert _same(decoding, _epoch(first, augment=augment, channels_last=True, prefetch=2))
    assert _same(_epoch(first, 3, augment=augment), _epoch(again, 3, augment=augment))


def test_a_folder_with_room_is_the_same_large_or_small(tmp_path, monkeypatch):
    folder = _make(tmp_path / "photos", 8)
    small = load_folder(folder, seed=0, image_size=48, room_to_crop=True)
    monkeypatch.setattr(kept_cache, "MANY_BYTES", 0)
    monkeypatch.setenv("ETUDE_CACHE", str(tmp_path / "other"))
    many = load_folder(folder, seed=0, image_size=48, room_to_crop=True)
    assert small.fingerprint == many.fingerprint
    assert _same(_epoch(small, augment=CROPS), _epoch(many, augment=CROPS))


def test_evaluation_and_prediction_see_the_same_middle_of_the_picture(tmp_path):
    folder = _make(tmp_path / "photos", 8)
    data = load_folder(folder, seed=0, image_size=48, room_to_crop=True)
    assert data.preparation == {"channels": 3, "height": 48, "width": 48, "fit": "crop", "keep": 55}
    assert data.input_shape == (3, 48, 48)
    preparation = json.loads(json.dumps(data.preparation))
    pixels = data.train.pixels()
    for row, name in enumerate(data.train.names):
        assert np.array_equal(pixels[row], prepare_image(folder / name, preparation).pixels)
        image = Image.open(folder / name).convert("RGB")
        side = min(image.size)
        box = ((image.width - side) // 2, (image.height - side) // 2)
        square = image.crop((*box, box[0] + side, box[1] + side)).resize((48, 48), Image.Resampling.BILINEAR)
        whole = image.resize((48, 48), Image.Resampling.BILINEAR)
        near, far = (
            np.abs(np.asarray(each).transpose(2, 0, 1).astype(int) - pixels[row]).mean()
            for each in (square, whole)
        )
        assert near < far / 3
    examples, _ = load_for(folder, data.classes, preparation)
    assert np.array_equal(
        examples.pixels()[list(examples.names).index(data.test.names[0])], data.test.pixels()[0]
    )


def test_it_can_be_used_as_an_array(tmp_path):
    images = load_folder(_make(tmp_path / "photos", 8), seed=0, image_size=48, room_to_crop=True).train.images
    whole = np.asarray(images)
    assert whole.shape == images.shape == (16, 3, 48, 48)
    assert whole.dtype == images.dtype == np.uint8
    assert whole.nbytes == images.nbytes
    mask = np.arange(16) % 3 == 0
    for index in (5, slice(2, 9), np.array([4, 4, 1]), mask, (slice(3), 1), (7, 0, slice(4))):
        assert np.array_equal(images[index], whole[index])


def test_crops_are_cut_from_the_whole_picture_in_its_own_proportions(tmp_path):
    """Each crop of a colour ramp shows where it was cut: some reach where no middle square does."""
    (tmp_path / "photos").mkdir()
    ramp = np.zeros((128, 256, 3), dtype=np.uint8)
    ramp[..., 0], ramp[..., 1] = np.arange(256), 2 * np.arange(128)[:, None]
    for label in "ab":
        (tmp_path / "photos" / label).mkdir()
        for number in range(30):
            ramp[0, 0, 2] = number
            Image.fromarray(ramp).save(tmp_path / "photos" / label / f"{number}.png")
    data = load_folder(tmp_path / "photos", seed=0, image_size=48, room_to_crop=True)
    data = replace(data, mean=(0.0,) * 3, std=(1 / 255,) * 3)
    crops = torch.cat([batch for epoch in range(5) for batch in _epoch(data, epoch, augment=CROPS)])
    columns = crops[:, 0].amax((1, 2)) - crops[:, 0].amin((1, 2)) + 1
    rows = (crops[:, 1].amax((1, 2)) - crops[:, 1].amin((1, 2))) / 2 + 1
    assert crops[:, 0].min() < 10
    assert crops[:, 0].max() > 245
    shapes = columns / rows
    assert 0.68 < shapes.min() < 0.85  # admitted are 3/4 to 4/3
    assert 1.2 < shapes.max() < 1.47


def test_what_is_wanted_is_decoded_first(tmp_path, monkeypatch):
    paths = sorted(_make(tmp_path / "photos").glob("*/*"))
    decoded, go = [], threading.Event()

    def watched(path, preparation, *seen, original=lazy.keep_file):
        decoded.append(paths.index(path))
        go.wait(10)
        return original(path, preparation, *seen)

    monkeypatch.setattr(lazy, "keep_file", watched)
    monkeypatch.setattr(kept_cache, "threads_for", lambda paths: 1)
    images = look_at_files(paths, image_size=48).images
    images.ask([0])
    while not decoded:
        time.sleep(0.01)
    order = [40, 3, 17, 29]
    images.ask(order)
    threading.Timer(0.5, go.set).start()
    images.wait([17])
    images.wait()
    assert decoded[:5] == [0, 17, 40, 3, 29]
    assert sorted(decoded) == list(range(len(paths)))


def test_cut_short_and_renamed_files_are_named_before_training(tmp_path, large):
    folder = _make(tmp_path / "photos")
    for name in ("cat/4.png", "dog/5.jpg"):
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: len(content) // 2])
    (folder / "dog" / "6.jpg").write_text("no picture")
    (folder / "dog" / "7.jpg").write_bytes(b"")
    Image.new("RGB", (99, 99), "red").save(folder / "dog" / "8.jpg", "GIF")
    data = load_folder(folder, seed=0, image_size=48)
    assert data.source["unreadable"] == ["cat/4.png", "dog/5.jpg", "dog/6.jpg", "dog/7.jpg"]
    pixels = data.train.pixels()  # labels and names did not slip against the pictures
    for row, name in enumerate(data.train.names):
        assert np.array_equal(pixels[row], prepare_image(folder / name, data.preparation).pixels)


def test_copies_of_a_file_go_to_one_part(tmp_path, large):
    folder = _make(tmp_path / "photos", 20)
    for number in range(10):
        content = next((folder / "cat").glob(f"{number}.*")).read_bytes()
        (folder / "cat" / f"copy{number}.jpg").write_bytes(content)
    data = load_folder(folder, seed=0, image_size=48)
    assert any("10 pictures occur more than once in their class" in found.en for found in data.findings)
    contents = [
        {(folder / name).read_bytes() for name in part.names}
        for part in (data.train, data.validation, data.test)
    ]
    assert not contents[0] & contents[1]
    assert not contents[0] & contents[2]
    assert not contents[1] & contents[2]


def test_a_file_found_damaged_on_the_way_is_named_and_nobody_waits_for_ever(tmp_path, large, monkeypatch):
    folder = _make(tmp_path / "photos")
    monkeypatch.setattr("etude.data.folder.SAMPLE", 1)
    go = threading.Event()

    def failing(path, preparation, *seen, original=lazy.keep_file):
        if go.is_set():
            raise Unreadable("damaged")
        threading.Event().wait(0.05)
        return original(path, preparation, *seen)

    monkeypatch.setattr(lazy, "keep_file", failing)
    data = load_folder(folder, seed=0, image_size=48)
    go.set()
    for _ in range(2):
        with pytest.raises(EtudeError, match=r"\.(jpg|png) and [1-9]\d* more looked whole .* start it again"):
            _epoch(data)
    assert not _indices(tmp_path)


def test_files_are_looked_at_alike_however_many_are_held_at_once(tmp_path, monkeypatch):
    paths = sorted(_make(tmp_path / "photos").glob("*/*"))
    paths[3].write_bytes(b"no picture")
    expected = [hashlib.sha256(path.read_bytes()).digest() for path in (*paths[:3], *paths[4:])]
    for held in (0, 20_000, 1 << 30):
        monkeypatch.setattr(kept_cache, "_HELD", held)
        looked = look_at_files(paths, image_size=48)
        assert list(looked.digests) == expected
        assert looked.unreadable == {3: "unknown"}


def _spoil(path):
    """Damage that shows only when the file is decoded: its tables of codes make no sense."""
    content = bytearray(path.read_bytes())
    table = content.index(b"\xff\xc4")
    content[table + 5 : table + 21] = b"\xff" * 16
    path.write_bytes(content)


def test_files_damaged_in_their_midst_are_all_named_and_left_out_the_next_time(tmp_path, large, monkeypatch):
    folder = _make(tmp_path / "photos")
    monkeypatch.setattr("etude.data.folder.SAMPLE", 1)
    train = [name for name in load_folder(folder, seed=0, image_size=48).train.names if name.endswith("jpg")]
    for name in train[2:4]:
        _spoil(folder / name)
    data = load_folder(folder, seed=0, image_size=48)
    if not data.source["unreadable"]:  # else the one picture that was looked at was among them
        with pytest.raises(lazy.Damaged) as raised:
            _epoch(data)
        assert sorted(raised.value.paths) == sorted(folder / name for name in train[2:4])
        assert "1 more" in raised.value.text.en
        assert "2 个文件" in raised.value.text.zh
        assert copy.copy(raised.value).paths == raised.value.paths  # by what pickle goes by, too
        data = load_folder(folder, seed=0, image_size=48)
    assert sorted(data.source["unreadable"]) == sorted(train[2:4])
    assert len(_epoch(data)) == len(ImageBatches(data, 8, seed=1))


def test_a_small_folder_is_loaded_without_its_damaged_files_at_once(tmp_path):
    folder = _make(tmp_path / "photos")
    names = [each for each in sorted(folder.glob("*/*")) if each.suffix == ".jpg"][:2]
    for path in names:
        _spoil(path)
    data = load_folder(folder, seed=0, image_size=48, room_to_crop=True)
    assert sorted(data.source["unreadable"]) == sorted(path.relative_to(folder).as_posix() for path in names)
    assert any("damaged" in found.en for found in data.findings)


def test_an_entry_that_is_not_what_was_written_is_made_again(tmp_path):
    folder = _make(tmp_path / "photos", 6)
    first = load_folder(folder, seed=0, image_size=48, room_to_crop=True)
    expected = np.asarray(first.train.images)
    _wait_for_index(tmp_path)
    (index,) = _indices(tmp_path)
    pixels = next(index.parent.glob("pixels-*"))
    for spoil in (
        lambda: index.write_text(index.read_text().replace("proportions", "portions")),
        lambda: index.write_text("{"),
        lambda: pixels.write_bytes(pixels.read_bytes()[:-1]),
        lambda: pixels.write_bytes(b"\0" + pixels.read_bytes()[1:-1] + b"\0"),
    ):
        kept = index.read_text(), pixels.read_bytes()
        spoil()
        again = load_folder(folder, seed=0, image_size=48, room_to_crop=True)
        assert np.array_equal(np.asarray(again.train.images), expected)
        _wait_for_index(tmp_path)
        for other in index.parent.glob("pixels-*"):
            other.unlink()
        index.write_text(kept[0])
        pixels.write_bytes(kept[1])


def _is_kept(folder: Path) -> bool:
    return not isinstance(look_at_files(sorted(folder.glob("*/*")), image_size=48).images, lazy.LazyPictures)


def test_pixels_that_may_not_have_reached_the_disk_count_until_the_system_is_started_anew(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(kept_entry, "boot_id", lambda: "today")
    folder = _make(tmp_path / "photos", 6)
    images = look_at_files(sorted(folder.glob("*/*")), image_size=48).images
    images.wait()
    _wait_for_index(tmp_path)
    assert _is_kept(folder)
    (index,) = _indices(tmp_path)
    unsettled = index.read_text()
    images.ask([0])  # the next epoch begins
    for _ in range(600):
        if index.read_text() != unsettled:
            break
        time.sleep(0.05)
    monkeypatch.setattr(kept_entry, "boot_id", lambda: "tomorrow")
    assert _is_kept(folder)
    index.write_text(unsettled)
    assert not _is_kept(folder)


def test_without_a_word_for_the_boot_pixels_reach_the_disk_before_they_count(tmp_path, monkeypatch):
    order, sync, write = [], os.fsync, kept_entry.write_bytes
    monkeypatch.setattr(kept_entry, "boot_id", lambda: None)
    monkeypatch.setattr(kept_entry.os, "fsync", lambda descriptor: (order.append("sync"), sync(descriptor)))
    monkeypatch.setattr(kept_entry, "write_bytes", lambda *given: (order.append("index"), write(*given)))
    folder = _make(tmp_path / "photos", 6)
    images = look_at_files(sorted(folder.glob("*/*")), image_size=48).images
    images.wait()
    _wait_for_index(tmp_path)
    images.ask([0])
    assert order[:2] == ["sync", "index"]
    assert _is_kept(folder)


def test_what_a_killed_process_leaves_is_not_taken_for_whole(tmp_path, monkeypatch):
    folder = _make(tmp_path / "photos", 6)
    program = (
        "import os, sys\nfrom pathlib import Path\nimport etude.data.lazy as lazy\n"
        "from etude.data.folder import load_folder\n"
        "count, keep = [0], lazy.keep_file\n"
        "def dying(*given):\n"
        "    count[0] += 1\n"
        "    if count[0] > 5: os.kill(os.getpid(), 9)\n"
        "    return keep(*given)\n"
        "lazy.keep_file = dying\n"
        "load_folder(Path(sys.argv[1]), seed=0, image_size=48, room_to_crop=True)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program, folder], capture_output=True, timeout=120)
    assert ended.returncode == -9, ended.stderr
    left = list((tmp_path / "cache" / "kept").glob("*/pixels-*"))
    assert len(left) == 1
    assert not _indices(tmp_path)
    monkeypatch.setattr(kept_entry, "_ABANDONED", -1)
    data = load_folder(folder, seed=0, image_size=48, room_to_crop=True)
    assert np.array_equal(
        data.train.pixels()[0], prepare_image(folder / data.train.names[0], data.preparation).pixels
    )
    assert not left[0].exists()


def test_a_process_that_ends_with_the_last_picture_still_makes_the_entry(tmp_path):
    folder = _make(tmp_path / "photos", 6)
    program = (
        "import sys, time\nfrom pathlib import Path\nimport etude.data.kept_cache as kept_cache, etude.data.kept_entry as kept_entry\n"
        "write = kept_entry.write_bytes\n"
        "def slowly(*given):\n"
        "    time.sleep(1)\n"
        "    write(*given)\n"
        "kept_entry.write_bytes = slowly\n"
        "looked = kept_cache.look_at_files(sorted(Path(sys.argv[1]).glob('*/*')), image_size=48)\n"
        "looked.images.wait()\n"
    )
    ended = subprocess.run([sys.executable, "-c", program, folder], capture_output=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    assert len(_indices(tmp_path)) == 1
    looked = look_at_files(sorted(folder.glob("*/*")), image_size=48)
    assert not isinstance(looked.images, lazy.LazyPictures)


@pytest.mark.parametrize("begun", [False, True])
def test_pictures_that_nobody_wants_any_more_leave_no_file(tmp_path, monkeypatch, begun):
    decode, goes_on, under_way = lazy.keep_file, threading.Event(), threading.Event()

    def held(*given):
        under_way.set()
        goes_on.wait(60)
        return decode(*given)

    monkeypatch.setattr(lazy, "keep_file", held)
    images = look_at_files(sorted(_make(tmp_path / "photos", 6).glob("*/*")), image_size=48).images
    if begun:
        images.ask(range(len(images)))
        assert under_way.wait(60)
    assert len(list((tmp_path / "cache" / "kept").glob("*/pixels-*"))) == 1
    del images
    goes_on.set()
    for _ in range(200):
        if not list((tmp_path / "cache" / "kept").glob("*/pixels-*")):
            break
        time.sleep(0.05)
    assert not list((tmp_path / "cache" / "kept").glob("*/*"))


def test_without_a_cache_it_works_and_is_said(tmp_path, monkeypatch):
    (tmp_path / "cache").write_text("a file where the folder should be")
    data = load_folder(_make(tmp_path / "photos", 6), seed=0, image_size=48, room_to_crop=True)
    assert "could not be kept" in data.findings[-1].en
    assert len(_epoch(data, augment=CROPS))


def test_mean_and_deviation_are_exact(tmp_path, large):
    data = load_folder(_make(tmp_path / "photos"), seed=0, image_size=48)
    pixels = data.train.pixels().astype(np.float64) / 255
    assert np.allclose(data.mean, pixels.mean(axis=(0, 2, 3)), atol=1e-12)
    assert np.allclose(data.std, pixels.std(axis=(0, 2, 3)), atol=1e-12)


def test_nothing_to_read_is_refused(tmp_path, large):
    for label in "ab":
        (tmp_path / label).mkdir()
        (tmp_path / label / "1.jpg").write_text("no picture")
    with pytest.raises(EtudeError, match="None of the 2 files"):
        load_folder(tmp_path, seed=0)


@pytest.mark.parametrize(
    ("size", "kept"),
    [((150, 90), (92, 55)), ((90, 82), (90, 82)), ((200, 100), (110, 55)), ((601, 440), (76, 55))],
)
def test_large_pictures_are_kept_smaller_in_their_proportions(tmp_path, size, kept):
    preparation = {"channels": 3, "height": 48, "width": 48, "fit": "crop", "keep": 55}
    pixels = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    for ending in ("png", "jpg"):
        path = tmp_path / f"picture.{ending}"
        Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC).save(path, quality=100)
        found = lazy.keep_file(path, preparation)
        image = torch.from_numpy(np.array(Image.open(path))).permute(2, 0, 1)
        assert abs(found.shape[1] - kept[0]) <= 1
        assert found.shape[0] == kept[1]
        assert sorted(found.shape[:2]) == sorted(size_to_keep(read_header(path), preparation))
        expected = tv.resize(image, list(found.shape[:2]), antialias=True).permute(1, 2, 0)
        differences = np.abs(found.astype(int) - expected.numpy())
        if size[1] > 400 and ending == "jpg":  # libjpeg made it smaller before
            assert differences.mean() < 5
        else:
            assert differences.max() <= 1


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
@pytest.mark.parametrize("ending", ["jpg", "png", "tif", "webp"])
def test_pictures_turned_by_exif_find_their_place(tmp_path, orientation, ending):
    exif = Image.Exif()
    exif[0x0112] = orientation
    ramp = np.tile(np.linspace(0, 255, 150).astype(np.uint8), (100, 1))
    for label in "ab":
        (tmp_path / "photos" / label).mkdir(parents=True)
        for number in range(3):
            Image.fromarray(np.stack([ramp, ramp + number, ramp], 2)).save(
                tmp_path / "photos" / label / f"{number}.{ending}", exif=exif
            )
    data = load_folder(tmp_path / "photos", seed=0, image_size=48, room_to_crop=True)
    for row, name in enumerate(data.train.names):
        expected = prepare_image(tmp_path / "photos" / name, data.preparation).pixels
        assert np.array_equal(data.train.pixels()[row], expected)
    axis = 0 if orientation in (6, 8) else 1
    assert np.ptp(data.train.pixels()[0][0].mean(1 - axis).astype(int)) > 100


def _indices(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "cache" / "kept").glob("*/index.json"))


def _wait_for_index(tmp_path: Path) -> None:
    for _ in range(200):
        if _indices(tmp_path):
            return
        time.sleep(0.05)
    raise AssertionError("no entry was made")
