"""COCO's format: a hand-written example read, drawn and written; every broken entry told."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle
from PIL import Image

from etude.core.errors import EtudeError
from etude.core.plotting import drawing, png
from etude.data.boxes import boxes_figure, choose_pictures
from etude.data.coco import Box, coco_facts, read_coco
from etude.data.write_coco import write_coco

EXAMPLE = {
    "info": {"year": 2017},
    "licenses": [],
    "images": [
        {"id": 42, "file_name": "000000000042.jpg", "width": 64, "height": 48, "license": 1},
        {"id": 7, "file_name": "000000000007.jpg", "width": 40, "height": 60},
        {"id": 8, "file_name": "000000000008.jpg", "width": 200, "height": 120},
    ],
    "categories": [
        {"id": 18, "name": "dog", "supercategory": "animal"},
        {"id": 1, "name": "person", "supercategory": "person"},
        {"id": 90, "name": "toothbrush", "supercategory": "indoor"},
    ],
    "annotations": [
        {"id": 1, "image_id": 42, "category_id": 18, "bbox": [3.5, 4, 20, 30.25], "area": 400, "iscrowd": 0, "segmentation": []},
        {"id": 2, "image_id": 42, "category_id": 1, "bbox": [0, 0, 64, 48], "iscrowd": 1},
        {"id": 3, "image_id": 8, "category_id": 1, "bbox": [10, 10, 100, 100]},
        {"id": 4, "image_id": 8, "category_id": 1, "bbox": [10, 10, 96, 96]},
    ],
}  # fmt: skip


def make(folder: Path, content=EXAMPLE, pictures: str = "val2017") -> Path:
    """The JSON in ``annotations/``, the pictures of the example in a folder relative to its parent."""
    (folder / "annotations").mkdir(parents=True, exist_ok=True)
    (folder / pictures).mkdir(parents=True, exist_ok=True)
    chance = np.random.default_rng(0)
    for each in EXAMPLE["images"]:
        pixels = chance.integers(0, 256, (each["height"], each["width"], 3), np.uint8)
        Image.fromarray(pixels).save(folder / pictures / each["file_name"])
    path = folder / "annotations" / "instances_val2017.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_a_hand_written_example(tmp_path):
    coco = read_coco(make(tmp_path))
    assert coco.classes == ("person", "dog", "toothbrush")  # in the order of their ids
    assert [(each.name, each.width, each.height) for each in coco.pictures] == [
        ("000000000042.jpg", 64, 48),
        ("000000000007.jpg", 40, 60),
        ("000000000008.jpg", 200, 120),
    ]
    assert coco.pictures[0].boxes == (Box(1, 3.5, 4, 20, 30.25), Box(0, 0, 0, 64, 48, crowd=True))
    assert coco.pictures[1].boxes == ()
    assert all(each.path == tmp_path / "val2017" / each.name for each in coco.pictures)
    assert [each.en for each in coco.findings] == ["1 class has no box: toothbrush."]


def test_facts(tmp_path):
    facts = coco_facts(read_coco(make(tmp_path)))
    assert json.loads(json.dumps(facts)) == facts
    assert facts["classes"] == {
        "person": {"boxes": 3, "pictures": 2},
        "dog": {"boxes": 1, "pictures": 1},
        "toothbrush": {"boxes": 0, "pictures": 0},
    }
    # areas 605, 3072, 10000 and 9216 = 96²; COCO calls from 32² on medium, from 96² on large
    assert [facts[f"{size}_boxes"] for size in ("small", "medium", "large")] == [1, 1, 2]
    assert (facts["pictures"], facts["boxes"], facts["crowds"], facts["pictures_without_boxes"]) == (3, 4, 1, 1)
    assert (facts["smallest_picture"], facts["largest_picture"]) == ([40, 60], [200, 120])
    assert facts["most_boxes_in_a_picture"] == 2


@pytest.mark.parametrize(
    "pictures",
    ["annotations", "annotations/images", "annotations/val2017", "val2017", "images/val2017", "images", "JPEGImages", "."],
)  # fmt: skip
def test_pictures_are_found_where_people_keep_them(tmp_path, pictures):
    coco = read_coco(make(tmp_path / "set", pictures=pictures))
    assert all(each.path is not None for each in coco.pictures)
    content = json.loads(coco.path.read_text(encoding="utf-8"))
    for each in content["images"]:
        each["file_name"] = "C:\\pictures\\" + each["file_name"]
    coco.path.write_text(json.dumps(content), encoding="utf-8")
    assert all(each.path is not None for each in read_coco(coco.path).pictures)


def broken(**changes):
    """The example with further entries."""
    return {name: EXAMPLE[name] + changes.get(name, []) for name in ("images", "annotations", "categories")}


def box(*corners, **changes):
    return {"id": 99, "image_id": 8, "category_id": 18, "bbox": list(corners), **changes}


@pytest.mark.parametrize(
    ("changes", "says", "kept"),
    [
        ({"annotations": [box(1, 2, 3)]}, "1 annotation has no bbox of four numbers and is left out: 99.", 4),
        ({"annotations": [box(1, 2, 3, "4"), {"id": 5}]}, "2 annotations have no bbox of four numbers and are left out: 99, 5.", 4),
        ({"annotations": [box(1, 2, math.nan, 4)]}, "1 annotation has no bbox", 4),
        ({"annotations": [box(1, 2, math.inf, 4)]}, "1 annotation has no bbox", 4),
        ({"annotations": ["?"]}, "1 annotation has no bbox of four numbers and is left out: annotations[4].", 4),
        ({"annotations": [box(1, 2, 3, 4, image_id=9)]}, "1 annotation names an image that there is not", 4),
        ({"annotations": [box(1, 2, 3, 4, image_id=[])]}, "1 annotation names an image that there is not", 4),
        ({"annotations": [box(1, 2, 3, 4, category_id=2)]}, "1 annotation names a category that there is not", 4),
        ({"annotations": [box(1, 2, 0, 4)]}, "1 box has no width or no height and is left out: 99.", 4),
        ({"annotations": [box(1, 2, 3, -4)]}, "1 box has no width or no height", 4),
        ({"annotations": [box(200, 2, 3, 4)]}, "1 box lies outside its picture and is left out: 99.", 4),
        ({"annotations": [box(150, 60, 190, 110)]}, "1 box reaches beyond its picture: 99; a bbox is [x, y, width, height]", 5),
        ({"annotations": [box(0.1, 0.2, 0.3, 0.4)]}, "1 box is smaller than one pixel: 99; a bbox is in pixels", 5),
        ({"categories": [{"id": 3}]}, "1 category lacks an id or a name and is left out: categories[3].", 4),
        ({"categories": [{"id": 18, "name": "cat"}]}, "1 category has the id of another and is left out: cat (18).", 4),
        ({"categories": [{"id": 3, "name": "dog"}]}, "1 name is that of several categories: dog.", 4),
        ({"images": [{"id": 1}, None]}, "2 images lack an id or a file_name and are left out: images[3], images[4].", 4),
        ({"images": [{"id": 8, "file_name": "x.jpg"}]}, "1 image has the id of another and is left out: x.jpg (8).", 4),
        ({"images": [{"id": 9, "file_name": "x.jpg", "width": 3, "height": 3}]}, "1 picture was not found: x.jpg; looked in ", 4),
        ({"images": [{"id": 9, "file_name": "x.jpg"}]}, "1 image has no width and height", 4),
        ({"images": [{"id": 9, "file_name": "x\0.jpg", "width": 3, "height": 3}]}, "1 picture was not found", 4),
    ],
)  # fmt: skip
def test_what_is_broken_is_told_in_a_sentence(tmp_path, changes, says, kept):
    coco = read_coco(make(tmp_path, broken(**changes)))
    told = [each for each in coco.findings if says in each.en]
    assert len(told) == 1
    assert "。" in told[0].zh
    assert sum(len(each.boxes) for each in coco.pictures) == kept


def test_pictures_of_another_size_and_unreadable_ones_are_told(tmp_path):
    path = make(tmp_path)
    Image.new("RGB", (32, 24)).save(tmp_path / "val2017" / "000000000042.jpg")
    (tmp_path / "val2017" / "000000000007.jpg").write_bytes(b"no picture")
    coco = read_coco(path)
    words = "\n".join(each.en for each in coco.findings)
    assert "000000000042.jpg (64×48, 32×24)" in words
    assert "1 picture could not be read: 000000000007.jpg." in words
    assert coco.pictures[1].path is None


def test_a_size_that_is_not_stated_is_read_from_the_file(tmp_path):
    content = json.loads(json.dumps(EXAMPLE))
    del content["images"][0]["width"]
    assert read_coco(make(tmp_path, content)).pictures[0].width == 64


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "not valid JSON"),
        ("[]", "is a list, as detectors' results are"),
        ("7", "no list 'images'"),
        ('{"images": [], "annotations": []}', "no list 'categories'"),
        ('{"images": [], "annotations": [], "categories": [{"id": 1, "name": "a"}]}', "empty list 'images'"),
        ('{"images": [3], "annotations": [], "categories": [{"id": 1, "name": "a"}]}', "No image in"),
        ('{"images": [3], "annotations": [], "categories": [{"id": true, "name": "a"}]}', "No category in"),
    ],
)
def test_another_file_is_refused(tmp_path, content, says):
    path = tmp_path / "x.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(EtudeError, match=says):
        read_coco(path)


def outlines(axes):
    return [patch for patch in axes.patches if isinstance(patch, Rectangle) and not patch.get_fill()]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_boxes_are_drawn_where_the_file_says(tmp_path, lang):
    coco = read_coco(make(tmp_path))
    with drawing(lang):
        figure = boxes_figure(coco, lang)
        assert png(figure, dpi=60).startswith(b"\x89PNG")
    assert len(figure.axes) == 3
    for axes, picture in zip(figure.axes, coco.pictures):
        assert axes.get_xlim() == (0, picture.width)
        assert axes.get_ylim() == (picture.height, 0)
        assert axes.images[0].get_extent() == [0, picture.width, picture.height, 0]
        drawn = {(*patch.get_xy(), patch.get_width(), patch.get_height()) for patch in outlines(axes)}
        assert drawn == {(b.x, b.y, b.width, b.height) for b in picture.boxes}
    said = [text.get_text() for text in figure.axes[0].texts]
    assert "dog" in said
    assert {"en": "person (crowd)", "zh": "person（成群）"}[lang] in said
    colours = {to_hex(patch.get_edgecolor()) for patch in outlines(figure.axes[0])}
    assert len(colours) == 2


def test_names_stay_in_the_picture_and_cover_no_other(tmp_path):
    many = [box(4 * i, 3 * i, 60, 40, id=100 + i, image_id=8) for i in range(20)]
    coco = read_coco(make(tmp_path, broken(annotations=many)))
    with drawing("en"):
        axes = boxes_figure(coco, "en", pictures=[coco.pictures[2]]).axes[0]
    tags = [patch.get_bbox() for patch in axes.patches if patch.get_fill()]
    assert len(tags) >= 3
    for place, tag in enumerate(tags):
        assert tag.x0 >= 0
        assert tag.x1 <= 200
        assert tag.y0 >= 0
        assert tag.y1 <= 120
        for other in tags[:place]:
            assert min(tag.x1, other.x1) <= max(tag.x0, other.x0) or min(tag.y1, other.y1) <= max(
                tag.y0, other.y0
            )


def test_the_pictures_chosen_show_every_class(tmp_path):
    chance = np.random.default_rng(0)
    pictures = [chance.integers(0, 256, (3, 16, 16), np.uint8) for _ in range(12)]
    boxes = [[Box(0, 1, 1, 5, 5)]] * 10 + [[Box(1, 1, 1, 5, 5)], [Box(2, 2, 2, 6, 6), Box(1, 0, 0, 4, 4)]]
    coco = read_coco(write_coco(tmp_path / "set", pictures, boxes, ("a", "b", "c")))
    chosen = choose_pictures(coco, 2)
    assert {b.label for each in chosen for b in each.boxes} == {0, 1, 2}


def test_turned_photos_are_drawn_as_their_boxes_see_them(tmp_path):
    path = make(tmp_path)
    photo = Image.new("RGB", (64, 48))
    exif = photo.getexif()
    exif[0x0112] = 6  # upright it is 48 wide, 64 high
    photo.save(tmp_path / "val2017" / "000000000042.jpg", exif=exif)
    for stated in ((64, 48), (48, 64)):
        content = json.loads(json.dumps(EXAMPLE))
        content["images"][0] |= {"width": stated[0], "height": stated[1]}
        path.write_text(json.dumps(content), encoding="utf-8")
        coco = read_coco(path)
        assert not any("another size" in each.en for each in coco.findings)
        with drawing("en"):
            axes = boxes_figure(coco, "en", pictures=[coco.pictures[0]]).axes[0]
        assert axes.images[0].get_array().shape[:2] == stated[::-1]


def test_without_files_there_is_nothing_to_draw(tmp_path):
    coco = read_coco(make(tmp_path))
    for each in coco.pictures:
        each.path.unlink()
    with pytest.raises(EtudeError, match="None of the 3 pictures"):
        boxes_figure(read_coco(coco.path), "en")


def test_written_files_are_in_the_format(tmp_path):
    chance = np.random.default_rng(0)
    pictures = [chance.integers(0, 256, shape, np.uint8) for shape in ((3, 10, 20), (1, 30, 12))]
    boxes = [[Box(1, 1, 2, 3.5, 4), Box(0, 0, 0, 20, 10, crowd=True)], [Box(0, 2, 3, 4, 5)]]
    path = write_coco(tmp_path / "set", pictures, boxes, ("cat", "狗"))
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content == {
        "images": [
            {"id": 1, "file_name": "000001.png", "width": 20, "height": 10},
            {"id": 2, "file_name": "000002.png", "width": 12, "height": 30},
        ],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 2, "bbox": [1, 2, 3.5, 4], "area": 14, "iscrowd": 0},
            {"id": 2, "image_id": 1, "category_id": 1, "bbox": [0, 0, 20, 10], "area": 200, "iscrowd": 1},
            {"id": 3, "image_id": 2, "category_id": 1, "bbox": [2, 3, 4, 5], "area": 20, "iscrowd": 0},
        ],
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "狗"}],
    }
    for name, pixels in zip(("000001.png", "000002.png"), pictures):
        read = np.atleast_3d(np.asarray(Image.open(path.parent / name))).transpose(2, 0, 1)
        assert np.array_equal(read, pixels)
    coco = read_coco(path)
    assert [list(each.boxes) for each in coco.pictures] == boxes
    assert coco.findings == ()
    with pytest.raises(EtudeError, match="exists already"):
        write_coco(tmp_path / "set", pictures, boxes, ("cat", "狗"))
