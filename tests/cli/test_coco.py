"""``etude datasets instances.json``."""

from __future__ import annotations

import json

import numpy as np
import pytest

from etude.cli.main import main
from etude.data.coco import Box
from etude.data.write_coco import write_coco


@pytest.fixture
def instances(tmp_path):
    chance = np.random.default_rng(0)
    pictures = [chance.integers(0, 256, (3, 60, 80), np.uint8) for _ in range(3)]
    boxes = [[Box(0, 5, 5, 30, 20)], [Box(1, 10, 10, 20, 40), Box(0, 40, 5, 30, 30)], []]
    return write_coco(tmp_path / "set", pictures, boxes, ["cat", "dog"])


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_counts_and_picture(instances, tmp_path, capsys, lang):
    figure = tmp_path / "boxes.png"
    assert main(["datasets", str(instances), "--figure", str(figure), "--json", "--lang", lang]) == 0
    captured = capsys.readouterr()
    told = json.loads(captured.out)
    assert told["classes"] == {"cat": {"boxes": 2, "pictures": 2}, "dog": {"boxes": 1, "pictures": 1}}
    assert told["pictures"] == told["pictures_found"] == 3
    assert figure.read_bytes().startswith(b"\x89PNG")
    assert "dog" in captured.err


def test_a_file_that_is_no_coco_is_one_sentence(tmp_path, capsys):
    path = tmp_path / "settings.json"
    path.write_text('{"colour": "blue"}')
    assert main(["datasets", str(path)]) == 2
    told = capsys.readouterr().err.strip()
    assert str(path) in told
    assert len(told.splitlines()) == 1
    assert "Traceback" not in told
