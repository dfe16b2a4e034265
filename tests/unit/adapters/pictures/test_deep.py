"""Pictures of more than 8 bits keep their steps where 8 would lose them: within 3 levels of what all bits say."""

import io
import math
import random
import struct
import zlib
from collections.abc import Callable, Sequence
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tests.whole import examples

from growbin_jobs.adapters.pictures import prepare
from growbin_jobs.adapters.pictures.formats import curves

PATCH, TALL = 16, 64
TOP = 65_535


def pq(level: float) -> float:
    """ITU-R BT.2100 table 4, of the white of a page (203 cd/m²) and no more."""
    root = level ** (1 / 78.84375)
    light = (max(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)) ** (1 / 0.1593017578125) * 10_000
    return min(1.0, light / 203)


def hlg(level: float) -> float:
    """ITU-R BT.2100 table 5, of the white of a page, which has the level 0.75."""
    light = level**2 / 3 if level <= 0.5 else (math.exp((level - 0.55991073) / 0.17883277) + 0.28466892) / 12
    return min(1.0, light / 0.26496256)


CURVES: dict[str, tuple[Callable[[float], float], list[tuple[bytes, bytes]]]] = {
    "linear light": (lambda level: level, [(b"gAMA", struct.pack(">L", 100_000))]),
    "power of 1.4": (lambda level: level**1.4, [(b"gAMA", struct.pack(">L", 71_429))]),
    "linear by its code": (lambda level: level, [(b"cICP", bytes((1, 8, 0, 1)))]),
    "pq": (pq, [(b"cICP", bytes((9, 16, 0, 1)))]),
    "hlg": (hlg, [(b"cICP", bytes((9, 18, 0, 1)))]),
}

#: Numbers above which everything is white.
WHITE = {"pq": 0.6, "hlg": 0.76}
REC_2020 = ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046))


def rows_of(colours: Sequence[tuple[int, ...]]) -> bytes:
    """Patches in one row, as PNG's unfiltered rows of 16 bits."""
    row = b"".join(struct.pack(f">{len(colour)}H", *colour) * PATCH for colour in colours)
    return (b"\0" + row) * TALL


