"""A HEIC is judged by what must be decoded, whatever it is cropped to or says of itself."""

from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageStat
from tests.whole import examples

from growbin_jobs.adapters.pictures import Limits, PreparedPicture, prepare
from growbin_jobs.adapters.pictures.formats import heif, hevc
from growbin_jobs.errors import PictureRefused

SMALL = Limits(max_pixels_lossless=50_000)


def verdict(data: bytes, limits: Limits = SMALL) -> str | None:
    try:
        prepare(data, limits=limits)
    except PictureRefused as refusal:
        return refusal.code
    return None


def test_a_crop_does_not_hide_what_must_be_decoded(heics: ModuleType) -> None:
    picture = Image.new("RGB", (512, 256), (200, 30, 30))
    data = heics.simple(picture, heics.clap(64, 64))
    assert heif.coded_size(data) == (512, 256)
    with pytest.raises(PictureRefused) as caught:
        prepare(data, limits=SMALL)
    assert (caught.value.code, caught.value.params["width"]) == ("picture_too_many_pixels", 512)
    taken = prepare(data)
    assert (taken.width, taken.height) == (64, 64)


def test_what_a_maker_puts_behind_the_boxes_is_left_aside(heics: ModuleType) -> None:
    data = heics.simple(Image.new("RGB", (64, 64), (200, 30, 30)))
    film = heics.box(b"ftyp", b"mp42\0\0\0\0isommp42") + heics.box(b"moov", bytes(99)) + heics.box(b"mdat", bytes(99))
    trailers = (b"SEFH" + bytes(range(99)) + b"SEFT", b"\0\0\0\4junk" + data, b"\xff" * 99, b"\0\0\xff\xffmeta")
    for trailer in (*trailers, film, heics.box(b"mpvd", film), film + heics.full(b"meta", b"")):
        assert prepare(data + trailer) == prepare(data)
    assert {verdict(data[:end]) for end in range(40, len(data))} == {"picture_truncated"}


