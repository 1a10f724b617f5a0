"""From names to a run: weights from elsewhere, frozen layers, tables, a rate that is looked for; and each carried on exactly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from etude.core.errors import EtudeError
from etude.data.catalog import load_data
from etude.train.finish import load_weights
from etude.train.predict import Predictor
from etude.train.recipe import Recipe
from etude.train.record import rebuild_model
from etude.train.run import open_run
from etude.train.start import resume_run, start_run
from etude.train.trained import find_trained


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Sixty colour pictures of two classes: which channel is brighter."""
    chance = np.random.default_rng(0)
    place = tmp_path_factory.mktemp("pictures") / "lights"
    for label, channel in (("red", 0), ("blue", 2)):
        (place / label).mkdir(parents=True)
        for number in range(30):
            pixels = chance.integers(0, 120, (40, 40, 3), np.uint8)
            pixels[..., channel] += 100
            Image.fromarray(pixels).save(place / label / f"{number}.png")
    return place


def train(session):
    for _ in session:
        pass
    return session.finish()


def tensors(session):
    return {name: t.clone() for name, t in session.task.modules["model"].state_dict().items()}


def assert_resumes_exactly(make):
    """A run stopped after three steps and resumed ends with the weights of one that was not stopped."""
    whole = make("whole")
    for _ in whole:
        pass
    broken = make("broken")
    for record in broken:
        if record.step == 3:
            break
    broken.save()
    broken.close()
    again = resume_run(broken.run.path)
    assert again.resumed_from_step == 3
    for _ in again:
        pass
    expected, found = tensors(whole), tensors(again)
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    whole.close()
    again.close()


def test_few_photographs_begin_with_shipped_weights(folder, tmp_path):
    session = start_run(folder, run_dir=tmp_path / "run", steps=1)
    assert session.run.record["model"]["weights"]["from"] == "resnet20-cifar10"
    assert session.run.record["data"]["input_shape"] == [3, 32, 32]
    assert any("--no-pretrained" in note.en for note in session.notes)
    assert any("begins anew" in note.en for note in session.notes)
    shipped = load_file(find_trained("resnet20-cifar10") / "weights.safetensors")
    mine = session.task.modules["model"].state_dict()
    assert torch.equal(mine["conv1.weight"], shipped["conv1.weight"])
    assert mine["fc.weight"].shape == (2, 64)
    session.close()


@pytest.mark.parametrize("wish", [{"model": "resnet20"}, {"pretrained": False}, {"load": {"image_size": 24}}])
def test_who_asks_for_something_else_gets_it(folder, tmp_path, wish):
    session = start_run(folder, run_dir=tmp_path / "run", steps=1, **wish)
    assert session.run.record["model"]["weights"] is None
    assert session.run.record["data"]["input_shape"][1] == wish.get("load", {}).get("image_size", 40)
    session.close()


def test_pictures_are_normalised_as_the_weights_know_them(folder, tmp_path):
    session = start_run(folder, pretrained=True, run_dir=tmp_path / "run", epochs=1, precision="float32")
    train(session)
    shipped, mine = (open_run(name).record["data"] for name in ("resnet20-cifar10", tmp_path / "run"))
    assert mine["mean"] == shipped["mean"]
    assert mine["std"] == shipped["std"]
    # what the run says of a picture is what its network says of the picture normalised by hand
    predictor = Predictor(session.run)
    pixels = predictor.prepare(folder / "red" / "0.png")
    inputs = (torch.tensor(pixels) / 255 - torch.tensor(mine["mean"])[:, None, None]) / torch.tensor(
        mine["std"]
    )[:, None, None]
    with torch.inference_mode():
        wanted = predictor.model(inputs[None]).softmax(1)[0].numpy()
    assert predictor.probabilities([pixels])[0] == pytest.approx(wanted, abs=1e-5)


def test_fine_tuning_and_frozen_layers_resume_exactly(folder, tmp_path):
    for settings in ({"backbone_rate": 0.1}, {"freeze": True}):
        place = tmp_path / next(iter(settings))
        assert_resumes_exactly(
            lambda name, place=place, settings=settings: start_run(
                folder, pretrained=True, run_dir=place / name, steps=6, **settings
            )
        )


def test_a_frozen_backbone_is_that_of_the_weights(folder, tmp_path):
    session = start_run(folder, pretrained=True, freeze=True, run_dir=tmp_path / "run", steps=4, ema=None)
    for _ in session:
        pass
    shipped = load_file(find_trained("resnet20-cifar10") / "weights.safetensors")
    mine = session.task.modules["model"].state_dict()
    assert all(torch.equal(mine[name], shipped[name]) for name in shipped if not name.startswith("fc."))
    session.close()


def test_a_file_that_tells_nothing_but_its_shapes_fits_small_pictures(folder, tmp_path):
    """Torchvision's ResNets begin with 7×7 kernels; étude's would begin with 3×3 on pictures of 40 pixels."""
    import torchvision

    torch.save(torchvision.models.resnet18().state_dict(), tmp_path / "mine.pth")
    session = start_run(
        folder, "resnet18", weights=tmp_path / "mine.pth", freeze=True, run_dir=tmp_path / "run", steps=1
    )
    assert session.task.modules["model"].state_dict()["conv1.weight"].shape[-1] == 7
    session.close()


def test_layers_frozen_at_random_are_told(tmp_path):
    session = start_run("digits", "mlp", freeze=True, run_dir=tmp_path / "run", steps=1)
    assert any("as chance made them" in note.en for note in session.notes)
    session.close()


