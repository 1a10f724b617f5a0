"""Building by name: what is refused, and how."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

import etude
from etude.core.errors import EtudeError
from etude.models import catalog
from etude.models.catalog import build_model, find_model, list_models
from etude.models.settings import read_setting, settings_of


@pytest.mark.parametrize(
    ("name", "shape", "classes", "settings", "words"),
    [
        ("lenet6", None, None, {}, "lenet5"),
        ("lenet5", (28, 28), None, {}, "(channels, height, width)"),
        ("lenet5", (1, 28.0, 28), None, {}, "(channels, height, width)"),
        ("lenet5", (0, 28, 28), None, {}, "at least 1"),
        ("lenet5", (13,), 3, {}, "linear, logistic, mlp, mlp-plain, mlp-bn"),
        ("mlp", (0,), 3, {}, "(num_features,)"),
        ("mlp", (13, 2), 3, {}, "(num_features,)"),
        ("mlp", (), 3, {}, "(num_features,)"),
        ("mlp", (13,), 0, {}, "1 for a number"),
        ("logistic", (13,), 1, {}, "at least 2"),
        ("vgg16", None, 1, {}, "linear, mlp, mlp-plain, mlp-bn"),
        ("alexnet", (3, 62, 64), None, {}, "63×63"),
        ("vgg16", (3, 31, 64), None, {}, "32×32"),
        ("vgg16", None, None, {"batch_norm": True}, "dropout"),
        ("logistic", None, None, {"dropout": 0.1}, "no settings"),
        ("lenet5", 28, None, {}, "(channels, height, width)"),
        ("lenet5", (1, 11, 28), None, {}, "12×12"),
        ("lenet5-1998", (1, 28, 11), None, {}, "12×12"),
        ("resnet20", (3, 7, 7), None, {}, "8×8"),
        ("lenet5", None, 1, {}, "at least 2"),
        ("lenet5", None, True, {}, "at least 2"),
        ("lenet5", None, 2.5, {}, "at least 2"),
        ("lenet5", None, None, {"dropout": 1.0}, "less than 1"),
        ("lenet5", None, None, {"dropout": -0.1}, "at least 0"),
        ("mlp", None, None, {"dropout": float("nan")}, "dropout"),
        ("mlp", None, None, {"dropout": "half"}, "dropout"),
        ("lenet5", None, None, {"drop_out": 0.1}, "dropout"),
        ("lenet5", None, None, {"widths": (10,)}, "lenet5"),
        ("mlp", None, None, {"widths": (10, 0)}, "at least 1"),
        ("mlp", None, None, {"widths": 10}, "widths"),
        ("mlp", None, None, {"activation": "rleu"}, "relu"),
        ("mlp", None, None, {"batch_norm": 1}, "true or false"),
        ("mlp-plain", None, None, {"activation": "relu"}, "activation"),
        ("resnet18", None, None, {"stem": "big"}, "imagenet"),
        ("resnet20", None, None, {"depth": 26}, "depth"),
        ("mlp", (3, 10**6, 10**6), None, {"widths": (10**9,)}, "smaller"),
    ],
)
def test_wrong_values_are_refused_in_one_sentence(name, shape, classes, settings, words):
    with pytest.raises(EtudeError) as caught:
        build_model(name, shape, classes, **settings)
    assert words in caught.value.text.en
    assert "\n" not in caught.value.text.en
    assert any("\u4e00" <= letter <= "\u9fff" for letter in caught.value.text.zh)


def test_integers_of_other_libraries_are_integers():
    numpy = pytest.importorskip("numpy")
    net = build_model("lenet5", torch.zeros(1, 28, 28).shape, numpy.int64(3))
    assert net.fc3.out_features == 3


def test_public_name_builds():
    assert isinstance(etude.build_model("lenet5"), torch.nn.Module)


def test_find_model_gives_the_entry():
    assert find_model("lenet5").num_classes == 10
    assert "resnet20" in list_models()


def test_settings_are_those_a_person_may_change():
    assert settings_of(find_model("resnet20")) == {"dropout": 0.0}
    assert set(settings_of(find_model("resnet18"))) == {"stem", "dropout"}
    assert set(settings_of(find_model("mlp"))) == {"widths", "activation", "batch_norm", "dropout"}
    assert set(settings_of(find_model("mlp-plain"))) == {"widths", "dropout"}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("dropout=0.25", ("dropout", 0.25)),
        ("widths=300,100", ("widths", (300, 100))),
        ("widths=(64,)", ("widths", (64,))),
        ("batch-norm=true", ("batch_norm", True)),
        ("activation=tanh", ("activation", "tanh")),
    ],
)
def test_settings_are_read_as_typed(words, expected):
    assert read_setting(find_model("mlp"), words) == expected


@pytest.mark.parametrize(
    "words", ["dropout", "dropout=x", "widths=a,b", "batch_norm=2", "activation=", "nothing=1"]
)
def test_settings_typed_wrong_are_refused(words):
    with pytest.raises(EtudeError):
        read_setting(find_model("mlp"), words)


def test_a_new_file_is_a_new_model(tmp_path, monkeypatch):
    (tmp_path / "tiny_for_this_test.py").write_text(
        "from torch import nn\n"
        "from etude.core.text import same\n"
        "from etude.models.entry import Model\n"
        "def build(input_shape, num_classes):\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(input_shape[0], num_classes))\n"
        "CATALOG = (Model('tiny', same('tiny'), 'nobody', build, (1, 1, 1), 2, same('tiny')),)\n",
        encoding="utf-8",
    )
    monkeypatch.setattr(catalog.etude.models, "__path__", [*catalog.etude.models.__path__, str(tmp_path)])
    catalog._discover.cache_clear()
    try:
        assert build_model("tiny", (4, 1, 1), 3)(torch.zeros(2, 4, 1, 1)).shape == (2, 3)
        with pytest.raises(EtudeError, match="no settings"):
            build_model("tiny", dropout=0.1)
    finally:
        sys.modules.pop("etude.models.tiny_for_this_test", None)
        monkeypatch.undo()
        catalog._discover.cache_clear()
    assert "tiny" not in list_models()


def test_models_import_torch_and_core_only():
    code = (
        "import sys; import etude.models.catalog as c; c.list_models();"
        "print([m for m in ('torchvision', 'pydantic', 'matplotlib', 'rich', 'etude.data') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
