"""Every kind of picture file becomes plain grey or colour; what is no picture says why."""

from __future__ import annotations

import errno
import io
import os
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from etude.data.decode import REASONS, Header, Unreadable, plain, read_header, read_picture, read_pixels

RAMP = np.arange(0, 65536, 257, dtype=np.uint16).reshape(16, 16)  # 257 i, which is i of 255 in 8 bits


def _colours(height: int = 24, width: int = 36) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def _saved(path: Path, image: Image.Image, **how) -> Path:
    image.save(path, **how)
    return path


def test_16_bit_grey_is_scaled_not_clipped(tmp_path):
    for ending in ("png", "tiff"):
        path = _saved(tmp_path / f"x.{ending}", Image.fromarray(RAMP))
        assert np.array_equal(np.asarray(read_picture(path, 1)), np.arange(256).reshape(16, 16))


def test_16_bit_big_endian_tiff_is_scaled(tmp_path):
    image = Image.frombytes("I;16B", (16, 16), RAMP.astype(">u2").tobytes())
    path = _saved(tmp_path / "x.tif", image)
    assert np.array_equal(np.asarray(read_picture(path, 1)), np.arange(256).reshape(16, 16))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([[0, 1], [0.5, 0.25]], np.float32), [[0, 255], [128, 64]]),
        (np.array([[0, 255], [7, 100]], np.float32), [[0, 255], [7, 100]]),
        (np.array([[0, 65535], [257, 514]], np.float32), [[0, 255], [1, 2]]),
        (np.array([[-1, 1], [0, 0.5]], np.float32), [[0, 255], [128, 191]]),
        (np.array([[np.nan, 1], [np.inf, 0.2]], np.float32), [[0, 255], [0, 51]]),
        (np.array([[3e38, -3e38], [3e38, -3e38]], np.float32), [[255, 0], [255, 0]]),
        (np.array([[0, 65535], [257, 514]], np.int32), [[0, 255], [1, 2]]),
        (np.array([[0, 200], [7, 100]], np.int32), [[0, 200], [7, 100]]),
        (np.array([[-100, 155], [0, 155]], np.int32), [[0, 255], [100, 255]]),
        (np.array([[-7, -7], [-7, -7]], np.int32), [[0, 0], [0, 0]]),
    ],
)
def test_32_bit_and_floating_point_greys_use_the_range_they_are_in(values, expected):
    assert np.asarray(plain(Image.fromarray(values), 1)).tolist() == expected


def test_transparent_becomes_white(tmp_path):
    half = np.zeros((2, 2, 4), np.uint8)
    half[..., 0] = 200
    half[0, 0, 3], half[0, 1, 3] = 255, 128
    pixels = np.asarray(read_picture(_saved(tmp_path / "x.png", Image.fromarray(half, "RGBA")), 3)).astype(int)
    assert pixels[0, 0].tolist() == [200, 0, 0]
    assert pixels[1, 1].tolist() == [255, 255, 255]
    assert np.abs(pixels[0, 1] - np.array([227, 127, 127])).max() <= 1  # 128/255 of the colour, the rest white


def test_transparent_greys_and_palettes_become_white(tmp_path):
    grey = Image.fromarray(np.array([[[9, 255], [9, 0]]], np.uint8), "LA")
    palette = Image.fromarray(np.array([[0, 1]], np.uint8), "P")
    palette.putpalette([10, 20, 30, 1, 2, 3])
    for image, how, first in [(grey, {}, [9, 9, 9]), (palette, {"transparency": 1}, [10, 20, 30])]:
        for ending in ("png",) if image is grey else ("png", "gif"):
            pixels = np.asarray(read_picture(_saved(tmp_path / f"x.{ending}", image, **how), 3))
            assert pixels[0].tolist() == [first, [255, 255, 255]]


