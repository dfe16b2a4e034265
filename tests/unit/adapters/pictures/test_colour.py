"""Colours come out as the profile means them, within 3 levels of a computation that knows nothing of LittleCMS."""

import io
import math
import random
import struct
import zlib
from collections.abc import Callable
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tests.whole import examples

from growbin_jobs.adapters.pictures import prepare

LEVELS = (0, 16, 60, 128, 200, 255)
COLOURS = [(red, green, blue) for red in LEVELS for green in LEVELS for blue in LEVELS]
PATCH = 16

#: Kind of file, and how to write it without loss worth a level.
FILES: dict[str, dict[str, object]] = {
    "PNG": {},
    "JPEG": {"quality": 100, "subsampling": 0},
    "WEBP": {"lossless": True},
}
#: What makers call Display P3: Apple, Samsung and Xiaomi (Skia), Google, none at all.
P3_NAMES = ["Display P3", "DCI-P3 D65 Gamut with sRGB Transfer", "sRGB", "c2ci", "sRGB IEC61966-2.1", "", None]


def stored(data: bytes, count: int) -> list[tuple[int, int, int]]:
    """The colours that come out, one a patch."""
    return in_the_middle(prepare(data, quality=100).original, count)


def in_the_middle(data: bytes, count: int) -> list[tuple[int, int, int]]:
    """The colours of the patches as the file has them; a JPEG has lost a level or two of what was written."""
    image = Image.open(io.BytesIO(data)).convert("RGB")
    middle = [((at % 8) * PATCH + PATCH // 2, at // 8 * PATCH + PATCH // 2) for at in range(count)]
    return [image.getpixel(at) for at in middle]  # type: ignore[misc]


def patches(mode: str, colours: list[tuple[int, ...]], kind: str, **options: object) -> bytes:
    """A picture of patches, eight a row."""
    image = Image.new(mode, (8 * PATCH, -(-len(colours) // 8) * PATCH))
    for at, colour in enumerate(colours):
        left, top = at % 8 * PATCH, at // 8 * PATCH
        image.paste(colour if len(colour) > 1 else colour[0], (left, top, left + PATCH, top + PATCH))
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


def furthest(one: list[tuple[int, ...]], other: list[tuple[int, ...]]) -> int:
    """The largest difference of any channel of any colour."""
    return max(abs(a - b) for x, y in zip(one, other, strict=True) for a, b in zip(x, y, strict=True))


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize(
    "space",
    ["srgb", "display p3", "p3 of a film projector", "adobe rgb", "prophoto", "rec. 2020", "apple's old screens"],
)
def test_spaces_by_their_colorants(icc: ModuleType, space: str, kind: str) -> None:
    meant = icc.SPACES[space]
    colours = random.Random(space).sample(COLOURS, 48)
    data = patches("RGB", colours, kind, icc_profile=icc.of_space(meant), **FILES[kind])
    assert furthest(stored(data, 48), [meant.in_srgb(colour) for colour in in_the_middle(data, 48)]) <= 3


@pytest.mark.parametrize("name", P3_NAMES)
def test_a_name_decides_nothing(icc: ModuleType, name: str | None) -> None:
    p3, colours = icc.SPACES["display p3"], random.Random(name or "").sample(COLOURS, 48)
    for curve in (icc.parametric(), icc.table(icc.srgb_decoded, 4096)):
        data = patches("RGB", colours, "PNG", icc_profile=icc.of_space(p3, name=name, curve=curve))
        assert furthest(stored(data, 48), [p3.in_srgb(colour) for colour in in_the_middle(data, 48)]) <= 3


def test_srgb_by_any_curve_and_name_changes_nothing(icc: ModuleType) -> None:
    colours = random.Random(1).sample(COLOURS, 48)
    plain = prepare(patches("RGB", colours, "PNG"))
    for curve in (icc.parametric(), icc.table(icc.srgb_decoded), icc.table(icc.srgb_decoded, 4096)):
        for name in ("Display P3", None):
            described = icc.of_space(icc.SPACES["srgb"], name=name, curve=curve)
            assert prepare(patches("RGB", colours, "PNG", icc_profile=described)) == plain


@settings(max_examples=25, deadline=None)
@given(
    red=st.tuples(st.floats(0.60, 0.72), st.floats(0.27, 0.34)),
    green=st.tuples(st.floats(0.17, 0.32), st.floats(0.58, 0.78)),
    blue=st.tuples(st.floats(0.13, 0.16), st.floats(0.04, 0.08)),
    gamma=st.integers(410, 620),
    seed=st.integers(0, 999),
)
def test_any_primaries_and_any_gamma(
    icc: ModuleType,
    red: tuple[float, float],
    green: tuple[float, float],
    blue: tuple[float, float],
    gamma: int,
    seed: int,
) -> None:
    space = icc.Space((red, green, blue), icc.D65_XY, icc.power(gamma / 256))
    colours = random.Random(seed).sample(COLOURS, 32)
    data = patches("RGB", colours, "PNG", icc_profile=icc.of_space(space, name=None, curve=icc.gamma(gamma / 256)))
    assert furthest(stored(data, 32), [space.in_srgb(colour) for colour in colours]) <= 3


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("gamma", [1.0, 1.8, 2.2, 2.6])
def test_grey(icc: ModuleType, kind: str, gamma: float) -> None:
    greys = [(level,) for level in range(0, 256, 8)]
    expected = [(icc.srgb_level((level / 255) ** gamma),) * 3 for (level,) in greys]
    for padding in (0, 9000):
        data = patches("L", greys, kind, icc_profile=icc.grey(icc.power(gamma), padding=padding))
        assert furthest(stored(data, len(greys)), expected) <= 3


def test_grey_with_alpha_and_grey_described_by_colours(icc: ModuleType) -> None:
    greys = [(level,) for level in range(0, 256, 8)]
    for space in ("adobe rgb", "prophoto"):
        expected = [icc.SPACES[space].in_srgb(grey * 3) for grey in greys]
        data = patches("L", greys, "PNG", icc_profile=icc.of_space(icc.SPACES[space]))
        assert furthest(stored(data, len(greys)), expected) <= 3
    with_alpha = [(*grey, 255) for grey in greys]
    expected = [(icc.srgb_level((level / 255) ** 1.8),) * 3 for (level,) in greys]
    data = patches("LA", with_alpha, "PNG", icc_profile=icc.grey(icc.power(1.8)))
    assert furthest(stored(data, len(greys)), expected) <= 3


def test_alpha_lies_over_white_after_the_conversion(icc: ModuleType) -> None:
    p3 = icc.SPACES["display p3"]
    colours = random.Random(2).sample(COLOURS, 48)
    expected = [tuple(round((part * 128 + 255 * 127) / 255) for part in p3.in_srgb(colour)) for colour in colours]
    for kind in ("PNG", "WEBP"):
        data = patches("RGBA", [(*c, 128) for c in colours], kind, icc_profile=icc.of_space(p3), **FILES[kind])
        assert furthest(stored(data, 48), expected) <= 3


@pytest.mark.parametrize("padding", [0, 60_000, 700_000, 2_700_000])
def test_cmyk_by_the_table_of_a_press(icc: ModuleType, padding: int) -> None:
    corners = sorted(icc.CORNERS)
    inks = [tuple(255 * ink for ink in corner) for corner in corners]
    data = patches("CMYK", inks, "JPEG", icc_profile=icc.press(padding=padding), quality=100)
    expected = [icc.srgb_of_lab(icc.CORNERS[corner]) for corner in corners]
    assert furthest(stored(data, len(inks)), expected) <= 3


@settings(max_examples=30, deadline=None)
@given(size=st.integers(40, 65_000), padding=st.integers(0, 8000), seed=st.integers(0, 999), twice=st.booleans())
def test_a_split_profile_in_any_order(
    icc: ModuleType, hostile: ModuleType, size: int, padding: int, seed: int, twice: bool
) -> None:
    p3, colours = icc.SPACES["display p3"], random.Random(seed).sample(COLOURS, 16)
    profile = icc.of_space(p3, name=None, padding=padding)
    parts = icc.split(profile, max(size, -(-len(profile) // 255)))  # their number is a byte
    parts += parts[:1] if twice else []
    random.Random(seed).shuffle(parts)
    plain = patches("RGB", colours, "JPEG", **FILES["JPEG"])
    data = hostile.with_segments(plain, *(hostile.segment(0xE2, part) for part in parts))
    assert furthest(stored(data, 16), [p3.in_srgb(colour) for colour in in_the_middle(plain, 16)]) <= 3


def test_a_profile_with_a_part_missing_is_ignored(icc: ModuleType, hostile: ModuleType) -> None:
    plain = patches("RGB", COLOURS[:16], "JPEG")
    parts = icc.split(icc.of_space(icc.SPACES["prophoto"]), 500)
    for without in range(len(parts)):
        kept = [hostile.segment(0xE2, part) for at, part in enumerate(parts) if at != without]
        assert prepare(hostile.with_segments(plain, *kept)) == prepare(plain)


@pytest.mark.parametrize("kind", FILES)
def test_a_profile_of_another_picture_is_ignored(icc: ModuleType, kind: str) -> None:
    plain = patches("RGB", COLOURS[:48], kind, **FILES[kind])
    link = icc.profile({}, kind=b"link")
    for wrong in (icc.grey(icc.power(1.8)), icc.press(), link, b"x" * 200):
        assert prepare(patches("RGB", COLOURS[:48], kind, icc_profile=wrong, **FILES[kind])) == prepare(plain)


@settings(max_examples=examples(60), deadline=None)
@given(seed=st.integers(0, 2**32), flips=st.integers(1, 60))
def test_a_damaged_profile_is_no_fault_of_the_picture(icc: ModuleType, seed: int, flips: int) -> None:
    chance = random.Random(seed)
    whole, mode = chance.choice([(icc.of_space(icc.SPACES["adobe rgb"]), "RGB"), (icc.press(), "CMYK")])
    damaged = bytearray(whole)
    for _ in range(flips):
        damaged[chance.randrange(min(len(damaged), 400))] ^= 1 << chance.randrange(8)
    data = patches(mode, [(9,) * len(mode)], "JPEG", icc_profile=bytes(damaged))
    assert prepare(data).source_format == "JPEG"


# --- colours by what a file says of them without a profile

PAGE_WHITE = 203  # cd/m²


def pq(level: float) -> float:
    """ITU-R BT.2100 table 4: what a level of 0 to 1 is, of the white of a page and no more."""
    root = level ** (1 / 78.84375)
    light = (max(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)) ** (1 / 0.1593017578125) * 10_000
    return min(1.0, light / PAGE_WHITE)


def hlg(level: float) -> float:
    """ITU-R BT.2100 table 5, of the white of a page, which has the level 0.75."""
    light = level**2 / 3 if level <= 0.5 else (math.exp((level - 0.55991073) / 0.17883277) + 0.28466892) / 12
    return min(1.0, light / 0.26496256)


def png_saying(hostile: ModuleType, colours: list[tuple[int, ...]], *chunks: tuple[bytes, bytes]) -> bytes:
    plain = patches("RGB", colours, "PNG")
    return bytes(plain[:33] + b"".join(hostile.chunk(*chunk) for chunk in chunks) + plain[33:])


def test_a_png_says_its_colours_in_chunks_and_the_first_of_the_standard_counts(
    icc: ModuleType, hostile: ModuleType
) -> None:
    spaces, colours = icc.SPACES, random.Random(3).sample(COLOURS, 48)
    p3, srgb = spaces["display p3"], spaces["srgb"]

    def space(points: object, white: tuple[float, float], decoded: Callable[[float], float]) -> object:
        return icc.Space(points, white, decoded)

    def points(of: object) -> tuple[bytes, bytes]:
        numbers = [value for point in (of.white, *of.primaries) for value in point]  # type: ignore[attr-defined]
        return b"cHRM", struct.pack(">8L", *(round(value * 100_000) for value in numbers))

    def gamma(number: int) -> tuple[bytes, bytes]:
        return b"gAMA", struct.pack(">L", number)

    def code(*numbers: int) -> tuple[bytes, bytes]:
        return b"cICP", bytes(numbers)

    def profile(of: object) -> tuple[bytes, bytes]:
        return b"iCCP", b"x\0\0" + zlib.compress(icc.of_space(of))

    says: list[tuple[object, list[tuple[bytes, bytes]]]] = [
        (p3, [code(12, 13, 0, 1)]),
        (spaces["p3 of a film projector"], [code(11, 17, 0, 1)]),
        (space(spaces["rec. 2020"].primaries, icc.D65_XY, pq), [code(9, 16, 0, 1)]),
        (space(spaces["rec. 2020"].primaries, icc.D65_XY, hlg), [code(9, 18, 0, 1)]),
        (srgb, [code(1, 13, 0, 1)]),
        (srgb, [code(2, 2, 0, 1)]),
        (srgb, [code(99, 13, 0, 1)]),
        (srgb, [code(12, 13, 6, 0)]),
        (srgb, [code(12, 13)]),
        (space(icc.SRGB_XY, icc.D65_XY, icc.power(1.0)), [gamma(100_000)]),
        (space(icc.SRGB_XY, icc.D65_XY, icc.power(1.8)), [gamma(55_556)]),
        (srgb, [gamma(45_455)]),
        (srgb, [gamma(45_455), points(srgb)]),
        (srgb, [gamma(0)]),
        (p3, [gamma(45_455), points(p3)]),
        (p3, [points(p3)]),
        (space(icc.P3_XY, icc.D65_XY, icc.power(1.8)), [points(p3), gamma(55_556)]),
        (srgb, [(b"cHRM", bytes(32))]),
        (srgb, [(b"cHRM", struct.pack(">8L", *[30_000] * 8))]),
        (p3, [profile(spaces["prophoto"]), code(12, 13, 0, 1), gamma(100_000)]),
        (p3, [gamma(100_000), profile(p3), (b"sRGB", b"\0")]),
        (srgb, [gamma(100_000), (b"sRGB", b"\0")]),
        (p3, [(b"iCCP", b"x\0\0junk"), profile(p3)]),
    ]
    for meant, chunks in says:
        expected = [meant.in_srgb(colour) for colour in colours]  # type: ignore[attr-defined]
        assert furthest(stored(png_saying(hostile, colours, *chunks), 48), expected) <= 3, chunks
    plain = patches("RGB", colours, "PNG")
    for name, body in (gamma(100_000), profile(p3), code(12, 13, 0, 1)):
        damaged = hostile.chunk(name, body)[:-1] + b"?"  # another checksum
        assert prepare(plain[:33] + damaged + plain[33:]) == prepare(plain)
    behind = plain[:-12] + hostile.chunk(*profile(p3)) + plain[-12:]
    assert prepare(behind) == prepare(plain)


@settings(max_examples=examples(40), deadline=None)
@given(gamma=st.none() | st.integers(0, 2**32 - 1), points=st.lists(st.integers(0, 2**32 - 1), min_size=8, max_size=8))
def test_any_primaries_give_a_picture(hostile: ModuleType, gamma: int | None, points: list[int]) -> None:
    chunks = [(b"cHRM", struct.pack(">8L", *points))] + ([] if gamma is None else [(b"gAMA", struct.pack(">L", gamma))])
    assert prepare(png_saying(hostile, COLOURS[:8], *chunks)).source_format == "PNG"


def test_a_heic_says_its_colours_in_numbers(icc: ModuleType) -> None:
    from pillow_heif import from_pillow

    colours = random.Random(4).sample(COLOURS, 48)
    picture, buffer = Image.open(io.BytesIO(patches("RGB", colours, "PNG"))), io.BytesIO()
    from_pillow(picture).save(buffer, quality=100, chroma=444)
    whole = buffer.getvalue()
    at = whole.index(b"colrnclx") + 8
    written = in_the_middle(prepare(whole, quality=100).original, 48)
    for numbers, space in (((12, 13), "display p3"), ((1, 13), "srgb"), ((2, 2), "srgb")):
        data = whole[:at] + struct.pack(">HH", *numbers) + whole[at + 4 :]
        expected = [icc.SPACES[space].in_srgb(colour) for colour in written]
        assert furthest(stored(data, 48), expected) <= 3, space


def test_a_transparent_colour_of_16_bits(hostile: ModuleType) -> None:
    def file(colour: int, *values: int) -> bytes:
        pixel, other = (struct.pack(f">{len(values)}H", *row) for row in (values, [0x8080] * len(values)))
        rows = (b"\0" + pixel * 32 + other * 32) * 32
        key = hostile.chunk(b"tRNS", struct.pack(f">{len(values)}H", *values))
        return bytes(hostile.png(64, 32, depth=16, colour=colour, rows=rows, extra=key))

    for data in (file(0, 0x1234), file(2, 0x1234, 0x5678, 0x9ABC)):
        image = Image.open(io.BytesIO(prepare(data, quality=100).original))
        assert [image.getpixel(at) for at in ((8, 16), (56, 16))] == [(255, 255, 255), (128, 128, 128)]
