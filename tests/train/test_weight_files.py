"""Files of weights as people have them, and those that are none."""

from __future__ import annotations

import pickle

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from etude.core.errors import EtudeError
from etude.train.session import Session
from etude.train.start import start_run
from etude.train.weight_files import read_weights


@pytest.fixture
def net(make) -> nn.Module:
    return make.net()


def equal(tensors, net) -> None:
    wanted = net.state_dict()
    assert tensors.keys() == wanted.keys()
    assert all(torch.equal(t, wanted[name]) for name, t in tensors.items())


@pytest.mark.parametrize("wrap", [lambda s: s, lambda s: {"state_dict": s, "epoch": 3}, lambda s: {"model": s, "args": {}},
                                  lambda s: {"model": {"state_dict": s}}])  # fmt: skip
@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_of_torch(tmp_path, net, wrap, zipped):
    path = tmp_path / "net.pth"
    torch.save(wrap(net.state_dict()), path, _use_new_zipfile_serialization=zipped)
    weights = read_weights(str(path))
    equal(weights.tensors, net)
    assert weights.normalisation is None
    assert weights.normalisation_for(3) is None


def test_a_file_of_safetensors(tmp_path, net):
    save_file({name: t.contiguous() for name, t in net.state_dict().items()}, tmp_path / "net.safetensors")
    equal(read_weights(tmp_path / "net.safetensors").tensors, net)


class Evil:
    def __reduce__(self):
        return (pytest.fail, ("code in a file of weights was run",))


def files(tmp_path, net):
    """Name, content, and what the sentence says."""
    good = tmp_path / "good.pth"
    torch.save(net.state_dict(), good)
    whole, old = good.read_bytes(), tmp_path / "old.pth"
    torch.save(net.state_dict(), old, _use_new_zipfile_serialization=False)
    torch.save(net, tmp_path / "model.pth")
    torch.save({"state_dict": net.state_dict(), "extra": Evil()}, tmp_path / "evil.pth")
    torch.save({"epoch": 3, "lr": 0.1}, tmp_path / "numbers.pth")
    torch.save(torch.zeros(3), tmp_path / "tensor.pth")
    torch.save({"w": torch.tensor([1.0, float("nan")])}, tmp_path / "nan.pth")
    torch.save({"w": torch.zeros(2, 2).to_sparse()}, tmp_path / "sparse.pth")
    torch.jit.trace(nn.Linear(2, 2), torch.zeros(1, 2)).save(tmp_path / "script.pt")
    (tmp_path / "evil.bin").write_bytes(pickle.dumps(Evil()))
    save_file({"w": torch.zeros(3)}, tmp_path / "good.safetensors")
    safe = (tmp_path / "good.safetensors").read_bytes()
    return {
        "truncated.pth": (whole[: len(whole) // 2], "damaged"),
        "truncated-old.pth": (old.read_bytes()[:-50], "damaged"),
        "noise.pth": (bytes(range(200)) * 9, "damaged"),
        "empty.pth": (b"", "is empty"),
        "page.pth": (b"\n<!DOCTYPE html><html>404</html>", "web page"),
        "lfs.pth": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "holds text"),
        "truncated.safetensors": (safe[:-1], "damaged"),
        "page.safetensors": (b"<html>", "web page"),
        "huge.safetensors": (b"\xff" * 16, "damaged"),
        "notes.txt": (b"hello", "does not end like"),
        "model.pth": (None, "more than weights"),
        "evil.pth": (None, "more than weights"),
        "evil.bin": (None, "damaged"),
        "script.pt": (None, "TorchScript"),
        "numbers.pth": (None, "no state dict of a model but epoch, lr"),
        "tensor.pth": (None, "no state dict of a model but Tensor"),
        "nan.pth": (None, "'w' in .* NaN"),
        "sparse.pth": (None, "sparse"),
    }


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")  # torch.jit, to make one
def test_what_is_no_file_of_weights_is_told_in_a_sentence(tmp_path, net):
    for name, (content, words) in files(tmp_path, net).items():
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(EtudeError, match=words) as caught:
            read_weights(tmp_path / name)
        assert name in caught.value.text.zh
        assert "\n" not in str(caught.value)


def test_what_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setenv("ETUDE_RUNS", str(tmp_path / "runs"))
    with pytest.raises(EtudeError, match="no file"):
        read_weights(tmp_path / "none.pth")
    with pytest.raises(EtudeError, match="no run"):
        read_weights("none")
    with pytest.raises(EtudeError, match=r"folder without run\.json"):
        read_weights(tmp_path)


def test_an_old_torch_opens_no_pickle(tmp_path, net, monkeypatch):
    torch.save(net.state_dict(), tmp_path / "net.pth")
    monkeypatch.setattr(torch, "__version__", "2.5.1+cpu")
    with pytest.raises(EtudeError, match=r"2\.6 or newer"):
        read_weights(tmp_path / "net.pth")


def trained(tmp_path, data, net, finish: bool, **settings) -> Session:
    session = start_run(data, net, run_dir=tmp_path / "bars", epochs=2, batch_size=50, **settings)
    with session:
        for _ in session:
            pass
        if finish:
            session.finish()
    return session


@pytest.mark.parametrize("by_name", [True, False])
def test_a_finished_run_by_its_directory_or_its_name(tmp_path, data, net, monkeypatch, by_name):
    monkeypatch.setenv("ETUDE_RUNS", str(tmp_path))
    session = trained(tmp_path, data, net, finish=True)
    weights = read_weights("bars" if by_name else session.run.path)
    equal(weights.tensors, session.task.model)
    assert weights.where == "bars"
    assert weights.image_size == 12
    mean, std = weights.normalisation_for(3)
    assert mean == pytest.approx(data.mean * 3)
    assert std == pytest.approx(data.std * 3)


@pytest.mark.parametrize("ema", [None, 0.9])
def test_an_unfinished_run_gives_its_best_so_far(tmp_path, data, net, ema):
    session = trained(tmp_path, data, net, finish=False, ema=ema)
    tensors = read_weights(session.run.path).tensors
    best = session.state.best.weights
    assert tensors.keys() == {name.removeprefix("model/") for name in best}
    assert all(torch.equal(t, best[f"model/{name}"]) for name, t in tensors.items())


def test_a_length_that_looks_like_text_is_none(tmp_path):
    """The header of this file is 0x3C20 bytes long: a space and the beginning of a web page."""
    tensors = {"a": torch.ones(2)}
    save_file(tensors, tmp_path / "plain.safetensors")
    plain = (tmp_path / "plain.safetensors").read_bytes()
    length = int.from_bytes(plain[:8], "little")
    header = plain[8 : 8 + length].ljust(0x3C20)
    path = tmp_path / "long.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + plain[8 + length :])
    assert torch.equal(read_weights(path).tensors["a"], tensors["a"])
