"""What a server's rate limit headers say of its own limits, within rules: they may lower ours, and never raise them."""

from collections.abc import Mapping

from growbin_jobs.adapters.llm.waiting import seconds_of

#: Seconds between which the window of a limit counts as a minute: servers round their resets.
_MINUTE = (40.0, 90.0)

#: Kinds of limits in the headers, of a project and by use (``_usage_based``) too.
_REQUESTS = ("requests", "project-requests", "requests_usage_based")
_TOKENS = ("tokens", "project-tokens", "tokens_usage_based")


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


def told_requests(headers: Mapping[str, str], tokens: int = 0) -> float | None:
    """Return the most requests in a minute that a response tells of, by its limits of requests and of tokens.

    Parameters:
      headers: As for :func:`told_per_minute`.
      tokens: Of the request that was answered: so many tokens are one request. 0: not known.

    Returns:
      The lowest of them; None where no header tells of a limit for a minute.
    """
    by_requests = [told_per_minute(headers, kind) for kind in _REQUESTS]
    by_tokens = [told_per_minute(headers, kind) for kind in _TOKENS] if tokens > 0 else []
    found = [limit for limit in by_requests if limit] + [limit / tokens for limit in by_tokens if limit]
    return min(found, default=None)


def _whole(value: str | None) -> int | None:
    text = (value or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None