def test_one_bit_cmyk_and_lab(tmp_path):
    bits = Image.fromarray(np.array([[0, 255], [255, 0]], np.uint8)).convert("1")
    assert np.asarray(read_picture(_saved(tmp_path / "x.png", bits), 1)).tolist() == [[0, 255], [255, 0]]
    cyan = Image.new("CMYK", (8, 8), (255, 0, 0, 0))
    assert np.asarray(read_picture(_saved(tmp_path / "x.tif", cyan), 3))[0, 0].tolist() == [0, 255, 255]
    red, green, blue = np.asarray(read_picture(_saved(tmp_path / "x.jpg", cyan), 3))[0, 0].tolist()
    assert red < 10
    assert min(green, blue) > 245
    assert read_picture(tmp_path / "x.jpg", 1).mode == "L"


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_undone(tmp_path, orientation):
    upright = _colours()
    # how a camera held so would have stored the picture (EXIF 2.3, orientation tag)
    stored = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1],
        5: upright.transpose(1, 0, 2), 6: np.rot90(upright), 7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    for ending in ("png", "tiff", "webp"):
        image = Image.fromarray(np.ascontiguousarray(stored))
        how = {"lossless": True} if ending == "webp" else {}
        path = _saved(tmp_path / f"x.{ending}", image, exif=exif, **how)
        assert np.array_equal(np.asarray(read_picture(path, 3)), upright), ending
        if ending != "png":
            assert read_header(path)[:3] == (36, 24, False), ending


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_damaged_exif_does_not_lose_the_picture(tmp_path):
    path = _saved(
        tmp_path / "x.jpg",
        Image.fromarray(_colours()),
        exif=b"Exif\0\0II*\0\xff\xff\xff\xffgarbage",
        quality=95,
    )
    assert read_picture(path, 3).size == (36, 24)
    assert read_header(path) == Header(36, 24, False, jpeg=True, direct=True)


def test_an_animation_gives_its_first_frame(tmp_path):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    for ending in ("gif", "png", "webp"):
        how = {"lossless": True} if ending == "webp" else {}
        path = _saved(tmp_path / f"x.{ending}", frames[0], save_all=True, append_images=frames[1:], **how)
        assert np.asarray(read_picture(path, 3))[4, 4].tolist() == [255, 0, 0]


def test_enough_shrinks_jpegs_only_and_never_below(tmp_path):
    image = Image.fromarray(_colours(8, 8)).resize((1200, 800), Image.Resampling.BICUBIC)
    jpeg, png = _saved(tmp_path / "x.jpg", image), _saved(tmp_path / "x.png", image)
    assert 100 <= min(read_picture(jpeg, 3, enough=100).size) < 800
    assert read_picture(jpeg, 3).size == read_picture(png, 3, enough=100).size == (1200, 800)


def test_headers_tell_grey_from_colour(tmp_path):
    grey = Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8))
    assert read_header(_saved(tmp_path / "a.jpg", grey)).grey
    assert read_header(_saved(tmp_path / "a.gif", grey)).grey
    assert read_header(_saved(tmp_path / "a.png", Image.fromarray(RAMP))).grey
    assert read_header(_saved(tmp_path / "b.png", grey.convert("P"))).grey
    assert not read_header(_saved(tmp_path / "b.gif", Image.fromarray(_colours()).quantize(32))).grey
    assert not read_header(_saved(tmp_path / "b.jpg", grey.convert("RGB"))).grey


def test_plain_leaves_the_original_as_it_is():
    original = Image.fromarray(_colours())
    result = plain(original, 3)
    result.paste("black", (0, 0, 36, 24))
    assert np.array_equal(np.asarray(original), _colours())


