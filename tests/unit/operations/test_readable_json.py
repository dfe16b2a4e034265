"""JSON that may be anything is readable for people and strict for programs."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from growbin_jobs.operations.readable_json import parsed, pretty, strict

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def refuse(name: str) -> None:
    raise AssertionError(name)


@given(VALUES)
def test_everything_becomes_strict_json(value):
    text = strict(value)

    text.encode()
    json.loads(text, parse_constant=refuse)


@given(JSON)
def test_pretty_changes_only_space_and_escapes(value):
    assert json.loads(pretty(json.dumps(value))) == value


@given(st.text())
def test_what_is_no_json_keeps_its_signs(text):
    kept = "".join(sign for sign in text if not sign.isspace())

    if "\\u" not in text:
        assert "".join(sign for sign in pretty(text) if not sign.isspace()) == kept


def test_digits_and_keys_stay_as_they_are():
    assert pretty('{"":1970670598291982290,"a\\"b":1.10}') == '{\n  "": 1970670598291982290,\n  "a\\"b": 1.10\n}'
    assert pretty('{"a":[],"b":"\\ud55c\\ubc18"}') == '{\n  "a": [],\n  "b": "한반"\n}'


def test_depth_costs_no_stack():
    deep = "[" * 10_000 + "1" + "]" * 10_000

    assert pretty(deep).count("[") == 10_000
    assert parsed(deep) == (None, False)
    nested: list[object] = []
    for _ in range(10_000):
        nested = [nested]
    json.loads(strict(nested))


@pytest.mark.parametrize("text", ["NaN", '{"a": NaN}', "{", "", "[1,]"])
def test_what_no_strict_reader_takes_is_not_told(text):
    assert parsed(text) == (None, False)


def test_long_numbers_are_told():
    assert parsed('{"id": 1970670598291982290}') == ({"id": 1970670598291982290}, True)