def test_a_hole_is_no_pixels(heics: ModuleType) -> None:
    """Sectors that were never written: libde265 makes up what they were, and says so to nobody."""
    picture = Image.effect_noise((256, 256), 80).convert("RGB")
    for data in (heics.simple(picture), heics.grid(picture, 2, 2, (512, 512))):
        assert verdict(data, Limits()) is None
        begin, length = data.index(b"mdat") + 4, len(data)
        for at in (begin + 600, (begin + length) // 2):
            assert verdict(data[:at] + bytes(512) + data[at + 512 :], Limits()) == "picture_truncated"
        assert verdict(data[: length - 5000] + bytes(5000), Limits()) == "picture_truncated"


def test_a_slice_may_be_padded() -> None:
    slice_ = bytes((1 << 1, 1, 0x80)) + bytes(range(1, 200))
    for padding in (0, 15, 4096):
        unit = slice_ + bytes(padding)
        assert list(hevc.sizes_of_still(len(unit).to_bytes(4, "big") + unit, 4)) == []


def test_a_stream_that_is_larger_than_the_file_says(heics: ModuleType) -> None:
    assert heif.coded_size(heics.simple(Image.new("RGB", (512, 256)), claimed=(64, 64))) == (512, 256)
    assert heif.coded_size(heics.own_sps((64, 64), (512, 256))) == (512, 256)
    assert verdict(heics.own_sps((64, 64), (512, 256))) == "picture_too_many_pixels"


def test_grids(heics: ModuleType) -> None:
    tile = Image.new("RGB", (64, 64), (20, 150, 60))
    taken = prepare(heics.grid(tile, 2, 3, (180, 120)))
    assert (taken.width, taken.height) == (180, 120)
    assert heif.coded_size(heics.grid(tile, 2, 3, (180, 120), heics.clap(64, 64))) == (180, 120)
    assert verdict(heics.grid(tile, 8, 8, (512, 512), heics.clap(64, 64))) == "picture_too_many_pixels"
    # 256 tiles for the pixels of one: each would be decoded.
    assert verdict(heics.grid(tile, 16, 16, (64, 64))) == "picture_truncated"


def test_several_pictures_in_one_stream_are_refused(heics: ModuleType) -> None:
    """A decoder keeps whole pictures; a still has one."""
    record, stream = heics.coded(Image.new("RGB", (64, 64)))
    data = heics.built(heics.Item(b"hvc1", [record, heics.ispe(64, 64)], stream * 2))
    assert verdict(data) == "picture_truncated"


@pytest.mark.parametrize("kind", [b"iovl", b"unci", b"mski"])
def test_kinds_that_no_camera_writes_are_refused(heics: ModuleType, kind: bytes) -> None:
    record, stream = heics.coded(Image.new("RGB", (64, 64)))
    picture = heics.Item(b"hvc1", [record, heics.ispe(64, 64)], stream)
    assert verdict(heics.built(picture)) is None
    assert verdict(heics.built(picture, heics.Item(kind, [heics.ispe(64, 64)]))) == "picture_of_another_kind"


def test_boxes_that_two_readers_might_choose_differently_are_refused(heics: ModuleType) -> None:
    data = heics.simple(Image.new("RGB", (64, 64)))
    begin = data.index(b"meta") - 4
    meta = data[begin : begin + int.from_bytes(data[begin : begin + 4], "big")]
    assert verdict(data[:begin] + meta + data[begin:]) == "picture_truncated"
    assert heif.without_trailer(data + meta) == data


TURNS = {
    "left": ([1], Image.Transpose.ROTATE_270),
    "half": ([2], Image.Transpose.ROTATE_180),
    "right": ([3], Image.Transpose.ROTATE_90),
}


@pytest.mark.parametrize("name", TURNS)
def test_turns_are_obeyed_once(heics: ModuleType, hostile: ModuleType, name: str) -> None:
    [quarters], undo = TURNS[name]
    assert_upright(heics.simple(hostile.scene().transpose(undo), heics.turn(quarters)), hostile)


def test_mirrors_are_obeyed_once_and_after_the_turn_where_they_stand_behind_it(
    heics: ModuleType, hostile: ModuleType
) -> None:
    flip, mirror = Image.Transpose.FLIP_TOP_BOTTOM, Image.Transpose.FLIP_LEFT_RIGHT
    assert_upright(heics.simple(hostile.scene().transpose(flip), heics.mirror(0)), hostile)
    assert_upright(heics.simple(hostile.scene().transpose(mirror), heics.mirror(1)), hostile)
    stored = hostile.scene().transpose(mirror).transpose(Image.Transpose.ROTATE_270)
    assert_upright(heics.simple(stored, heics.turn(1), heics.mirror(1)), hostile)


def assert_upright(data: bytes, hostile: ModuleType) -> None:
    import io

    taken: PreparedPicture = prepare(data, quality=95)
    picture = Image.open(io.BytesIO(taken.original))
    assert picture.size == hostile.scene().size
    assert max(ImageStat.Stat(ImageChops.difference(picture, hostile.scene())).mean) < 12


@settings(max_examples=examples(150), deadline=None)
@given(changes=st.lists(st.tuples(st.integers(0, 700), st.integers(0, 255)), max_size=5), cut=st.integers(0, 900))
def test_any_damage_to_boxes_is_read_or_refused(heics: ModuleType, changes: list[tuple[int, int]], cut: int) -> None:
    data = bytearray(_sample(heics))
    for at, value in changes:
        data[at % len(data)] = value
    for whole in (bytes(data), bytes(data[:cut])):
        try:
            width, height = heif.coded_size(whole)
        except PictureRefused:
            continue
        assert width > 0
        assert height > 0


_SAMPLES: dict[str, bytes] = {}


def _sample(heics: ModuleType) -> bytes:
    if not _SAMPLES:
        _SAMPLES["grid"] = heics.grid(Image.new("RGB", (64, 64)), 2, 3, (180, 120))
    return _SAMPLES["grid"]
