import base64
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from growbin_jobs.adapters.llm.estimate import MOST_PATCHES, TokenRatio, input_tokens, picture_tokens, text_tokens


@pytest.mark.parametrize(
    ("size", "tokens"),
    [((1024, 768), 922), ((1024, 1024), 1229), ((32, 32), 2), ((1, 1), 2), ((33, 32), 3), ((2048, 2048), 1844)],
)
def test_a_picture_costs_by_its_patches(size, tokens):
    assert picture_tokens(*size) == tokens


@given(st.integers(1, 10_000), st.integers(1, 10_000))
def test_no_picture_costs_more_than_the_most_patches(width, height):
    assert 1 <= picture_tokens(width, height) <= MOST_PATCHES * 1.2 + 1


def test_a_text_costs_by_its_characters():
    assert (text_tokens(""), text_tokens("word"), text_tokens("x" * 350)) == (0, 2, 100)


def test_the_estimate_follows_what_is_counted():
    ratio = TokenRatio()
    for _ in range(60):
        ratio.learn(1000, 1300)

    assert ratio.corrected(1000) == pytest.approx(1300, rel=0.01)


@given(st.lists(st.tuples(st.floats(-1, 1e9), st.integers(-5, 10**12)), max_size=50))
def test_no_odd_count_makes_it_absurd(seen):
    ratio = TokenRatio()
    for estimate, counted in seen:
        ratio.learn(estimate, counted)

    assert 250 <= ratio.corrected(1000) <= 4000


def test_a_picture_in_a_message_counts_by_its_pixels() -> None:
    file = io.BytesIO()
    Image.effect_noise((1024, 768), 90).convert("RGB").save(file, "JPEG", quality=95)
    url = "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
    assert len(url) > 130_000
    parts = [{"type": "text", "text": "x" * 35}, {"type": "image_url", "image_url": {"url": url}}]
    assert input_tokens([{"role": "user", "content": parts}]) == 10 + picture_tokens(1024, 768)


@pytest.mark.parametrize("url", ["https://pictures/1", "data:image/jpeg;base64,", "data:image/jpeg;base64,/9j/", ""])
def test_a_picture_of_unknown_size_counts_as_the_largest(url: str) -> None:
    largest = picture_tokens(10_000, 10_000)
    assert input_tokens([{"content": [{"type": "image_url", "image_url": {"url": url}}]}]) == largest
