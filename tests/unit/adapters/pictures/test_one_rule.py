"""What stage 1 has accepted, stage 2 takes: the form of a picture is judged once."""

import io

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError
from tests.whole import examples

from growbin_jobs.adapters.pictures import DEFAULT_LIMITS, MAX_STORED_SIDE, STORED_LIMITS, prepare, shrink
from growbin_jobs.adapters.pictures.resize import LEAST_SEEN
from growbin_jobs.ai.offline.preprocessing import decode
from growbin_jobs.settings import Settings

BLUE = (20, 40, 200)


def flat(width: int, height: int, kind: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), BLUE).save(buffer, kind)
    return buffer.getvalue()


@settings(max_examples=examples(80), deadline=None)
@given(
    short=st.integers(16, 150),
    aspect=st.floats(1, 20),
    upright=st.booleans(),
    stored_side=st.sampled_from([20, 300, 1000, 2048]),
    seen_side=st.sampled_from([64, 333, 1024, 2048]),
    kind=st.sampled_from(["JPEG", "PNG"]),
)
@example(short=150, aspect=20, upright=False, stored_side=2048, seen_side=1024, kind="JPEG")
@example(short=103, aspect=20, upright=True, stored_side=2048, seen_side=64, kind="JPEG")
@example(short=16, aspect=20, upright=False, stored_side=20, seen_side=64, kind="PNG")
def test_what_was_accepted_is_never_refused_later(
    short: int, aspect: float, upright: bool, stored_side: int, seen_side: int, kind: str
) -> None:
    long = int(short * aspect)
    assume(long <= DEFAULT_LIMITS.max_aspect * short)
    size = (short, long) if upright else (long, short)
    seen = shrink(prepare(flat(*size, kind), side=stored_side, thumbnail_side=16).original, side=seen_side)
    image = decode(seen)  # the offline classifier's own door
    assert min(image.size) >= LEAST_SEEN
    assert max(Image.open(io.BytesIO(seen)).size) <= seen_side


def test_a_small_picture_is_enlarged_and_a_narrow_one_put_on_white() -> None:
    enlarged = Image.open(io.BytesIO(shrink(flat(320, 16))))
    assert enlarged.size == (640, 32)
    assert all(abs(seen - meant) < 8 for seen, meant in zip(enlarged.getpixel((3, 3)), BLUE, strict=True))
    narrow = Image.open(io.BytesIO(shrink(flat(2000, 100), side=200)))
    assert narrow.size == (200, LEAST_SEEN)
    assert min(narrow.getpixel((100, 1))) > 240
    assert all(abs(seen - meant) < 40 for seen, meant in zip(narrow.getpixel((100, 16)), BLUE, strict=True))


def test_the_largest_picture_that_settings_let_stage_1_store_is_within_what_stage_2_takes() -> None:
    assert STORED_LIMITS.max_pixels >= MAX_STORED_SIDE**2
    assert Settings(picture_side=MAX_STORED_SIDE).picture_side == MAX_STORED_SIDE
    with pytest.raises(ValidationError):
        Settings(picture_side=MAX_STORED_SIDE + 1)
