import pytest
from hypothesis import given
from hypothesis import strategies as st

from growbin_jobs.rates import Rate, parse_rate, parse_rates

RATES = st.builds(Rate, st.integers(1, 10**15 - 1), st.sampled_from([1.0, 60.0, 3600.0, 86_400.0]))


@given(RATES)
def test_a_rate_is_read_as_it_is_written(rate):
    assert parse_rate(str(rate)) == rate


@given(st.dictionaries(st.from_regex(r"[a-z]+(:[A-Za-z0-9=._*-]+)?", fullmatch=True), RATES))
def test_so_is_a_list_of_them(rates):
    assert parse_rates(", ".join(f"{name}={rate}" for name, rate in rates.items())) == rates


def test_without_a_unit_it_is_for_a_minute():
    assert parse_rate("100") == Rate(100, 60.0)


@pytest.mark.parametrize("text", ["", "0", "-1/min", "1.5/min", "100/minute", "many", "100/", "1e3/min", "٣/min"])
def test_what_is_no_rate_is_refused(text):
    with pytest.raises(ValueError, match="is no rate"):
        parse_rate(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [("project", "is no limit"), ("=5/min", "is no limit"), ("a=1/min,a=2/min", "named twice"), ("a=x", "is no rate")],
)
def test_a_wrong_list_says_which_part_is_wrong(text, words):
    with pytest.raises(ValueError, match=words):
        parse_rates(text)
