"""What comes out: small, upright, sRGB, and nothing but a picture."""

import io
import struct
from types import ModuleType

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageStat
from tests.whole import examples

from growbin_jobs.adapters.pictures import prepare, shrink
from growbin_jobs.adapters.pictures.resize import CLOSE_ENOUGH, CLOSE_ENOUGH_TO_SEE

JFIF, QUANTIZATION, FRAME, HUFFMAN, SCAN = 0xE0, 0xDB, 0xC0, 0xC4, 0xDA


def opened(jpeg: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(jpeg), formats=("JPEG",))
    image.load()
    return image


def difference(one: Image.Image, other: Image.Image) -> float:
    """Mean difference of a pixel, 0–255."""
    assert one.size == other.size
    return max(ImageStat.Stat(ImageChops.difference(one, other)).mean)


def markers(jpeg: bytes) -> set[int]:
    """The markers in front of the compressed data."""
    found, position = set(), 2
    while SCAN not in found:
        assert jpeg[position] == 0xFF
        found.add(jpeg[position + 1])
        position += 2 + int.from_bytes(jpeg[position + 2 : position + 4], "big")
    return found


def flat(width: int, height: int, kind: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), (120, 130, 140)).save(buffer, kind)
    return buffer.getvalue()


# --- sizes


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((4032, 3024), (2016, 1512)),  # 12 MP: half, by the decoder alone
        ((5712, 4284), (1428, 1071)),  # 24 MP: a quarter
        ((8064, 6048), (2016, 1512)),  # 48 MP: a quarter
        ((5325, 3004), (2048, 1155)),  # 16 MP: a quarter would be 1332, so half and LANCZOS
        ((2600, 1950), (2048, 1536)),
        ((2049, 110), (2048, 110)),
        ((2048, 2048), (2048, 2048)),
        ((640, 480), (640, 480)),  # never enlarged
        ((16, 16), (16, 16)),
        ((320, 16), (320, 16)),
    ],
)
def test_sizes_of_phone_photos(size: tuple[int, int], expected: tuple[int, int]) -> None:
    prepared = prepare(flat(*size))
    assert (prepared.width, prepared.height) == opened(prepared.original).size == expected
    assert max(opened(prepared.thumbnail).size) == min(300, max(expected))


@settings(max_examples=examples(60), deadline=None)
@given(
    width=st.integers(16, 900),
    height=st.integers(16, 900),
    side=st.integers(20, 500),
    thumbnail_side=st.integers(16, 100),
    kind=st.sampled_from(["JPEG", "PNG"]),
)
def test_sizes_of_any_picture(width: int, height: int, side: int, thumbnail_side: int, kind: str) -> None:
    assume(max(width, height) <= 20 * min(width, height))
    prepared = prepare(flat(width, height, kind), side=side, thumbnail_side=thumbnail_side)
    long = max(prepared.width, prepared.height)
    assert CLOSE_ENOUGH * min(side, max(width, height)) - 1 < long <= min(side, max(width, height))
    assert prepared.width == pytest.approx(width * long / max(width, height), abs=1)
    assert prepared.height == pytest.approx(height * long / max(width, height), abs=1)
    assert max(opened(prepared.thumbnail).size) == min(thumbnail_side, long)


@pytest.mark.parametrize("size", [(2016, 1512), (2048, 1155), (1428, 1071), (900, 700)])
def test_what_a_model_sees_is_near_the_side_it_may_have(size: tuple[int, int]) -> None:
    seen = max(opened(shrink(flat(*size), side=1024)).size)
    assert min(max(size), CLOSE_ENOUGH_TO_SEE * 1024) <= seen <= 1024


# --- upright


@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_orientations_give_the_same_upright_picture(hostile: ModuleType, orientation: int) -> None:
    upright = hostile.scene()
    data = hostile.turned(orientation)
    assert difference(opened(prepare(data, quality=95).original), upright) < 4
    assert difference(opened(shrink(data, quality=95)), upright) < 4


def test_a_thumbnail_is_upright_too(hostile: ModuleType) -> None:
    straight, turned = (prepare(hostile.turned(number), thumbnail_side=48, quality=95).thumbnail for number in (1, 6))
    assert difference(opened(straight), opened(turned)) < 4


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_other_formats_have_orientations_as_well(hostile: ModuleType, kind: str) -> None:
    stored = hostile.scene().transpose(Image.Transpose.ROTATE_90)
    data = hostile.encoded(stored, kind, exif=b"Exif\0\0" + hostile.tiff(6))
    assert difference(opened(prepare(data, quality=95).original), hostile.scene()) < 6


@pytest.mark.parametrize("orientation", [0, 9, 65_535])
def test_an_orientation_that_does_not_exist_changes_nothing(hostile: ModuleType, orientation: int) -> None:
    data = hostile.encoded(hostile.scene())
    assert prepare(hostile.with_segments(data, hostile.exif_segment(orientation))) == prepare(data)


# --- nothing but a picture


