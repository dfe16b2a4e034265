"""Every request to a model server is a row of its own, with whom it was for, when the workers have stopped."""

import json

from growbin_jobs.limits.usage import LlmUsage


def assert_each_request_is_a_row(stack, books, ids):
    """Look at the rows of a stack that has asked for some analyses, once for each.

    Parameters:
      books: Of the stand-in for the model server.
      ids: Of all analyses.
    """
    rows = stack.database.rows(LlmUsage.select())
    assert len(rows) == books["vision"] + books["text"]
    assert {row["analysis_id"] for row in rows if row["purpose"] == "vision"} == set(ids)
    assert {row["user_id"] for row in rows} == {stack.analyses.get(key).user_id for key in ids}
    assert {(row["outcome"], row["attempt"]) for row in rows} == {("answered", 1)}
    assert len({row["message_id"] for row in rows}) == len(rows)
    assert all(0 <= row["first_byte_ms"] <= row["latency_ms"] for row in rows)
    shown = stack.run("usage", "--by", "purpose", "--json", check=True)
    assert {one["key"]: one["requests"] for one in json.loads(shown.stdout)} == {
        "vision": books["vision"],
        "text": books["text"],
    }