def _whole(ending: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(_colours(64, 64)).save(buffer, format=ending)
    return buffer.getvalue()


@pytest.mark.parametrize("ending", ["jpeg", "png", "gif", "bmp", "webp", "tiff"])
def test_a_file_cut_short_is_damaged(tmp_path, ending):
    path = tmp_path / f"x.{ending}"
    path.write_bytes(_whole(ending)[: len(_whole(ending)) // 2])
    with pytest.raises(Unreadable) as caught:
        read_picture(path, 3)
    assert caught.value.reason in ("damaged", "unknown")  # a TIFF's directory stands at its end


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("ending", ["jpeg", "png", "gif", "bmp", "webp", "tiff"])
def test_random_damage_never_crashes(tmp_path, ending):
    chance = np.random.default_rng(1)
    whole, path, refused = _whole(ending), tmp_path / "x", []
    for _ in range(60):
        content = bytearray(whole)
        for place in chance.integers(0, len(content) if chance.random() < 0.5 else 64, 8):
            content[place] = chance.integers(256)
        path.write_bytes(content)
        try:
            read_header(path)
            assert read_picture(path, 3, enough=16).mode == "RGB"
        except Unreadable as error:
            refused.append(error.reason)
    assert refused
    assert set(refused) <= set(REASONS)


def _png_that_says(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"only words\n" * 100, "unknown"),
        (b"<html>not found</html>", "unknown"),
        (_png_that_says(20_000, 20_000), "huge"),
        (_png_that_says(13_400, 13_400), "huge"),  # 0.3 % over the limit
        (_png_that_says(100, 100), "damaged"),
    ],
)
def test_what_is_no_picture_says_why(tmp_path, content, reason):
    path = tmp_path / "x.jpg"
    path.write_bytes(content)
    with pytest.raises(Unreadable) as caught:
        read_picture(path, 3)
    assert caught.value.reason == reason


def test_the_limit_does_not_depend_on_pillows_setting(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    (tmp_path / "x.png").write_bytes(_png_that_says(20_000, 20_000))
    with pytest.raises(Unreadable) as caught:
        read_header(tmp_path / "x.png")
    assert caught.value.reason == "huge"


@pytest.mark.parametrize("error", [OSError(errno.EIO, "input/output error"), MemoryError()])
def test_a_failure_of_the_machine_is_no_damage_of_the_file(tmp_path, monkeypatch, error):
    path = _saved(tmp_path / "x.png", Image.fromarray(_colours()))

    def fail(*_):
        raise error

    monkeypatch.setattr(Image, "open", fail)
    with pytest.raises(Unreadable) as caught:
        read_picture(path, 3)
    assert caught.value.reason == "failed"


def test_no_file_and_a_named_pipe_are_no_files(tmp_path):
    paths = [tmp_path / "absent.jpg", tmp_path]
    if sys.platform != "win32":
        os.mkfifo(tmp_path / "pipe.jpg")
        paths.append(tmp_path / "pipe.jpg")
    for path in paths:
        with pytest.raises(Unreadable) as caught:
            read_picture(path, 3)
        assert caught.value.reason == "missing"


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("ending", ["jpg", "png", "tif"])
def test_pixels_are_those_of_the_picture_by_either_way(tmp_path, mode, ending, orientation):
    if (mode, ending) == ("CMYK", "png"):
        return  # there is no such thing
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"picture.{ending}"
    Image.fromarray(_colours(90, 120)).convert(mode).save(path, exif=exif)
    for channels in (1, 3):
        for enough in (None, 40, 1000):
            picture = np.asarray(read_picture(path, channels, enough))
            pixels = read_pixels(path, channels, enough)
            assert pixels.shape[2] == channels
            assert np.array_equal(pixels.reshape(picture.shape), picture)


@pytest.mark.parametrize("content", [b"", b"no picture", b"\xff\xd8\xff\xe0 no picture"])
def test_what_is_no_picture_has_no_pixels(tmp_path, content):
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(Unreadable):
        read_pixels(tmp_path / "a.jpg", 3)
    whole = _whole("jpeg")
    (tmp_path / "a.jpg").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(Unreadable, match="damaged"):
        read_pixels(tmp_path / "a.jpg", 3)
