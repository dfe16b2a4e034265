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


def noisy(hostile: ModuleType, mode: str = "RGB", **options: object) -> bytes:
    """A JPEG of 400×300 and some 40 kB, so that a sector of it is a part of its pixels only."""
    picture = hostile.scene(400, 300)
    picture.paste(Image.effect_noise((400, 300), 60), (0, 0), Image.new("L", (400, 300), 120))
    data: bytes = hostile.encoded(picture.convert(mode), quality=90, **options)
    return data


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("options", [{}, {"restart_marker_blocks": 7}, {"progressive": True}, {"subsampling": 0}])
def test_a_jpeg_with_a_hole_is_refused(hostile: ModuleType, mode: str, options: dict[str, object]) -> None:
    """Sectors that were never written, zeros on a disk or what a card's memory is when erased; libjpeg only warns."""
    whole = noisy(hostile, mode, **options)
    assert prepare(whole).original
    first = whole.index(b"\xff\xda") + 20
    for share in (0.0, 0.1, 0.3, 0.9):
        at = first + int((len(whole) - first) * share)
        for hole in (bytes(1024), b"\xff" * 1024 + b"\0"):
            with pytest.raises(PictureRefused):
                prepare(whole[:at].rstrip(b"\xff") + hole + whole[at + len(hole) :])
    for end in (b"", b"\xff\xd9"):  # a download that had its size reserved
        with pytest.raises(PictureRefused):
            prepare(whole[: first + 2000] + bytes(30_000) + end)


@pytest.mark.parametrize("padding", [bytes(4096), b"\xff" * 4096])
@pytest.mark.parametrize("options", [{}, {"restart_marker_rows": 1}])
def test_a_whole_jpeg_may_be_padded(hostile: ModuleType, padding: bytes, options: dict[str, object]) -> None:
    whole = noisy(hostile, **options)
    for padded in (whole[:-2] + padding + whole[-2:], whole[:-2] + padding, whole + padding):
        assert prepare(padded).original == prepare(whole).original


def test_zeros_of_an_even_area_are_no_hole(hostile: ModuleType) -> None:
    """With tables of its own a white page is a difference of nothing and an end of block again and again."""
    page = Image.new("RGB", (1600, 1200), "white")
    page.paste(hostile.scene(), (700, 500))
    for options in ({"optimize": True}, {"progressive": True}):
        data = hostile.encoded(page, **options)
        assert bytes(512) in data
        assert prepare(data).original


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_progressive_jpeg_without_its_last_scans_is_refused(hostile: ModuleType, mode: str) -> None:
    whole = noisy(hostile, mode, progressive=True)
    scans = [at for at in range(len(whole)) if whole[at : at + 2] == b"\xff\xda"]
    for scan in scans[1:]:
        with pytest.raises(PictureRefused):
            prepare(whole[: whole.rindex(b"\xff\xc4", 0, scan)] + b"\xff\xd9")
    with pytest.raises(PictureRefused):
        prepare(hostile.separate_scans((64, 64), 2))


@pytest.mark.parametrize("options", [{}, {"subsampling": 0}, {"progressive": True}])
def test_a_jpeg_that_lacks_restart_markers_is_refused(hostile: ModuleType, options: dict[str, object]) -> None:
    whole = noisy(hostile, restart_marker_blocks=5, **options)
    assert prepare(whole).original
    third, next_third = (whole.index(b"\xff\xd2", whole.index(b"\xff\xd2") + many) for many in (0, 2))
    for lacking in (whole[:third] + whole[third + 2 :], whole[:third] + whole[next_third:]):
        with pytest.raises(PictureRefused):
            prepare(lacking)


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
