"""Every request to a model server is a row of its own, with whom it was for, when the workers have stopped."""

import json

import pytest

from growbin_jobs.limits.usage import LlmUsage

pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize(
    "either", ["embedded_online", pytest.param("clustered", marks=pytest.mark.services)], indirect=True
)
def test_each_request_is_a_row_for_its_analysis_and_user(either, openai, photos):
    ids = either.submit(photos[:6])
    either.start(threads=4)
    either.wait(list(ids), timeout=200)
    assert either.stop() == {"storage": 0, "ai": 0}

    rows = either.database.rows(LlmUsage.select())
    books = openai.stats()
    assert len(rows) == books["vision"] + books["text"]
    assert {row["analysis_id"] for row in rows if row["purpose"] == "vision"} == set(ids)
    assert {row["user_id"] for row in rows} == {either.analyses.get(key).user_id for key in ids}
    assert {(row["outcome"], row["attempt"]) for row in rows} == {("answered", 1)}
    assert len({row["message_id"] for row in rows}) == len(rows)
    assert all(0 <= row["first_byte_ms"] <= row["latency_ms"] for row in rows)
    shown = either.run("usage", "--by", "purpose", "--json", check=True)
    assert {one["key"]: one["requests"] for one in json.loads(shown.stdout)} == {
        "vision": books["vision"],
        "text": books["text"],
    }
