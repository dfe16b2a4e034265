"""Reads how long a model server asks to wait: ``Retry-After`` in its forms, what the error says, rate limit headers."""

import math
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

#: Seconds to wait when the server does not say how long, and bounds for when it does. A longer wish than the upper
#: bound (a daily limit) is met by asking again then.
DEFAULT_WAIT, SHORTEST_WAIT, LONGEST_WAIT = 20.0, 1.0, 300.0

#: Seconds of the longest wait that is believed: limits are of a month at most. A longer one, or one without an end, is
#: a fault of the server, and no advice.
LONGEST_BELIEVED = 31 * 86_400.0

#: The headers that say nothing but how long to wait, in milliseconds and as ``retry-after`` has it.
_MILLISECONDS, _EXPLICIT = ("retry-after-ms", "x-ms-retry-after-ms"), ("retry-after", "x-retry-after")

#: OpenAI's names, those of a draft for HTTP (``ratelimit-reset``), Mistral's (``ratelimitbysize-reset``), Anthropic's
#: (``anthropic-ratelimit-requests-reset``).
_RESET = re.compile(r"((?:[\w-]+-)?rate-?limit(?:bysize)?-(?:[\w-]+-)?)reset((?:-[\w-]+)?)")
#: Letters of a header's name that is looked at.
_LONGEST_NAME = 100
#: One header for all, in the drafts' two forms: ``limit=100, remaining=0, reset=50`` and ``"default";r=0;t=50``.
_POLICY = re.compile(r"\b(?:remaining|r)\s*=\s*(\d{1,20})\s*[,;]\s*(?:reset|t)\s*=\s*(\d{1,20})\b")

#: A number in a text. Of a bounded length: a server may send thousands of digits, and to look for their unit from each
#: of them took seconds.
_NUMBER = r"(?<!\d)\d{1,20}(?:\.\d{1,20})?"

#: Letters of a value that is read; nobody writes a wait longer.
_LONGEST_VALUE = 100

#: Seconds of a unit in durations such as ``600ms``, ``6m0s``, ``1d2h`` (Go's, and days).
_UNITS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_PART = re.compile(rf"({_NUMBER})(ms|us|µs|ns|d|h|m|s)", re.ASCII)

#: A wait in a sentence: "try again in 7.66s", "Please retry after 86400 seconds", "will reset after 12h34m16s"
#: (danielmiessler/Fabric#364, alex-wolf-ps/dbchatprov2#2, diegosouzapw/OmniRoute#9504, earendil-works/pi#2851).
_IN_WORDS = re.compile(
    r"\b(?:again|retry(?: your request)?|resets?|wait|available|cooldown)\b:?\s*(?:in|after|for|within)?:?\s*"
    r"(?:about|around|approximately|~)?\s*"
    rf"((?:{_NUMBER}\s*"
    r"(?:ms|milliseconds?|seconds?|secs?|minutes?|mins?|hours?|hrs?|days?|[smhd])\b[\s,]*(?:and\s+)?"
    rf"|{_NUMBER}(?:ms|[dhms])(?=\d))+)",
    re.I,
)
#: A moment in a sentence, with its zone: "Limit resets at: 2026-10-06 19:55:28 UTC" (LiteLLM).
_AT = re.compile(
    r"\b(?:again|retry|resets?) (?:at|on|after):? (\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,9})?)"
    r" ?(Z|UTC|GMT|[+-]\d\d:\d\d)\b",
    re.I | re.A,
)
_WORD_PART = re.compile(rf"({_NUMBER})\s*(ms|milli|[smhd])", re.I)
#: One number with its unit written out, as a header's whole value.
_WORDED = re.compile(rf"{_NUMBER} ?(?:milliseconds?|seconds?|secs?|minutes?|mins?|hours?|hrs?|days?)", re.I)
#: The name of a field with its seconds, in a sentence.
_FIELD = re.compile(rf"\bretry[-_ ]?after\b['\"]?\s*[:=]?\s*['\"]?({_NUMBER})(?![\w.:-])", re.I)
#: Units in the languages of other servers, by their seconds; beside a number they stand for nothing but a time.
_HOURS = r"시간|小时|小時|時間|horas?|heures?|stunden?|час(?:а|ов)?|giờ"
_MINUTES = r"분|分钟|分鐘|分|minutos?|minuten|minuti|минут[аыу]?|phút"
_SECONDS = r"초|秒钟|秒鐘|秒|segundos?|secondes?|sekunden?|secondi|seconden|секунд[аыу]?|giây"
_ELSEWHERE_PART = re.compile(rf"({_NUMBER})\s*(?:({_HOURS})|({_MINUTES})|(?:{_SECONDS}))", re.I)
#: Several of them in a row; not of a rate ("60 a minute"), which stands before the wait.
_ELSEWHERE = re.compile(
    rf"(?<![每/매])(?:{_NUMBER}\s*(?:{_HOURS}|{_MINUTES}|{_SECONDS})\s*(?![당마]|間に|间内|内|毎|/))+", re.I
)

#: What a date may have for its zone: an offset, or one of the names that mean one. HTTP's dates are in GMT, and without
#: a zone too; any other name (``KST``) may stand for anything between two days.
_ZONE = re.compile(
    r"(?:(?:\b(?:GMT|UTC?|[ECMP][SD]T)|Z|[+-]\d\d:?\d\d|:\d\d(?:\.\d+)?| \d{4})|^\d{4}-\d\d-\d\d)$", re.I | re.A
)

#: A number larger than this is a moment in seconds since 1970, a larger still one in milliseconds.
_MOMENT, _MOMENT_MS = 1e9, 1e11