def colours_of(data: bytes, count: int) -> list[tuple[int, ...]]:
    image = Image.open(io.BytesIO(prepare(data, quality=100).original))
    return [image.getpixel((at * PATCH + PATCH // 2, PATCH // 2)) for at in range(count)]  # type: ignore[misc]


def furthest(one: list[tuple[int, ...]], other: list[tuple[int, ...]]) -> int:
    return max(abs(a - b) for x, y in zip(one, other, strict=True) for a, b in zip(x, y, strict=True))


def numbers(seed: str, count: int, bands: int, most: float = 1.0) -> list[tuple[int, ...]]:
    """Dark ones as often as light ones."""
    chance = random.Random(seed)
    return [
        tuple(round(TOP * chance.random() ** chance.choice((1, 4)) * most) for _ in range(bands)) for _ in range(count)
    ]


@pytest.mark.parametrize("curve", CURVES)
def test_a_png_of_16_bits(hostile: ModuleType, icc: ModuleType, curve: str) -> None:
    decode, chunks = CURVES[curve]
    extra = b"".join(hostile.chunk(*chunk) for chunk in chunks)
    for kind, bands in ((0, 1), (2, 3), (4, 2), (6, 4)):
        colours = numbers(curve, 60, bands, WHITE.get(curve, 1.0))
        if bands % 2 == 0:
            colours = [(*colour[:-1], TOP) for colour in colours]
        data = hostile.png(60 * PATCH, TALL, depth=16, colour=kind, rows=rows_of(colours), extra=extra)
        space = icc.Space(REC_2020 if curve in WHITE else icc.SRGB_XY, icc.D65_XY, decode)
        expected = [
            space.in_srgb([n / 257 for n in (colour[:3] if bands > 2 else colour[:1] * 3)]) for colour in colours
        ]
        assert furthest(colours_of(data, 60), expected) <= 3, kind


@pytest.mark.parametrize("space", ["prophoto", "rec. 2020", "display p3"])
@pytest.mark.parametrize("curve", ["own", "linear"])
def test_a_png_of_16_bits_by_its_profile(hostile: ModuleType, icc: ModuleType, space: str, curve: str) -> None:
    of = icc.SPACES[space]
    meant = of if curve == "own" else icc.Space(of.primaries, of.white, lambda level: level)
    profile = icc.of_space(meant, **({} if curve == "own" else {"curve": icc.gamma(1.0)}))
    colours = numbers(space, 18, 3)
    extra = hostile.chunk(b"iCCP", b"x\0\0" + zlib.compress(profile))
    data = hostile.png(18 * PATCH, TALL, depth=16, colour=2, rows=rows_of(colours), extra=extra)
    expected = [meant.in_srgb([number / 257 for number in colour]) for colour in colours]
    assert furthest(colours_of(data, 18), expected) <= 3


@pytest.mark.parametrize(
    "primaries",
    [
        pytest.param(((0.6888, 0.3112), (0.1986, 0.7551), (0.1265, 0.0352)), id="beta rgb"),
        pytest.param(((0.7347, 0.2653), (0.1152, 0.8264), (0.1566, 0.0177)), id="wide gamut"),
        pytest.param(((0.695, 0.305), (0.26, 0.70), (0.11, 0.005)), id="ekta space"),
    ],
)
def test_dark_levels_of_wide_colorants_are_differences_of_large_ones(
    hostile: ModuleType, icc: ModuleType, primaries: tuple[tuple[float, float], ...]
) -> None:
    """Colours at the edge of sRGB's, of which 8 bits make another one by up to 15 levels."""
    meant = icc.Space(primaries, icc.D50_XY, icc.power(563 / 256))
    to_own = icc.product(icc.inverse(icc.to_d50(primaries, icc.D50_XY)), icc.SRGB)
    chance = random.Random("wide")
    lights = [[chance.random() ** 3 for _ in range(2)] for _ in range(60)]
    edges = [icc.times(to_own, [*light[: at % 3], 0.002, *light[at % 3 :]]) for at, light in enumerate(lights)]
    colours = [tuple(round(TOP * max(part, 0.0) ** (256 / 563)) for part in light) for light in edges]
    extra = hostile.chunk(b"iCCP", b"x\0\0" + zlib.compress(icc.of_space(meant, curve=icc.gamma(2.2))))
    data = hostile.png(60 * PATCH, TALL, depth=16, colour=2, rows=rows_of(colours), extra=extra)
    expected = [meant.in_srgb([number / 257 for number in colour]) for colour in colours]
    assert furthest(colours_of(data, 60), expected) <= 3


def test_transparency_of_a_png_in_linear_light(hostile: ModuleType, icc: ModuleType) -> None:
    linear = hostile.chunk(b"gAMA", struct.pack(">L", 100_000))
    grey = (icc.srgb_level(0.01),) * 3
    for kind, bands in ((0, 1), (2, 3)):
        key, other = (0x1234,) * bands, (round(TOP * 0.01),) * bands
        extra = linear + hostile.chunk(b"tRNS", struct.pack(f">{bands}H", *key))
        data = hostile.png(2 * PATCH, TALL, depth=16, colour=kind, rows=rows_of([key, other]), extra=extra)
        assert furthest(colours_of(data, 2), [(255, 255, 255), grey]) <= 3
    half = tuple(round((255 + part) / 2) for part in grey)
    for kind, bands in ((4, 1), (6, 3)):
        seen = [(*(round(TOP * 0.01),) * bands, alpha) for alpha in (0, TOP, TOP // 2)]
        data = hostile.png(3 * PATCH, TALL, depth=16, colour=kind, rows=rows_of(seen), extra=linear)
        assert furthest(colours_of(data, 3), [(255, 255, 255), grey, half]) <= 3


def test_a_large_picture_is_converted_in_strips(hostile: ModuleType, icc: ModuleType) -> None:
    width, height = 700, 1100
    row = b"\0" + b"".join(struct.pack(">3H", at * 90, at * 90, 65_000 - at * 90) for at in range(width))
    linear = hostile.chunk(b"gAMA", struct.pack(">L", 100_000))
    data = hostile.png(width, height, depth=16, colour=2, rows=row * height, extra=linear)
    image = Image.open(io.BytesIO(prepare(data, quality=95).original))
    for x in (0, 1, 5, 20, 100, 699):
        expected = tuple(icc.srgb_level(number / TOP) for number in (x * 90, x * 90, 65_000 - x * 90))
        assert len({image.getpixel((x, y)) for y in (8, 500, 1091)}) == 1
        assert furthest([image.getpixel((x, 500))], [expected]) <= 6  # type: ignore[list-item]


def test_a_damaged_one_is_refused(hostile: ModuleType) -> None:
    from growbin_jobs.errors import PictureRefused

    linear = hostile.chunk(b"gAMA", struct.pack(">L", 100_000))
    for kind, bands in ((0, 1), (2, 3), (4, 2), (6, 4)):
        rows = rows_of(numbers("damaged", 4, bands))
        data = hostile.png(4 * PATCH, TALL, depth=16, colour=kind, rows=rows[: len(rows) // 2 + 7], extra=linear)
        with pytest.raises(PictureRefused):
            prepare(data)


@pytest.mark.parametrize(("name", "code"), [("pq", 16), ("hlg", 18)])
@pytest.mark.parametrize("mode", ["RGB;16", "RGBA;16", "I;16"])
def test_a_heic_of_10_bits(icc: ModuleType, name: str, code: int, mode: str) -> None:
    from pillow_heif import HeifFile, from_bytes

    bands = {"RGB;16": 3, "RGBA;16": 4, "I;16": 1}[mode]
    chance = random.Random(name)
    colours = [[chance.randrange(round(1023 * WHITE[name])) << 6 for _ in range(min(bands, 3))] for _ in range(60)]
    patches = [(*colour, *((1023 << 6,) if bands == 4 else ())) for colour in colours]
    row = b"".join(struct.pack(f"<{bands}H", *patch) * PATCH for patch in patches)
    buffer = io.BytesIO()
    file = from_bytes(mode, (60 * PATCH, TALL), row * TALL)
    numbers = {"color_primaries": 9, "transfer_characteristics": code, "matrix_coefficients": 6, "full_range_flag": 1}
    file.save(buffer, quality=100, chroma=444, save_nclx_profile=True, **numbers)
    data = buffer.getvalue()
    whole = HeifFile(io.BytesIO(data), convert_hdr_to_8bit=False)  # what the encoder has made of it
    assert whole.info["nclx_profile"]["transfer_characteristics"] == code
    pixels, decode = bytes(whole.data), CURVES[name][0]
    at = [PATCH // 2 * whole.stride + (each * PATCH + PATCH // 2) * 2 * bands for each in range(60)]
    written = [struct.unpack_from(f"<{min(bands, 3)}H", pixels, place) for place in at]
    space = icc.Space(REC_2020, icc.D65_XY, decode)
    expected = [space.in_srgb([(n >> 6) / 1023 * 255 for n in colour * (3 // len(colour))]) for colour in written]
    assert furthest(colours_of(data, 60), expected) <= 3


@pytest.mark.parametrize("damage", range(3))
@settings(max_examples=examples(60), deadline=None)
@given(seed=st.integers(0, 2**32))
def test_any_damaged_profile_has_curves_or_none(icc: ModuleType, damage: int, seed: int) -> None:
    chance = random.Random(seed)
    of = icc.SPACES["display p3"]
    whole = bytearray(
        [
            icc.of_space(of, curve=icc.gamma(1.0)),
            icc.of_space(of, curve=icc.parametric()),
            icc.of_space(of, curve=icc.table(icc.srgb_decoded)),
        ][damage]
    )
    for _ in range(chance.randrange(1, 40)):
        whole[chance.randrange(min(len(whole), 700))] ^= 1 << chance.randrange(8)
    light = curves.light_of(bytes(whole))
    assert light is None or light.needs_all_bits() in (True, False)
