"""A picture prepared: the right shape whatever it is, and the right part of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from etude.core.errors import EtudeError
from etude.data.decode import Header
from etude.data.prepare import choose_preparation, prepare_image

MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "I", "F", "I;16")


def _preparation(channels=3, height=16, width=16, fit="crop", **more):
    return {"channels": channels, "height": height, "width": width, "fit": fit, **more}


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    mode=st.sampled_from(MODES),
    size=st.tuples(st.integers(1, 300), st.integers(1, 300)),
    channels=st.sampled_from([1, 3]),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    fit=st.sampled_from(["crop", "pad", "stretch"]),
    background=st.sampled_from(["dark", "light", "any"]),
)
def test_any_picture_gives_the_shape_asked_for(mode, size, channels, height, width, fit, background):
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0]), dtype=np.uint8)
    image = (
        Image.fromarray(noise.astype(np.uint16) * 257)
        if mode == "I;16"
        else Image.fromarray(noise).convert(mode)
    )
    pixels, inverted = prepare_image(image, _preparation(channels, height, width, fit, background=background))
    assert pixels.dtype == np.uint8
    assert pixels.shape == (channels, height, width)
    assert pixels.flags.c_contiguous
    assert background == "dark" or not inverted


@pytest.mark.parametrize("value", [0, 77, 255])
@pytest.mark.parametrize("fit", ["crop", "stretch"])
def test_one_colour_stays_that_colour(value, fit):
    pixels, _ = prepare_image(Image.new("RGB", (301, 123), (value, 10, 20)), _preparation(fit=fit))
    assert (pixels[0] == value).all()
    assert (pixels[1] == 10).all()


def test_a_picture_of_the_right_size_is_not_touched():
    values = np.random.default_rng(0).integers(0, 256, (16, 20, 3), dtype=np.uint8)
    for fit in ("crop", "pad", "stretch"):
        pixels, _ = prepare_image(Image.fromarray(values), _preparation(height=16, width=20, fit=fit))
        assert np.array_equal(pixels, values.transpose(2, 0, 1))


def _stripes(wide: int) -> Image.Image:
    """A third black, a third grey, a third white, side by side."""
    values = np.repeat(np.array([0, 128, 255], np.uint8), wide // 3)
    return Image.fromarray(np.tile(values, (wide // 3, 1)))


def test_crop_keeps_the_middle():
    pixels, _ = prepare_image(_stripes(300), _preparation(1))
    assert (
        pixels[0, :, 2:-2] == 128
    ).all()  # the outermost may look over the edge, as after resizing the whole


def test_stretch_keeps_everything():
    pixels, _ = prepare_image(_stripes(300), _preparation(1, 16, 15, "stretch"))
    assert np.abs(pixels[0, 0].astype(int)[[2, 7, 12]] - [0, 128, 255]).max() <= 12


def test_pad_keeps_proportions_and_fills_with_the_background():
    for background, value in (("dark", 0), ("light", 255)):
        image = Image.new("L", (300, 100), 100)
        pixels, inverted = prepare_image(image, _preparation(1, 30, 30, "pad", background=background))
        assert not inverted
        assert (pixels[0, 10:20] == 100).all()
        assert (pixels[0, :10] == value).all()
        assert (pixels[0, 20:] == value).all()


def test_crop_agrees_with_resizing_the_shorter_side_and_cropping():
    torchvision = pytest.importorskip("torchvision.transforms.v2")
    smooth = Image.effect_noise((9, 6), 80).resize((480, 320), Image.Resampling.BICUBIC)
    steps = [torchvision.Resize(32, torchvision.InterpolationMode.BICUBIC), torchvision.CenterCrop(32)]
    expected = np.asarray(torchvision.Compose(steps)(smooth)).astype(int)
    pixels, _ = prepare_image(smooth, _preparation(1, 32, 32))
    assert np.abs(pixels[0] - expected).max() <= 3


def test_small_things_do_not_vanish_or_alias():
    fine = Image.fromarray(np.tile(np.array([[0, 255], [255, 0]], np.uint8), (200, 200)))
    pixels, _ = prepare_image(fine, _preparation(1))
    assert np.abs(pixels.astype(int) - 127).max() <= 3  # a fine chequerboard is grey from afar


def test_dark_on_light_is_inverted_where_the_set_is_light_on_dark():
    drawn = np.full((56, 56), 255, np.uint8)
    drawn[20:36, 20:36] = 0
    wish = _preparation(1, 28, 28, "pad", background="dark")
    pixels, inverted = prepare_image(Image.fromarray(drawn), wish)
    assert inverted
    assert pixels[0, 0, 0] == 0
    assert pixels[0, 14, 14] == 255
    same, again = prepare_image(Image.fromarray(255 - drawn), wish)
    assert not again
    assert np.array_equal(same, pixels)


def test_file_and_loaded_image_agree(tmp_path):
    image = Image.effect_noise((60, 40), 50)
    image.save(tmp_path / "x.png")
    from_file, _ = prepare_image(tmp_path / "x.png", _preparation(3))
    from_image, _ = prepare_image(image, _preparation(3))
    assert np.array_equal(from_file, from_image)
    assert np.array_equal(prepare_image(str(tmp_path / "x.png"), _preparation(3)).pixels, from_file)


def test_a_jpeg_read_at_a_fraction_looks_the_same(tmp_path):
    image = Image.effect_noise((12, 9), 80).resize((1200, 900), Image.Resampling.BICUBIC)
    image.save(tmp_path / "x.jpg", quality=95)
    fast, _ = prepare_image(tmp_path / "x.jpg", _preparation(1, 64, 64))
    exact, _ = prepare_image(image, _preparation(1, 64, 64))
    assert np.abs(fast.astype(int) - exact).mean() < 2


@pytest.mark.parametrize("content", [b"", b"words", None])
def test_an_unreadable_file_is_named(tmp_path, content):
    path = tmp_path / "holiday.jpg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(EtudeError) as caught:
        prepare_image(path, _preparation())
    assert str(path) in caught.value.text.en
    assert str(path) in caught.value.text.zh


def _headers(*sizes, grey=False):
    return [Header(*size, grey) for size in sizes]


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([(28, 28)] * 3, (28, 28, "stretch")),
        ([(32, 32)] * 3, (32, 32, "stretch")),
        ([(8, 8)] * 3, (8, 8, "stretch")),
        ([(30, 20)] * 3, (20, 30, "stretch")),
        ([(640, 480)] * 3, (64, 64, "stretch")),
        ([(4, 4)] * 3, (16, 16, "stretch")),
        ([(500, 375), (333, 500), (128, 900)], (64, 64, "crop")),
        ([(50, 41), (43, 44), (90, 42)], (40, 40, "crop")),
        ([(9, 9), (10, 10)], (16, 16, "crop")),
    ],
)
def test_the_size_follows_from_the_pictures(sizes, expected):
    chosen = choose_preparation(_headers(*sizes))
    assert (chosen["height"], chosen["width"], chosen["fit"]) == expected
    asked = choose_preparation(_headers(*sizes), image_size=24)
    assert (asked["height"], asked["width"], asked["fit"]) == (24, 24, expected[2])


def test_one_colour_picture_makes_three_channels():
    grey, colour = _headers((9, 9), (9, 9), grey=True), _headers((9, 9))
    assert choose_preparation(grey)["channels"] == 1
    assert choose_preparation(grey + colour)["channels"] == 3