def wait_of(headers: Mapping[str, str], delay: str = "", text: str = "") -> float:
    """Return how many seconds to wait: what the server asks for, within bounds, else the default.

    A wish of zero or less is none: whoever obeys it asks in a hot loop, together with everybody else.

    Parameters:
      headers, delay, text: See :func:`asked_wait`.
    """
    asked = asked_wait(headers, delay, text)
    return DEFAULT_WAIT if asked is None else min(max(asked, SHORTEST_WAIT), LONGEST_WAIT)


def asked_wait(headers: Mapping[str, str], delay: str = "", text: str = "") -> float | None:
    """Return how many seconds the server asks to wait, more than zero; None where it does not say, or for ever.

    A moment is reckoned from the server's own ``date``, where it tells that: its clock may be another one than ours.

    Read in this order: ``retry-after-ms`` and Azure's ``x-ms-retry-after-ms``, ``retry-after`` (seconds, an HTTP date,
    or a duration), the error's own field (Google's ``retryDelay``), its sentence, and the longest ``ratelimit`` or
    ``x-ratelimit-reset-…`` of whatever has nothing remaining
    (https://platform.openai.com/docs/guides/rate-limits, "Rate limits in headers").

    Parameters:
      headers: Of the response; their names in lower case, or a case-insensitive mapping.
      delay: A field of the error that says how long.
      text: What the error says.
    """
    now = _moment(headers.get("date") or "") or time.time()
    milliseconds = (_number(headers.get(name)) for name in _MILLISECONDS)
    wishes = [None if each is None else each / 1000 for each in milliseconds]
    wishes += [_delay(headers.get(name), now) for name in _EXPLICIT]
    resets = (wait for wait in _resets(headers, now) if wait <= LONGEST_BELIEVED)
    wishes += [_delay(delay, now), _in_words(text, now), max(resets, default=None)]
    return next((wish for wish in wishes if wish is not None and 0 < wish <= LONGEST_BELIEVED), None)


def asks_to_wait(headers: Mapping[str, str]) -> bool:
    """Return whether a response asks to wait in a header that means nothing else."""
    return asked_wait({name: headers.get(name) or "" for name in (*_MILLISECONDS, *_EXPLICIT, "date")}) is not None


def rate_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return what a response says of the server's own limits, by names in lower case."""
    named = ((name.lower(), value) for name, value in headers.items())
    return {name: value for name, value in named if name.startswith("x-ratelimit-")}


def seconds_of(value: str | None) -> float | None:
    """Return the seconds of a number or a duration such as ``8.64s``, ``6m0s`` or ``1d2h``; None for anything else."""
    text = (value or "").strip()
    if len(text) > _LONGEST_VALUE:
        return None
    number = _number(text)
    return number if number is not None or not text else _duration(text)


def _resets(headers: Mapping[str, str], now: float) -> Iterator[float]:
    """Yield the waits for limits that are used up: of requests, of tokens, of a project's tokens, and others."""
    for name in headers:
        reset = _RESET.fullmatch(name.lower()) if len(name) <= _LONGEST_NAME else None
        if reset is None or (headers.get(f"{reset[1]}remaining{reset[2]}") or "0").strip() != "0":
            continue
        wait = _delay(headers.get(name), now)
        if wait is not None:
            yield wait
    for remaining, reset in _POLICY.findall(headers.get("ratelimit") or ""):
        if int(remaining) == 0:
            yield float(reset)


def _delay(value: str | None, now: float) -> float | None:
    """Return the seconds of a header's value; of one that came twice, or that has parameters, those of the first."""
    value = (value or "").strip()
    if len(value) > _LONGEST_VALUE:
        return None
    wait = _wait(value, now)
    return wait if wait is not None or not value else _wait(re.split("[,;]", value)[0].strip().strip('"'), now)


def _wait(value: str, now: float) -> float | None:
    wait = seconds_of(value)
    if wait is None and _WORDED.fullmatch(value):
        wait = _sum(_WORD_PART.findall(value))
    if wait is not None and not math.isinf(wait) and wait > _MOMENT:
        return wait / (1000 if wait > _MOMENT_MS else 1) - now
    if wait is not None or not value:
        return wait
    moment = _moment(value)
    return None if moment is None else moment - now


def _moment(value: str) -> float | None:
    """Return the seconds since 1970 of a date in HTTP's forms or in ISO's; None for anything else."""
    if not _ZONE.search(value := value.strip()):
        return None
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            moment = read(value)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            continue
    return None


def _in_words(text: str, now: float) -> float | None:
    if found := _AT.search(text):
        moment = _moment(found[1] + (found[2] if found[2][0] in "+-" else "Z"))
        return None if moment is None else moment - now
    if found := _IN_WORDS.search(text):
        return _sum(_WORD_PART.findall(found[1]))
    if found := _FIELD.search(text):
        return float(found[1])
    if found := _ELSEWHERE.search(text):
        parts = _ELSEWHERE_PART.findall(found[0])
        return sum(float(number) * (3600 if hours else 60 if minutes else 1) for number, hours, minutes in parts)
    return None


def _sum(parts: Iterable[tuple[str, str]]) -> float:
    return sum(float(number) * _UNITS[{"milli": "ms"}.get(unit.lower(), unit.lower())] for number, unit in parts)


def _duration(value: str) -> float | None:
    if value[:1] == "P":  # ISO 8601: PT1M30S
        value = value[1:].replace("T", "").lower()
    if _PART.sub("", value):
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(value))


def _number(value: str | None) -> float | None:
    try:
        number = float(value or "")
    except ValueError:
        return None
    return None if math.isnan(number) else number
