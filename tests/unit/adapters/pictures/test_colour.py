"""Colours come out as the profile means them, within 3 levels of a computation that knows nothing of LittleCMS."""

import io
import random
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

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
    parts = icc.split(icc.of_space(p3, name=None, padding=padding), max(size, padding // 200 + 20))
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


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), flips=st.integers(1, 60))
def test_a_damaged_profile_is_no_fault_of_the_picture(icc: ModuleType, seed: int, flips: int) -> None:
    chance = random.Random(seed)
    whole, mode = chance.choice([(icc.of_space(icc.SPACES["adobe rgb"]), "RGB"), (icc.press(), "CMYK")])
    damaged = bytearray(whole)
    for _ in range(flips):
        damaged[chance.randrange(min(len(damaged), 400))] ^= 1 << chance.randrange(8)
    data = patches(mode, [(9,) * len(mode)], "JPEG", icc_profile=bytes(damaged))
    assert prepare(data).source_format == "JPEG"
