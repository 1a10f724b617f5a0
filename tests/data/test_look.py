"""What is noticed about a person's pictures, and in which words."""

from __future__ import annotations

from pathlib import Path

import pytest

from etude.core.errors import EtudeError
from etude.data.look import choose_classes, look_for_copies, look_over_classes, look_over_files, same_pictures
from etude.data.scan import Picture, Scan


def _picture(name: str) -> Picture:
    """``cat/1.jpg``, or ``train/cat/1.jpg``."""
    *part, label, _ = name.split("/")
    return Picture(
        Path("set") / name, name, label, {"val": "validation"}.get(part[0], part[0]) if part else None
    )


def _scan(*names: str, **more) -> Scan:
    return Scan(Path("set"), tuple(map(_picture, names)), **more)


def test_classes_come_from_what_can_be_learnt():
    scan = _scan("train/cat/1.jpg", "train/dog/1.jpg", "test/cat/2.jpg")
    assert choose_classes(scan, scan.pictures) == ("cat", "dog")


def test_one_class_only_is_refused():
    scan = _scan("cat/1.jpg", "cat/2.jpg")
    with pytest.raises(EtudeError, match="one class only") as caught:
        choose_classes(scan, scan.pictures)
    assert "cat" in caught.value.text.zh


def test_a_class_whose_pictures_are_all_unreadable_is_none():
    scan = _scan("cat/1.jpg", "dog/1.jpg", "emu/1.jpg")
    assert choose_classes(scan, scan.pictures[:2]) == ("cat", "dog")


@pytest.mark.parametrize("part", ["val", "test"])
def test_a_class_to_be_tested_but_not_learnt_is_refused(part):
    scan = _scan("train/cat/1.jpg", "train/dog/1.jpg", f"{part}/狼/1.jpg")
    with pytest.raises(EtudeError, match="狼") as caught:
        choose_classes(scan, scan.pictures)
    assert "train" in caught.value.text.zh


def test_unreadable_files_are_listed_up_to_five():
    scan = _scan(*(f"a/{number}.jpg" for number in range(9)))
    (one,) = look_over_files(scan, {3: "empty"})
    assert one.en == "1 file could not be read and is left out: a/3.jpg (empty file)."
    (seven,) = look_over_files(scan, dict.fromkeys(range(7), "damaged"))
    assert seven.en.startswith("7 files could not be read")
    assert seven.en.endswith("a/4.jpg (damaged) and 2 more.")
    assert "a/4.jpg" in seven.zh
    assert "a/5.jpg" not in seven.zh
    assert "2" in seven.zh


def test_findings_on_files_come_in_a_stable_order():
    scan = _scan("a/1.jpg", "a/2.jpg", strays=("x.jpg",), others=2, empty=("b",), closed=("c",))
    words = [found.en for found in look_over_files(scan, {0: "unknown"})]
    marks = ["could not be read", "permission denied", "no class folder", "no pictures by", "holds no picture"]
    assert len(words) == 5
    for text, mark in zip(words, marks):
        assert mark in text
    assert look_over_files(_scan("a/1.jpg"), {}) == []


def test_a_class_that_is_lost_whole_is_named():
    scan = _scan("cat/1.jpg", "cat/2.jpg", "狼/1.jpg", "狼/2.jpg")
    words = [found.en for found in look_over_files(scan, dict.fromkeys((0, 2, 3), "damaged"))]
    assert words[1:] == ["1 class has no picture that could be read and is left out: 狼."]
    assert len(look_over_files(scan, {0: "damaged", 2: "damaged"})) == 1


@pytest.mark.parametrize(("smallest", "told"), [(4, True), (5, False)])
def test_tiny_classes(smallest, told):
    found = look_over_classes(["a", "b"], [6, smallest])
    assert [f"b: {smallest}" in each.en for each in found] == [True] * told


@pytest.mark.parametrize(("largest", "told"), [(50, False), (51, True)])
def test_imbalance(largest, told):
    found = look_over_classes(["a", "b", "c"], [20, 10, largest])
    assert len(found) == told
    if told:
        assert "'c' has 51 pictures, 5.1 times as many as 'b' with 10" in found[0].en
        assert "5.1" in found[0].zh


def test_same_pictures():
    assert same_pictures(["x", "y", "x", "z", "y", "x"]) == [[0, 2, 5], [1, 4]]
    assert same_pictures([]) == []


def _copies(*groups: tuple[str, ...], together=False) -> list[str]:
    pictures = [_picture(name) for group in groups for name in group]
    places, start = [], 0
    for group in groups:
        places.append(list(range(start, start + len(group))))
        start += len(group)
    return [found.en for found in look_for_copies(pictures, places, together)]


def test_copies_within_a_class():
    (found,) = _copies(("a/1.jpg", "a/2.jpg"), ("b/1.jpg", "b/2.jpg", "b/3.jpg"))
    assert found.startswith(
        "2 pictures occur more than once in their class: a/1.jpg = a/2.jpg, b/1.jpg = b/2.jpg"
    )


def test_copies_in_two_classes():
    first, second = _copies(("a/1.jpg", "b/1.jpg"), ("a/2.jpg", "b/2.jpg"), ("a/3.jpg", "c/3.jpg"))
    assert first.startswith("2 pictures are in two classes, a and b")
    assert second.startswith("1 picture is in two classes, a and c: a/3.jpg = c/3.jpg")


def test_copies_in_two_parts_the_person_made():
    found = _copies(("train/a/1.jpg", "test/a/9.jpg"), ("train/b/1.jpg", "val/b/1.jpg"))
    assert len(found) == 2
    assert found[0].startswith("1 picture of the test part is also in the training part")
    assert found[1].startswith("1 picture of the validation part is also in the training part")
    assert "train/a/1.jpg = test/a/9.jpg" in found[0]


def test_a_copy_in_another_part_is_not_one_within_the_class():
    assert len(_copies(("train/a/1.jpg", "test/a/1.jpg"))) == 1
    assert len(_copies(("train/a/1.jpg", "train/a/2.jpg", "test/a/1.jpg"))) == 2
    assert len(_copies(("train/a/1.jpg", "test/b/1.jpg"))) == 2


def test_it_is_said_that_copies_are_kept_together():
    assert "go to one part together" in _copies(("a/1.jpg", "a/2.jpg"), together=True)[-1]
    assert _copies(together=True) == []


def test_it_is_not_said_where_the_persons_own_parts_share_a_picture():
    found = _copies(("train/a/1.jpg", "test/a/2.jpg"), ("train/b/1.jpg", "train/b/2.jpg"), together=True)
    assert len(found) == 2
    assert not any("go to one part together" in text for text in found)
