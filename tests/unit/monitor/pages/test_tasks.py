"""The page of tasks: what its form keeps of the address."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ("2026-11-28T00:30:59.123456+00:00", "2026-11-28T09:30"), ("2026-11-28T09:30", "2026-11-28T09:30"),
        ("2026-11-28", "2026-11-28T00:00"), ("0001-01-01T00:00:00+00:00", "0001-01-01T08:27"), ("", ""),
        ("9999-12-31T23:59:59-12:00", ""), ("yesterday", ""),
    ],
)  # fmt: skip
def test_a_time_of_a_link_stands_in_its_field_in_the_zone_that_is_named(signed_in, asked, field):
    page = signed_in("vera").get(f"/tasks?from={quote(asked)}&to={quote(asked)}").text

    assert re.findall(r'type="datetime-local" name="(\w+)" value="([^"]*)"', page) == [("from", field), ("to", field)]
    assert page.count("(Asia/Seoul)") == 2
