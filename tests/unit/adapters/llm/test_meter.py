import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from growbin_jobs.adapters.llm.meter import ModelRequest
from growbin_jobs.adapters.llm.usage import Bill, Usage, read_bill

TOKENS = {"prompt_tokens": 900, "completion_tokens": 40}


@pytest.mark.parametrize(
    ("body", "bill"),
    [
        ({"usage": TOKENS}, Bill(Usage(900, 0, 40, 0), None, None)),
        (
            {
                "model": "gpt-6-luna-2026-09-01",
                "service_tier": "flex",
                "usage": TOKENS | {"prompt_tokens_details": {"cached_tokens": 100, "cache_write_tokens": 700}},
            },
            Bill(Usage(900, 100, 40, 0, cache_written=700), "gpt-6-luna-2026-09-01", "flex"),
        ),
        ({"usage": {"prompt_tokens": 0, "completion_tokens": 0}}, Bill(Usage(0, 0, 0, 0), None, None)),
        ({"usage": {"prompt_tokens": -1, "completion_tokens": 0}}, Bill(None, None, None)),
        ({"model": 5, "service_tier": ["flex"]}, Bill(None, None, None)),
        ([], Bill(None, None, None)),
    ],
)
def test_what_a_response_says_of_its_price(body, bill):
    assert read_bill(json.dumps(body).encode()) == bill


@given(st.binary())
def test_any_body_has_a_bill(body):
    assert isinstance(read_bill(body), Bill)


def test_zero_tokens_are_a_bill_and_missing_ones_are_none():
    told, silent = ModelRequest("m", "text"), ModelRequest("m", "text")
    told.usage = Usage(0, 0, 0, 0)

    assert (told.billed, silent.billed) == ("yes", "unknown")


def test_what_a_gateway_gave_up_waiting_for_may_be_billed():
    def of(status):
        request = ModelRequest("m", "text")
        request.begin_response(status, None, at=None)
        return request.billed

    assert [of(status) for status in (200, 429, 500, 502, 503, 504, 524)] == [
        "yes", "no", "no", "no", "no", "unknown", "unknown",
    ]  # fmt: skip
