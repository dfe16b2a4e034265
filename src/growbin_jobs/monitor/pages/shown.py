"""How values look on pages: times in the reader's zone, durations, numbers, and text whose order nothing can change."""

import re
import unicodedata
from datetime import UTC, datetime
from typing import Any, Final

from markupsafe import Markup, escape

#: Bidirectional controls (UAX #9, section 2) and what else cannot be seen: shown by their names.
_UNSEEN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)


def visible(value: object) -> Markup:
    """Return a foreign text as HTML: isolated in its direction, with controls and lone surrogates written out."""
    shown = str(escape(str(value)))
    return Markup(f'<bdi dir="auto">{_UNSEEN.sub(_named, shown)}</bdi>')  # noqa: S704 escaped in the line above


def moment(value: datetime | str | float | None) -> Markup:
    """Return a time as HTML: a script shows it in the reader's zone, without one it is UTC."""
    if value is None:
        return Markup('<span class="none">–</span>')
    if isinstance(value, int | float):
        value = datetime.fromtimestamp(value, UTC)
    elif isinstance(value, str):
        value = datetime.fromisoformat(value)
    exact = value.astimezone(UTC).isoformat(timespec="milliseconds")
    read = f"{exact[:10]} {exact[11:19]} UTC"  # strftime takes three times as long, and a page has hundreds
    return Markup(f'<time datetime="{exact}" title="{read}">{read}</time>')  # noqa: S704 digits and signs of ours


def duration(seconds: float | None) -> str:
    """Return a duration for people, such as ``340 ms``, ``12.4 s``, ``3 min 20 s`` or ``2 d 4 h``; never negative."""
    if seconds is None:
        return "–"
    seconds = max(0.0, seconds)
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    for unit, size, smaller, part in (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if seconds >= size - 0.5 * part:
            whole, rest = divmod(round(seconds / part), size // part)
            return f"{whole} {unit}" + (f" {rest} {smaller}" if rest else "")
    raise AssertionError(seconds)


def number(value: float | None) -> str:
    """Return a number with thousands separated, such as ``12,345`` or ``0.25``."""
    if value is None:
        return "–"
    return f"{value:,d}" if isinstance(value, int) else f"{value:,.2f}".rstrip("0").rstrip(".")


def _named(found: re.Match[str]) -> str:
    sign = found[0]
    name = unicodedata.name(sign, "") or f"U+{ord(sign):04X}"
    return f'<span class="unseen" title="{name}">U+{ord(sign):04X}</span>'


FILTERS: Final[dict[str, Any]] = {"visible": visible, "moment": moment, "duration": duration, "number": number}
