"""A file is sent in parts of many lines, whole and in order."""

from __future__ import annotations

from growbin_jobs.monitor.api.v2.exporting import PART, encoded


def test_lines_are_sent_together_and_the_first_one_at_once():
    lines = ["head\n", *(f"{number:06d} 가나다 \ud83d\n" for number in range(20_000))]
    parts = list(encoded(lines))

    assert b"".join(parts) == "".join(lines).encode("utf-8", "replace")
    assert parts[0] == b"head\n"
    assert len(parts) == 2 + sum(map(len, lines[1:])) // PART
    assert list(encoded([])) == []
