"""idx files against arrays written as the format's description says."""

from __future__ import annotations

import gzip
import struct

import numpy as np
import pytest

from etude.core.errors import EtudeError
from etude.data.idx import read_idx


def idx_bytes(array: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.mark.parametrize("shape", [(5,), (4, 3), (3, 5, 2)])
@pytest.mark.parametrize("zipped", [False, True])
def test_what_was_written_is_read(shape, zipped, tmp_path):
    array = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    content = idx_bytes(array)
    path = tmp_path / "some-idx"
    path.write_bytes(gzip.compress(content) if zipped else content)
    assert np.array_equal(read_idx(path), array)
    assert read_idx(path).dtype == np.uint8


whole = idx_bytes(np.arange(12, dtype=np.uint8).reshape(3, 4))


@pytest.mark.parametrize(
    "content",
    [b"", whole[:3], whole[:10], whole[:-1], whole + b"x", b"\1" + whole[1:], whole[:2] + b"\x0d" + whole[3:],
     gzip.compress(whole)[:-9], gzip.compress(whole)[:20] + b"garbage" * 3, b"<html>not found</html>"],
)  # fmt: skip
def test_a_damaged_file_is_named_in_one_sentence(content, tmp_path):
    path = tmp_path / "some-idx.gz"
    path.write_bytes(content)
    with pytest.raises(EtudeError, match="some-idx") as error:
        read_idx(path)
    assert "\n" not in error.value.text.en


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(EtudeError, match="nowhere does not exist"):
        read_idx(tmp_path / "nowhere")
