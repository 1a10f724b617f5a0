"""Folders laid out as ImageNet and Tiny ImageNet are: words for WordNet's numbers, labels of flat parts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from etude.core.errors import EtudeError
from etude.data.folder import load_folder, load_for
from etude.data.imagenet import class_words
from etude.data.scan import scan_folder

TENCH, GOLDFISH, BIRD, MACHINE = "n01440764", "n01443537", "n02012849", "n03126707"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ETUDE_CACHE", str(tmp_path / "cache"))


def make(folder: Path, *names: str) -> Path:
    """``folder`` with different random pictures of these names."""
    chance = np.random.default_rng(0)
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(chance.integers(0, 256, (12, 12, 3), np.uint8)).save(path, format="JPEG")
    return folder


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def found(folder: Path, **options):
    return {(each.name, each.label, each.part) for each in scan_folder(folder, **options).pictures}


def imagenet(folder: Path) -> Path:
    return make(
        folder,
        *(f"train/{each}/{each}_{i}.JPEG" for each in (GOLDFISH, TENCH) for i in range(8)),
        *(f"val/{each}/ILSVRC2012_val_{i}.JPEG" for each in (TENCH, GOLDFISH) for i in range(2)),
    )


def test_words_are_shown_and_folders_kept(tmp_path):
    folder = imagenet(tmp_path / "set")
    write(
        folder / "LOC_synset_mapping.txt",
        f"{TENCH} tench, Tinca tinca\n{GOLDFISH} goldfish, Carassius auratus\n{BIRD} crane\n",
    )
    data = load_folder(folder, seed=0)
    assert data.classes == (
        "tench",
        "goldfish",
    )  # in the order of the numbers, as torchvision's networks have it
    assert data.source["folders"] == {"tench": TENCH, "goldfish": GOLDFISH}
    for part in (data.train, data.validation, data.test):
        assert len(part)
        for name, label in zip(part.names, part.labels):
            assert name.split("/")[1] == (TENCH, GOLDFISH)[label]
    assert len(data.validation) == 4
    assert not any("no picture" in each.en for each in data.findings)  # the list is no stray file


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("LOC_synset_mapping.txt", f"{TENCH} tench, Tinca tinca\n{GOLDFISH} gold fish, Carassius\n"),
        ("words.txt", f"n00001740\tentity\n{TENCH}\ttench, Tinca tinca\n{GOLDFISH}\tgold fish\n"),
        ("imagenet_class_index.json", json.dumps({"0": [TENCH, "tench"], "1": [GOLDFISH, "gold_fish"]})),
        ("classes.txt", f"{GOLDFISH}: gold fish\r\n{TENCH}, tench\r\n"),
    ],
)
@pytest.mark.parametrize("above", ["", "..", "../../.."])
def test_every_form_of_the_list(tmp_path, name, text, above):
    folder = tmp_path / "a" / "b" / "set"
    make(folder, f"train/{TENCH}/1.JPEG", f"train/{GOLDFISH}/1.JPEG")
    write((folder / above).resolve() / name, text)
    assert class_words(folder, [TENCH, GOLDFISH]) == {TENCH: "tench", GOLDFISH: "gold fish"}
    assert [each.label for each in scan_folder(folder).pictures] == ["tench", "gold fish"]


@pytest.mark.parametrize(
    ("name", "text"),
    [("imagenet_class_index.json", "{"), ("imagenet_class_index.json", "[1, 2]"), ("imagenet_class_index.json", '{"0": [1, 2]}'),
     ("classes.txt", "tench\ngoldfish\n"), ("words.txt", "\xff\n\n")],
)  # fmt: skip
def test_a_list_of_something_else_changes_nothing(tmp_path, name, text):
    folder = make(tmp_path, f"{TENCH}/1.JPEG", f"{GOLDFISH}/1.JPEG")
    (folder / name).write_bytes(text.encode("latin-1"))
    assert [each.label for each in scan_folder(folder).pictures] == [TENCH, GOLDFISH]


def test_ordinary_classes_are_never_renamed(tmp_path):
    folder = make(tmp_path, "cat/1.jpg", "dog/1.jpg")
    write(folder / "classes.txt", "cat tiger\ndog wolf\n")
    assert [each.label for each in scan_folder(folder).pictures] == ["cat", "dog"]


def test_two_classes_of_one_word_stay_two(tmp_path):
    folder = make(tmp_path / "set", *(f"train/{each}/{i}.JPEG" for each in (BIRD, MACHINE) for i in range(9)))
    write(folder / "LOC_synset_mapping.txt", f"{BIRD} crane\n{MACHINE} crane\n")
    data = load_folder(folder, seed=0)
    assert data.classes == (f"crane ({BIRD})", f"crane ({MACHINE})")
    # one of them alone is still known
    alone = make(tmp_path / "set" / "alone", f"{MACHINE}/x.JPEG")
    examples, _ = load_for(alone, data.classes, data.preparation)
    assert examples.labels.tolist() == [1]


def tiny(folder: Path) -> Path:
    """As Tiny ImageNet is laid out: the labels of val in a list, test without any."""
    make(
        folder,
        *(f"train/{each}/images/{each}_{i}.JPEG" for each in (GOLDFISH, TENCH) for i in range(8)),
        *(f"val/images/val_{i}.JPEG" for i in range(4)),
        *(f"test/images/test_{i}.JPEG" for i in range(3)),
    )
    rows = (f"val_{i}.JPEG\t{(TENCH, GOLDFISH)[i % 2]}\t0\t32\t44\t62\n" for i in range(4))
    write(folder / "val" / "val_annotations.txt", "".join(rows))
    write(folder / "wnids.txt", f"{TENCH}\n{GOLDFISH}\n")
    write(folder / "words.txt", f"{TENCH}\ttench\n{GOLDFISH}\tgoldfish, Carassius auratus\n")
    return folder


def test_tiny_imagenet(tmp_path):
    folder = tiny(tmp_path / "tiny")
    scan = scan_folder(folder)
    assert scan.parts == ("train", "validation")
    assert {each for each in found(folder) if each[2] == "validation"} == {
        (f"val/images/val_{i}.JPEG", ("tench", "goldfish")[i % 2], "validation") for i in range(4)
    }
    assert len(scan.pictures) == 20
    assert scan.strays == tuple(f"test/images/test_{i}.JPEG" for i in range(3))
    assert (scan.others, scan.empty) == (0, ())
    data = load_folder(folder, seed=0)
    assert data.classes == ("tench", "goldfish")
    assert len(data.validation) == 4
    assert "3 pictures lie in no class folder and are left out" in "\n".join(each.en for each in data.findings)


def test_the_flat_part_alone_measures_a_run(tmp_path):
    folder = tiny(tmp_path / "tiny")
    data = load_folder(folder, seed=0)
    for place in (folder, folder / "val"):
        examples, _ = load_for(place, data.classes, data.preparation)
        assert examples.labels.tolist() == [0, 0, 1, 1]  # pictures in the order of their classes
    # a run that was trained without the words knows the numbers
    examples, _ = load_for(folder / "val", (GOLDFISH, TENCH), data.preparation)
    assert examples.labels.tolist() == [1, 1, 0, 0]


def test_kaggles_imagenet(tmp_path):
    folder = tmp_path / "ILSVRC" / "Data" / "CLS-LOC"
    make(
        folder,
        *(f"train/{each}/{i}.JPEG" for each in (TENCH, GOLDFISH) for i in range(2)),
        *(f"val/ILSVRC2012_val_0000000{i}.JPEG" for i in range(3)),
        "test/ILSVRC2012_test_00000001.JPEG",
    )
    write(
        tmp_path / "LOC_val_solution.csv",
        f"ImageId,PredictionString\nILSVRC2012_val_00000000,{GOLDFISH} 85 1 499 272 {GOLDFISH} 1 2 3 4\n"
        f"ILSVRC2012_val_00000001,{TENCH} 85 1 499 272\n",
    )
    write(tmp_path / "LOC_synset_mapping.txt", f"{TENCH} tench\n{GOLDFISH} goldfish\n")
    assert {each for each in found(folder) if each[2] == "validation"} == {
        ("val/ILSVRC2012_val_00000000.JPEG", "goldfish", "validation"),
        ("val/ILSVRC2012_val_00000001.JPEG", "tench", "validation"),
    }
    assert scan_folder(folder).strays == (
        "test/ILSVRC2012_test_00000001.JPEG",
        "val/ILSVRC2012_val_00000002.JPEG",
    )


def test_a_flat_part_without_a_list_is_left_out(tmp_path):
    folder = make(tmp_path, "train/cat/1.jpg", "train/dog/1.jpg", "val/images/1.JPG", "val/images/2.JPG")
    scan = scan_folder(folder)
    assert scan.parts == ("train",)
    assert scan.strays == ("val/images/1.JPG", "val/images/2.JPG")


def test_a_class_may_be_called_images(tmp_path):
    folder = make(tmp_path, "train/images/1.jpg", "train/dog/1.jpg", "val/images/1.jpg")
    assert ("val/images/1.jpg", "images", "validation") in found(folder)


def test_images_alone_is_one_class(tmp_path):
    folder = make(tmp_path / "set", "images/1.jpg", "images/2.jpg")
    with pytest.raises(EtudeError, match="one class only"):
        load_folder(folder, seed=0)
