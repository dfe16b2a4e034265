"""What a server's rate limit headers say of its own limits, within rules: they may lower ours, and never raise them."""

from collections.abc import Mapping

from growbin_jobs.adapters.llm.waiting import seconds_of

#: Seconds between which the window of a limit counts as a minute: servers round their resets.
_MINUTE = (40.0, 90.0)


def told_per_minute(headers: Mapping[str, str], kind: str = "requests") -> float | None:
    """Return the limit in a minute that a response tells of.

    The window follows from the three headers: what is used up comes back in ``reset`` seconds, all of it in
    ``reset × limit / used``. A limit for a day (10,000, of which 1 comes back in 8.64 s) is none for a minute.

    Parameters:
      headers: Of the response; their names in lower case, or a case-insensitive mapping.
      kind: ``requests``, ``tokens``, ``project-tokens``, …

    Returns:
      The limit; None where a header is missing or makes no sense, or the window is no minute.
    """
    limit, remaining = (_whole(headers.get(f"x-ratelimit-{part}-{kind}")) for part in ("limit", "remaining"))
    reset = seconds_of(headers.get(f"x-ratelimit-reset-{kind}"))
    if limit is None or remaining is None or reset is None or limit <= 0 or not 0 <= remaining < limit:
        return None
    window = reset * limit / (limit - remaining)
    return float(limit) if _MINUTE[0] <= window <= _MINUTE[1] else None


def _whole(value: str | None) -> int | None:
    text = (value or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None