def test_nothing_is_left_of_the_metadata(hostile: ModuleType) -> None:
    place = b"37.5665 N 126.9780 E"
    described = hostile.with_segments(
        hostile.encoded(hostile.scene(500, 400), icc_profile=profile(swapped=False), comment=place),
        hostile.exif_segment(6),
        hostile.segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>" + place),
        hostile.segment(0xED, b"Photoshop 3.0\0" + place),
        hostile.segment(0xE2, b"MPF\0" + place),
    )
    text = {"exif": b"Exif\0\0" + hostile.tiff(6), "icc_profile": profile(swapped=False), "xmp": place}
    for data in (
        described + place,
        hostile.encoded(hostile.scene(500, 400), "PNG", **text),
        hostile.encoded(hostile.scene(500, 400), "WEBP", **text),
    ):
        prepared = prepare(data)
        for jpeg in (prepared.original, prepared.thumbnail, shrink(data)):
            assert markers(jpeg) == {JFIF, QUANTIZATION, FRAME, HUFFMAN, SCAN}
            assert jpeg.count(b"\xff\xd9") == 1
            assert jpeg.endswith(b"\xff\xd9")
            assert not any(word in jpeg for word in (b"Exif", b"xmp", b"ICC_PROFILE", b"Photoshop", place))


def test_the_same_bytes_give_the_same_pictures(hostile: ModuleType) -> None:
    for kind in ("JPEG", "PNG", "WEBP"):
        data = hostile.encoded(hostile.scene(700, 500), kind)
        assert prepare(data, side=300) == prepare(data, side=300)


# --- colours


def colour_of(data: bytes) -> tuple[int, ...]:
    image = opened(prepare(data, quality=95).original)
    assert image.mode == "RGB"
    return tuple(round(value) for value in ImageStat.Stat(image).mean)


def one_colour(mode: str, colour: object, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, (64, 64), colour).save(buffer, kind, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (one_colour("I;16", 177 * 256), (177, 177, 177)),  # Pillow alone would make it white
        (one_colour("L", 90), (90, 90, 90)),
        (one_colour("1", 1), (255, 255, 255)),
        (one_colour("RGBA", (200, 0, 0, 0)), (255, 255, 255)),  # transparent is white, whatever lies below
        (one_colour("RGBA", (200, 0, 0, 128)), (227, 127, 127)),
        (one_colour("LA", (0, 128)), (127, 127, 127)),
        (one_colour("RGB", (9, 8, 7), transparency=(9, 8, 7)), (255, 255, 255)),
        (one_colour("P", 0, transparency=0), (255, 255, 255)),
        (one_colour("CMYK", (0, 255, 255, 0), "JPEG"), (254, 0, 0)),
        (one_colour("RGBA", (200, 0, 0, 0), "WEBP", lossless=True), (255, 255, 255)),
        (one_colour("L", 90, "JPEG"), (90, 90, 90)),
    ],
)
def test_colours(data: bytes, expected: tuple[int, ...]) -> None:
    assert colour_of(data) == pytest.approx(expected, abs=3)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_colour_profile_is_applied(kind: str) -> None:
    """With the primaries of red and blue swapped, a red picture is meant to be blue."""
    red = {"mode": "RGB", "colour": (250, 0, 0), "kind": kind}
    assert colour_of(one_colour(**red, icc_profile=profile(swapped=False))) == pytest.approx((250, 0, 0), abs=14)
    assert colour_of(one_colour(**red, icc_profile=profile(swapped=True))) == pytest.approx((0, 0, 250), abs=14)


def profile(*, swapped: bool) -> bytes:
    """A minimal ICC v2 display profile: sRGB's primaries adapted to D50, gamma 2.2 (ICC.1:2001-04 §6)."""

    def number(value: float) -> bytes:
        return struct.pack(">l", round(value * 65_536))

    def xyz(*values: float) -> bytes:
        return b"XYZ \0\0\0\0" + b"".join(map(number, values))

    red, blue = xyz(0.4361, 0.2225, 0.0139), xyz(0.1431, 0.0606, 0.7141)
    curve = b"curv\0\0\0\0" + struct.pack(">LH", 1, round(2.2 * 256)) + b"\0\0"
    name = b"desc\0\0\0\0" + struct.pack(">L", 5) + b"test\0" + bytes(79)
    tags = {
        b"desc": name,
        b"wtpt": xyz(0.9642, 1.0, 0.8249),
        b"rXYZ": blue if swapped else red,
        b"gXYZ": xyz(0.3851, 0.7169, 0.0971),
        b"bXYZ": red if swapped else blue,
        b"rTRC": curve,
        b"gTRC": curve,
        b"bTRC": curve,
    }
    table, bodies, at = struct.pack(">L", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for tag, body in tags.items():
        table += tag + struct.pack(">LL", at + len(bodies), len(body))
        bodies += body + bytes(-len(body) % 4)
    head = struct.pack(">L4sL4s4s4s", at + len(bodies), b"\0" * 4, 0x02100000, b"mntr", b"RGB ", b"XYZ ")
    head += bytes(12) + b"acsp" + bytes(28) + number(0.9642) + number(1.0) + number(0.8249) + bytes(48)
    assert len(head) == 128
    return head + table + bodies


# --- real photos


def test_real_phone_photos(phone_photos: list[bytes]) -> None:
    for photo in phone_photos:
        prepared = prepare(photo)
        assert max(prepared.width, prepared.height) == 2048
        assert max(opened(prepared.thumbnail).size) == 300
        assert markers(prepared.original) == {JFIF, QUANTIZATION, FRAME, HUFFMAN, SCAN}
        assert 0.9 * 1024 <= max(opened(shrink(prepared.original)).size) <= 1024
        naive = Image.open(io.BytesIO(photo))
        turned = naive.getexif().get(0x0112, 1) in (5, 6, 7, 8)
        assert (prepared.height > prepared.width) == ((naive.height > naive.width) != turned)
