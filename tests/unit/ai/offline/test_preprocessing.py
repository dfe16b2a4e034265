"""From JPEG bytes to the network's input, or a refusal."""

import io

import numpy as np
import pytest
from PIL import Image

from growbin_jobs.ai.offline import preprocessing
from growbin_jobs.errors import PictureRefused


def jpeg(size, colour=(0, 0, 0), mode="RGB", **options):
    out = io.BytesIO()
    Image.new(mode, size, colour).save(out, "JPEG", **options)
    return out.getvalue()


@pytest.mark.parametrize("size", [(512, 384), (384, 512), (1024, 40), (16, 16), (1024, 1024), (4000, 3000)])
def test_shape_and_type(size):
    pixels = preprocessing.pixels_of(jpeg(size))

    assert pixels.shape == (224, 224, 3)
    assert pixels.dtype == np.float32


@pytest.mark.parametrize(("colour", "value"), [((0, 0, 0), -127 / 128), ((127, 127, 127), 0.0), ((255, 255, 255), 1.0)])
def test_scale_is_that_of_the_networks_training(colour, value):
    pixels = preprocessing.pixels_of(jpeg((300, 300), colour, quality=100))

    np.testing.assert_allclose(pixels, value, atol=1.5 / 128)


def test_channels_are_red_green_blue():
    pixels = preprocessing.pixels_of(jpeg((300, 300), (250, 10, 10), quality=100))

    assert pixels[..., 0].min() > 0.9
    assert pixels[..., 1:].max() < -0.8


@pytest.mark.parametrize(("mode", "colour"), [("L", 200), ("CMYK", (0, 0, 0, 55))])
def test_other_colour_modes_become_rgb(mode, colour):
    assert preprocessing.pixels_of(jpeg((300, 200), colour, mode)).shape == (224, 224, 3)


def test_a_usual_photo_is_seen_whole():
    image = Image.new("RGB", (400, 300), "black")
    image.paste("white", (0, 0, 40, 300))
    image.paste("white", (360, 0, 400, 300))

    seen = np.asarray(preprocessing.squeeze(image))[112, :, 0]

    assert seen[0] == 255
    assert seen[-1] == 255
    assert (seen > 128).sum() == pytest.approx(224 / 5, abs=2)


def test_a_long_picture_is_cut_around_its_middle():
    image = Image.new("RGB", (900, 300), "black")
    image.paste("white", (250, 0, 650, 300))

    # Pillow's filter looks a little over the edge of the cut.
    assert np.asarray(preprocessing.squeeze(image))[:, 2:-2].min() == 255


def test_an_orientation_that_is_still_there_is_obeyed():
    exif = Image.Exif()
    exif[0x0112] = 6

    assert preprocessing.decode(jpeg((400, 300), exif=exif)).size == (300, 400)


@pytest.mark.parametrize("data", [b"", b"no picture", b"GIF89a" + bytes(100), b"\xff\xd8\xff"])
def test_refuses_what_is_no_jpeg(data):
    with pytest.raises(PictureRefused) as refused:
        preprocessing.pixels_of(data)
    assert refused.value.code == "picture_not_an_image"


def test_refuses_another_format_by_content():
    out = io.BytesIO()
    Image.new("RGB", (300, 300)).save(out, "PNG")

    with pytest.raises(PictureRefused) as refused:
        preprocessing.pixels_of(out.getvalue())
    assert refused.value.code == "picture_not_an_image"


def test_refuses_a_truncated_jpeg():
    whole = io.BytesIO()
    Image.effect_noise((600, 400), 80).save(whole, "JPEG")

    with pytest.raises(PictureRefused) as refused:
        preprocessing.pixels_of(whole.getvalue()[:5000])
    assert refused.value.code == "picture_truncated"


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_damaged_bytes_are_read_or_refused_and_nothing_else():
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a description"
    whole = jpeg((300, 200), (90, 120, 30), exif=exif)
    chance = np.random.default_rng(7)
    refused = 0
    for _ in range(300):
        damaged = bytearray(whole)
        for place in chance.integers(2, len(whole), 8):
            damaged[place] = chance.integers(256)
        try:
            assert preprocessing.pixels_of(bytes(damaged)).shape == (224, 224, 3)
        except PictureRefused:
            refused += 1
    assert 0 < refused < 300


def test_refuses_too_many_pixels_before_decoding():
    with pytest.raises(PictureRefused) as refused:
        preprocessing.pixels_of(jpeg((6000, 5000)))
    assert refused.value.code == "picture_too_many_pixels"
    assert refused.value.params == {"width": 6000, "height": 5000, "limit_megapixels": 25}
