"""Values survive the way into a column and back."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from growbin_jobs.engine.central.fields import JsonField, UtcField, WordsField, storable

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(st.datetimes(timezones=st.timezones()))
def test_a_moment_comes_back_in_utc(moment: datetime) -> None:
    field = UtcField()
    try:
        expected = moment.astimezone(UTC)
    except OverflowError:  # the first and last day of the calendar
        return
    found = field.python_value(field.db_value(moment))
    assert found == expected
    assert found is not None
    assert found.tzinfo is UTC


@given(st.datetimes(timezones=st.just(UTC)), st.datetimes(timezones=st.just(UTC)))
def test_moments_sort_as_text(one: datetime, two: datetime) -> None:
    field = UtcField()
    assert (str(field.db_value(one)) < str(field.db_value(two))) == (one < two)


def test_what_psycopg2_returns_becomes_utc() -> None:
    seoul = datetime(2026, 1, 1, 9, tzinfo=timezone(timedelta(hours=9)))
    assert UtcField().python_value(seoul) == datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("value", [datetime(2026, 1, 1), "2026-01-01", 0])  # noqa: DTZ001 - that is the point
def test_a_moment_without_a_zone_is_refused(value: object) -> None:
    field = UtcField()
    field.name = "created_at"
    with pytest.raises(TypeError, match="created_at needs a datetime with a time zone"):
        field.db_value(value)


@given(JSON)
def test_json_comes_back_and_is_clean(value: object) -> None:
    field = JsonField()
    stored = field.db_value(value)
    if value is None:
        assert stored is None
        return
    assert stored is not None
    assert r"\u0000" not in stored.replace("\\\\", "")
    assert field.db_value(field.python_value(stored)) == stored


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_good_text_stays_as_it_is(text: str) -> None:
    assert WordsField().db_value(text) == text


@given(st.text(alphabet=st.characters()))
def test_any_text_becomes_storable(text: str) -> None:
    found = storable(text)
    found.encode()
    assert "\0" not in found