def test_weights_of_a_run_go_on_in_another(folder, tmp_path):
    first = start_run(folder, "lenet5", run_dir=tmp_path / "first", steps=3)
    train(first)
    second = start_run(folder, weights=tmp_path / "first", run_dir=tmp_path / "second", steps=1)
    assert second.run.record["model"]["name"] == "lenet5"  # the weights say of which network they are
    mine, theirs = second.task.modules["model"].state_dict(), load_file(first.run.weights)
    assert all(torch.equal(mine[name], theirs[name]) for name in theirs)
    second.close()


def test_a_seed_that_was_typed_splits_as_the_number_does(tmp_path):
    typed, number = (start_run("digits", run_dir=tmp_path / str(type(seed)), seed=seed) for seed in ("3", 3))
    assert typed.run.record["data"]["fingerprint"] == number.run.record["data"]["fingerprint"]
    assert typed.run.record["data"]["load"]["seed"] == 3
    typed.close()
    number.close()


@pytest.mark.parametrize("data", ["wine", "diabetes"])
def test_a_table_resumes_exactly_and_is_rebuilt(data, tmp_path):
    assert_resumes_exactly(lambda name: start_run(data, run_dir=tmp_path / name, steps=8, dropout=0.2))
    session = start_run(data, run_dir=tmp_path / "run", steps=8)
    results = train(session)
    assert ("test_r2" if data == "diabetes" else "test_accuracy") in results
    model = rebuild_model(session.run)
    assert load_weights(session.run, model)


def test_torchvision_s_networks_are_rebuilt(folder, tmp_path):
    session = start_run(folder, "torchvision:squeezenet1_1", run_dir=tmp_path / "run", steps=1)
    train(session)
    model = rebuild_model(open_run(tmp_path / "run"))
    assert type(model).__module__.startswith("torchvision.")
    assert load_weights(session.run, model)


def test_a_learning_rate_that_is_looked_for_is_recorded_and_drawn(tmp_path):
    session = start_run("digits", "mlp", learning_rate="auto", run_dir=tmp_path / "run", epochs=3)
    record = open_run(tmp_path / "run").record
    assert record["recipe"]["learning_rate"] == record["range_test"]["suggestion"]
    assert session.state.recipe.learning_rate == record["range_test"]["suggestion"]
    assert train(session)["test_accuracy"] > 0.9
    assert (tmp_path / "run" / "figures" / "learning_rate.png").exists()
    assert "How the learning rate was found" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")


def test_regression_on_data_of_one_s_own(tmp_path):
    torch.manual_seed(0)
    inputs = torch.randn(400, 3)
    targets = inputs @ torch.tensor([1.0, -2.0, 0.5])
    parts = [
        torch.utils.data.TensorDataset(inputs[rows], targets[rows])
        for rows in (slice(0, 300), slice(300, 350), slice(350, 400))
    ]
    session = start_run(
        tuple(parts),
        torch.nn.Linear(3, 1),
        task="regression",
        run_dir=tmp_path / "run",
        epochs=60,
        learning_rate=0.05,
    )
    assert train(session)["test_r2"] > 0.99


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"pretrained": True, "weights": "x.pth"}, "both given"),
        ({"model": "mlp", "pretrained": True}, "no pretrained weights for mlp"),
        ({"model": "mlp", "weights": "lenet5-mnist"}, "does not hold weights of this MLP"),
        ({"model": "logistic", "freeze": True}, "nothing to freeze"),
        ({"optimizer": "sparseadam"}, "nn.Embedding"),
        ({"model": "mlp", "model_settings": ["width=3"]}, "did you mean widths"),
        ({"load": {"target": "x"}}, "for tables only"),
        ({"step_size": 2}, "goes with schedule step"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_writes_nothing(wish, said, tmp_path):
    with pytest.raises(EtudeError) as caught:
        start_run("digits", run_dir=tmp_path / "run", **wish)
    assert said in caught.value.text.en
    assert "\n" not in caught.value.text.en
    assert not (tmp_path / "run").exists()


def test_pictures_given_again_are_normalised_as_the_run_began(folder, tmp_path):
    data = load_data(folder, image_size=32)
    begun = start_run(
        data, "resnet20", weights="resnet20-cifar10", steps=3, run_dir=tmp_path / "run", device="cpu"
    )
    begun.save()
    begun.close()
    again = resume_run(tmp_path / "run", data)
    assert begun.feed.data.mean != data.mean
    assert (again.feed.data.mean, again.feed.data.std) == (begun.feed.data.mean, begun.feed.data.std)


def test_the_split_follows_from_the_seed_of_a_recipe_too(tmp_path):
    begun = start_run("digits", "mlp", Recipe(seed=3, steps=1), run_dir=tmp_path / "run")
    assert np.array_equal(begun.feed.data.train.rows, load_data("digits", seed=3).train.rows)


def test_a_folder_called_like_a_data_set_begins_with_shipped_weights(folder, tmp_path, monkeypatch):
    (tmp_path / "digits").symlink_to(folder, target_is_directory=True)
    monkeypatch.chdir(tmp_path)
    begun = start_run(Path("digits"), run_dir=tmp_path / "run", steps=1)
    assert begun.run.record["model"]["name"] == "resnet20"


def test_a_home_that_is_nobody_s_is_one_sentence(tmp_path):
    with pytest.raises(EtudeError, match="~nobody-here"):
        start_run("~nobody-here/photos", weights="resnet20-cifar10", run_dir=tmp_path / "run")


@pytest.mark.parametrize(
    ("name", "value"), [("mixup", 0.2), ("cutout", 4), ("color_jitter", 0.4), ("random_resized_crop", True)]
)
def test_what_varies_pictures_is_refused_for_tables(name, value):
    with pytest.raises(EtudeError, match=f"{name}.*table"):
        start_run("wine", epochs=1, **{name: value})
