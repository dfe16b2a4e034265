"""The containers: what is read out of them, and what never reaches Pillow."""

from types import ModuleType

import pytest
from PIL import Image

from growbin_jobs.adapters.pictures import prepare
from growbin_jobs.adapters.pictures.formats import MAX_PROFILE, jpeg, png, webp
from growbin_jobs.errors import PictureRefused


def test_jpeg_facts(hostile: ModuleType) -> None:
    data = hostile.with_segments(hostile.encoded(hostile.scene()), hostile.exif_segment(6))
    contents = jpeg.read(data)
    assert (contents.name, contents.width, contents.height) == ("JPEG", 96, 64)
    assert (contents.scans, contents.orientation, contents.profile) == (1, 6, None)


def test_jpeg_scans_are_those_of_the_picture_alone(hostile: ModuleType) -> None:
    """Scan markers inside a thumbnail, a comment or behind the picture are none of its scans."""
    plain = hostile.encoded(hostile.scene(), progressive=True)
    fake = hostile.segment(0xFE, b"\xff\xda" * 30)
    thumbnail = hostile.segment(0xE1, b"Exif\0\0" + hostile.encoded(hostile.scene(32, 32)))
    contents = jpeg.read(hostile.with_segments(plain, fake, thumbnail) + b"\xff\xda" * 30)
    assert contents.scans == plain.count(b"\xff\xda") == 10


def test_jpeg_is_cut_down_to_the_picture(hostile: ModuleType) -> None:
    plain = hostile.encoded(hostile.scene(mode="CMYK"))
    waste = [hostile.segment(marker, b"waste" * 9) for marker in (0xE0, 0xE1, 0xE2, 0xED, 0xEE, 0xFE)]
    assert jpeg.read(hostile.with_segments(plain, *waste) + b"waste").data == plain


def test_jpeg_keeps_what_stands_between_scans(hostile: ModuleType) -> None:
    """A restart marker, a stuffed zero and fill bytes are not the end of a scan."""
    plain = hostile.encoded(hostile.scene(300, 200), restart_marker_blocks=1, quality=95)
    assert b"\xff\xd3" in plain
    assert b"\xff\x00" in plain
    padded = plain[:-2] + b"\xff\xff\xff" + plain[-2:]
    assert jpeg.read(padded).data == padded


@pytest.mark.parametrize("options", [{}, {"restart_marker_rows": 1}, {"subsampling": 0}])
def test_a_jpeg_without_its_end_is_taken_where_all_its_pixels_are_there(
    hostile: ModuleType, options: dict[str, object]
) -> None:
    whole = hostile.encoded(hostile.scene(300, 200), quality=90, **options)
    pixels = whole.index(b"\xff\xda") + 14
    for end in (b"", b"\xff", b"SEFH" + bytes(999) + b"SEFT", b"\xff\xe1\xff\xff trailer"):
        assert prepare(whole[:-2] + end).original == prepare(whole).original
    for cut in {*range(pixels, len(whole) - 8, 397), len(whole) - 12}:
        with pytest.raises(PictureRefused):
            prepare(whole[:cut])
    with pytest.raises(PictureRefused):  # a scan may be missing, and nothing would show it
        prepare(hostile.encoded(hostile.scene(), progressive=True)[:-2])


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("options", [{}, {"restart_marker_rows": 1}, {"subsampling": 0}])
def test_a_jpeg_that_ends_before_its_last_pixel_is_refused_whatever_stands_behind(
    hostile: ModuleType, mode: str, options: dict[str, object]
) -> None:
    whole = hostile.encoded(hostile.scene(300, 200, mode=mode), quality=90, **options)
    pixels = whole.index(b"\xff\xda") + 14
    for cut in range(pixels, len(whole) - 60, 397):
        with pytest.raises(PictureRefused):
            prepare(whole[:cut].rstrip(b"\xff") + b"\xff\xd9")
    progressive = hostile.encoded(hostile.scene(300, 200, mode=mode), progressive=True)
    with pytest.raises(PictureRefused):
        prepare(progressive[: progressive.index(b"\xff\xda") + 60] + b"\xff\xd9")


def test_a_jpeg_that_ends_in_the_grey_of_the_middle_is_whole(hostile: ModuleType) -> None:
    for mode, grey in (("RGB", (128, 128, 128)), ("L", 128), ("CMYK", (127, 127, 127, 127))):
        whole = hostile.encoded(Image.new(mode, (300, 200), grey))
        assert prepare(whole).original
        assert prepare(whole[:-2]).original == prepare(whole).original


def test_profiles_are_honoured_up_to_their_limit(hostile: ModuleType) -> None:
    fits, too_large = bytes(MAX_PROFILE), bytes(MAX_PROFILE + 1)  # in a JPEG 62 parts each
    for kind, reader in (("JPEG", jpeg), ("PNG", png), ("WEBP", webp)):
        assert reader.read(hostile.encoded(hostile.scene(), kind, icc_profile=fits)).profile == fits
        assert reader.read(hostile.encoded(hostile.scene(), kind, icc_profile=too_large)).profile is None


def test_png_is_cut_down_to_the_picture(hostile: ModuleType) -> None:
    plain = hostile.encoded(hostile.scene(mode="P"), "PNG", transparency=1)
    extra = (
        hostile.chunk(b"tEXt", b"GPS\0secret")
        + hostile.chunk(b"eXIf", hostile.tiff(8))
        + hostile.chunk(b"zzZz", b"secret")
    )
    contents = png.read(plain[:33] + extra + plain[33:] + b"secret")
    assert contents.data == plain
    assert contents.orientation == 8


@pytest.mark.parametrize("lossless", [True, False])
def test_webp_facts(hostile: ModuleType, lossless: bool) -> None:
    simple = webp.read(hostile.encoded(hostile.scene(97, 63), "WEBP", lossless=lossless))
    assert (simple.width, simple.height, simple.orientation) == (97, 63, 1)
    extended = webp.read(
        hostile.encoded(hostile.scene(97, 63), "WEBP", lossless=lossless, exif=b"Exif\0\0" + hostile.tiff(3))
    )
    assert (extended.width, extended.height, extended.orientation) == (97, 63, 3)
