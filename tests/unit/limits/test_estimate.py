import pytest
from hypothesis import given
from hypothesis import strategies as st

from growbin_jobs.limits.estimate import MOST_PATCHES, TokenRatio, picture_tokens, text_tokens


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
