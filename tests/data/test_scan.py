"""Which files of a folder count as pictures, of which class and part."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from etude.core.errors import EtudeError
from etude.data.scan import IMAGE_ENDINGS, natural_key, scan_folder


def _touch(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return folder


def _found(folder: Path) -> list[tuple[str, str, str | None]]:
    return [(each.name, each.label, each.part) for each in scan_folder(folder).pictures]


def test_a_folder_for_each_class(tmp_path):
    _touch(tmp_path, "dog/2.jpg", "cat/10.png", "cat/9.png", "dog/deep/er/1.JPEG", "红 猫/图.webp")
    assert _found(tmp_path) == [
        ("cat/9.png", "cat", None),
        ("cat/10.png", "cat", None),
        ("dog/2.jpg", "dog", None),
        ("dog/deep/er/1.JPEG", "dog", None),
        ("红 猫/图.webp", "红 猫", None),
    ]
    assert scan_folder(tmp_path).parts == ()


@pytest.mark.parametrize("ending", sorted(IMAGE_ENDINGS | {".JPG", ".Tiff"}))
def test_endings_count_in_any_case(tmp_path, ending):
    _touch(tmp_path, f"a/1{ending}", f"b/1{ending}")
    assert len(_found(tmp_path)) == 2


def test_what_operating_systems_leave_behind_is_passed_over(tmp_path):
    _touch(
        tmp_path,
        "a/1.jpg",
        "b/1.jpg",
        "a/.DS_Store",
        "a/._1.jpg",
        "__MACOSX/a/1.jpg",
        "b/Thumbs.db",
        ".git/x.png",
    )
    scan = scan_folder(tmp_path)
    assert [each.name for each in scan.pictures] == ["a/1.jpg", "b/1.jpg"]
    assert (scan.others, scan.strays, scan.empty) == (0, (), ())


def test_other_files_strays_and_empty_class_folders_are_told(tmp_path):
    _touch(tmp_path, "a/1.jpg", "b/1.jpg", "b/notes.txt", "labels.csv", "cover.jpg", "c/readme.md")
    (tmp_path / "d").mkdir()
    scan = scan_folder(tmp_path)
    assert scan.others == 3
    assert scan.strays == ("cover.jpg",)
    assert scan.empty == ("c", "d")


@pytest.mark.parametrize(
    ("names", "parts"),
    [
        (("train", "val", "test"), ("train", "validation", "test")),
        (("Train", "valid", "TEST"), ("train", "validation", "test")),
        (("train", "validation"), ("train", "validation")),
        (("training", "test"), ("train", "test")),
        (("train",), ("train",)),
    ],
)
def test_parts_above_the_classes(tmp_path, names, parts):
    for name in names:
        _touch(tmp_path, f"{name}/a/1.jpg", f"{name}/b/sub/1.jpg")
    scan = scan_folder(tmp_path)
    assert scan.parts == parts
    assert {each.label for each in scan.pictures} == {"a", "b"}
    assert [each.part for each in scan.pictures] == [part for part in parts for _ in "ab"]


def test_a_further_folder_beside_the_parts_is_left_out(tmp_path):
    _touch(tmp_path, "train/a/1.jpg", "train/b/1.jpg", "test/a/2.jpg", "unlabelled/7.jpg", "test/loose.jpg")
    scan = scan_folder(tmp_path)
    assert scan.parts == ("train", "test")
    assert scan.strays == ("test/loose.jpg", "unlabelled/7.jpg")
    assert len(scan.pictures) == 3


def test_a_class_may_be_called_train(tmp_path):
    _touch(tmp_path, "train/1.jpg", "plane/1.jpg", "bus/old/1.jpg")
    scan = scan_folder(tmp_path)
    assert scan.parts == ()
    assert [each.label for each in scan.pictures] == ["bus", "plane", "train"]


def test_a_class_called_train_may_have_folders_in_it(tmp_path):
    _touch(tmp_path, "train/steam/1.jpg", "train/diesel/1.jpg", "plane/1.jpg")
    assert [each.label for each in scan_folder(tmp_path).pictures] == ["plane", "train", "train"]


def test_the_same_letters_in_another_unicode_form_are_one_class(tmp_path):
    _touch(tmp_path, "train/caf\u00e9/1.jpg", "train/tea/1.jpg", "test/cafe\u0301/1.jpg")
    assert {each.label for each in scan_folder(tmp_path).pictures} == {"caf\u00e9", "tea"}


def test_order_is_natural_and_independent_of_creation(tmp_path):
    names = [f"{label}/img{number}.jpg" for label in ("class10", "class9") for number in (10, 9, 1)]
    first = _found(_touch(tmp_path / "one", *names))
    second = _found(_touch(tmp_path / "two", *reversed(names)))
    assert first == second
    assert [name for name, _, _ in first][:4] == [f"class9/img{n}.jpg" for n in (1, 9, 10)] + [
        "class10/img1.jpg"
    ]


def test_natural_key_takes_any_name():
    names = ["٣", "²", "a1", "a01", "A1", "", "10", "9", "a10b2", "a10b10"]
    ordered = sorted(names, key=natural_key)
    assert ordered.index("9") < ordered.index("10")
    assert ordered.index("a10b2") < ordered.index("a10b10")


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")
def test_links_are_followed_but_not_round_in_circles(tmp_path):
    _touch(tmp_path / "elsewhere", "1.jpg", "2.jpg")
    _touch(tmp_path / "set", "a/1.jpg")
    (tmp_path / "set" / "b").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "set" / "a" / "up").symlink_to(tmp_path / "set")
    (tmp_path / "set" / "a" / "itself").symlink_to(tmp_path / "set" / "a")
    assert [name for name, _, _ in _found(tmp_path / "set")] == ["a/1.jpg", "b/1.jpg", "b/2.jpg"]


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")
def test_a_link_to_itself_hides_nothing_else(tmp_path):
    _touch(tmp_path, "a/1.jpg", "b/1.jpg")
    (tmp_path / "a" / "loop.jpg").symlink_to("loop.jpg")
    (tmp_path / "b" / "loop").symlink_to("loop")
    scan = scan_folder(tmp_path)
    assert [each.name for each in scan.pictures] == ["a/1.jpg", "a/loop.jpg", "b/1.jpg"]
    assert scan.others == 1


def test_parts_without_training_are_taken_only_to_measure(tmp_path):
    _touch(tmp_path, "test/a/1.jpg", "val/b/1.jpg")
    with pytest.raises(EtudeError, match="no train"):
        scan_folder(tmp_path)
    scan = scan_folder(tmp_path, to_train=False)
    assert scan.parts == ("validation", "test")
    assert [(each.label, each.part) for each in scan.pictures] == [("b", "validation"), ("a", "test")]


@pytest.mark.skipif(sys.platform != "linux", reason="names that are no UTF-8 exist on Linux only")
def test_a_name_that_is_no_utf8_can_be_printed_and_opened(tmp_path):
    _touch(tmp_path, "a/1.jpg", "b/1.jpg")
    with open(os.path.join(os.fsencode(tmp_path), b"a", b"\xff.jpg"), "wb") as file:
        file.write(b"y")
    pictures = scan_folder(tmp_path).pictures
    assert all(each.name.encode("utf-8") for each in pictures)
    assert b"y" in {each.path.read_bytes() for each in pictures}


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the administrator may read everything"
)
def test_a_closed_folder_is_told(tmp_path):
    _touch(tmp_path, "a/1.jpg", "b/1.jpg", "c/1.jpg")
    (tmp_path / "c").chmod(0)
    try:
        assert scan_folder(tmp_path).closed == ("c",)
    finally:
        (tmp_path / "c").chmod(0o755)


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ((), "holds no pictures"),
        (("a/notes.txt",), "holds no pictures"),
        (("1.jpg", "2.jpg"), "no class folders"),
        (("train/1.jpg", "test/2.jpg"), "a class called train"),
        (("test/a/1.jpg", "val/a/2.jpg"), "no train"),
    ],
)
def test_a_folder_that_is_laid_out_otherwise_is_refused_with_the_layout(tmp_path, names, says):
    _touch(tmp_path / "set", *names)
    (tmp_path / "set").mkdir(exist_ok=True)
    if says == "a class called train":
        assert scan_folder(tmp_path / "set").parts == ()  # two classes, as far as anybody can tell
        return
    with pytest.raises(EtudeError, match=says) as caught:
        scan_folder(tmp_path / "set")
    for words in (caught.value.text.en, caught.value.text.zh):
        assert "set/cat/1.jpg" in words
        assert "set/train/cat/1.jpg" in words


def test_no_such_folder(tmp_path):
    with pytest.raises(EtudeError, match="no folder"):
        scan_folder(tmp_path / "absent")
