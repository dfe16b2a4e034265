"""What OpenAI says that an organization has cost, by UTC day: its costs API, which takes an admin key only."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from growbin_jobs.errors import ConfigurationError, Deferred

#: Days of one page.
_PAGE: Final = 31

#: Pages that are read at most: a server that never ends them is not asked for ever.
_MOST_PAGES: Final = 40

_MICRO: Final = 1_000_000


def billed_days(url: str, key: str, first: date, last: date, *, timeout: float = 30.0) -> dict[date, int]:
    """Return the micro-dollars of each day; days that cost nothing may be missing.

    Parameters:
      url: Of the API, with ``/v1``.
      key: An admin key of the organization.
      first, last: Days in UTC.
      timeout: Seconds for each request.

    Raises:
      ConfigurationError: The key is refused, or there is no such page.
      Deferred: No answer, or none that can be read.
    """
    found: dict[date, int] = {}
    for bucket in _buckets(url, key, _seconds(first), _seconds(last + timedelta(days=1)), timeout):
        try:
            day = datetime.fromtimestamp(bucket["start_time"], UTC).date()
            dollars = sum((Decimal(str(each["amount"]["value"])) for each in bucket["results"]), Decimal(0))
        except (KeyError, TypeError, ValueError, InvalidOperation, OverflowError, OSError):
            raise Deferred("The costs API answers in a form that is not known.", wait=60) from None
        found[day] = found.get(day, 0) + round(dollars * _MICRO)
    return found


def _buckets(url: str, key: str, since: int, until: int, timeout: float) -> Iterator[dict[str, Any]]:
    page: str | None = None
    for _ in range(_MOST_PAGES):
        asked: dict[str, str | int] = {"start_time": since, "end_time": until, "bucket_width": "1d", "limit": _PAGE}
        answer = _get(f"{url.rstrip('/')}/organization/costs", key, asked | ({"page": page} if page else {}), timeout)
        yield from answer.get("data") or ()
        page = answer.get("next_page") if answer.get("has_more") else None
        if not page:
            return


def _get(url: str, key: str, asked: dict[str, str | int], timeout: float) -> dict[str, Any]:
    import httpx2

    try:
        with httpx2.Client(timeout=timeout, follow_redirects=False) as http:
            answer = http.get(url, params=asked, headers={"authorization": f"Bearer {key}"})
    except httpx2.HTTPError as error:
        raise Deferred(f"The costs API does not answer ({type(error).__name__}).", wait=60) from None
    if answer.status_code in (401, 403):
        raise ConfigurationError("The costs API refuses OPENAI_ADMIN_KEY: it takes an admin key of the organization.")
    if answer.status_code == 404:
        raise ConfigurationError("OPENAI_BASE_URL has no costs API: only OpenAI itself has one.")
    try:
        document = answer.json()
    except ValueError:
        document = None
    if answer.status_code != 200 or not isinstance(document, dict):
        raise Deferred(f"The costs API fails (HTTP {answer.status_code}).", wait=60)
    return document


def _seconds(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
