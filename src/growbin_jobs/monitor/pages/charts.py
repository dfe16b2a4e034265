"""What charts are drawn from: series for the script, sparklines as SVG that needs none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from markupsafe import Markup

from growbin_jobs.engine.central.queue_minutes import QueueMinute
from growbin_jobs.operations.readable_json import strict
from growbin_jobs.operations.run_figures import MinutePoint

#: Size of a sparkline, in pixels.
WIDTH, HEIGHT = 120, 28


def throughput(minutes: Sequence[MinutePoint], words: Any) -> str:
    """Return the series of runs that ended, as JSON for ``js/charts.js``."""
    return _chart(
        minutes,
        [
            (words("chart.done"), "good", [point.done for point in minutes]),
            (words("chart.failed"), "waiting", [point.failed for point in minutes]),
            (words("chart.dead"), "bad", [point.dead for point in minutes]),
        ],
        kind="bars",
    )


def times(minutes: Sequence[MinutePoint], words: Any) -> str:
    """Return the series of waits and runs in seconds, as JSON for ``js/charts.js``."""
    return _chart(
        minutes,
        [
            (words("chart.run_p50"), "accent", [point.spreads.run_p50 for point in minutes]),
            (words("chart.run_p95"), "busy", [point.spreads.run_p95 for point in minutes]),
            (words("chart.wait_p95"), "waiting", [point.spreads.wait_p95 for point in minutes]),
        ],
        kind="lines",
        unit="s",
    )


def depths(rows: Sequence[QueueMinute]) -> str:
    """Return what waited in the deepest queues, as JSON for ``js/charts.js``; a minute without a row has no point."""
    colours = ("accent", "busy", "waiting", "lost", "bad")
    sums: Counter[str] = Counter()
    for row in rows:
        sums[row.queue_name] += row.ready
    times = sorted({row.minute for row in rows})
    known = {(row.queue_name, row.minute): row.ready for row in rows}
    deepest = [name for name, _ in sums.most_common(len(colours))]
    series = [
        {"label": name, "colour": colour, "values": [known.get((name, at)) for at in times]}
        for name, colour in zip(deepest, colours, strict=False)
    ]
    return strict({"kind": "lines", "unit": "", "x": [at.timestamp() for at in times], "series": series})


def sparkline(values: Iterable[float], label: str) -> Markup:
    """Return a small picture of a trend.

    Parameters:
      values: Oldest first.
      label: For those who do not see it.
    """
    known = list(values)
    most = max([*known, 1])
    # One path of numbers alone: an element for each bar would be most of a page of many trends, and of its time.
    begins, end = _columns(len(known))
    bars = "".join([f"{begin}{_height(value, most):.1f}{end}" for begin, value in zip(begins, known, strict=True)])
    return Markup(
        '<svg class="spark" viewBox="0 0 {} {}" width="{}" height="{}" role="img" aria-label="{}"><path d="{}"/></svg>'
    ).format(WIDTH, HEIGHT, WIDTH, HEIGHT, label, bars)


@lru_cache(maxsize=100)  # the trends of a page have the same number of bars
def _columns(number: int) -> tuple[list[str], str]:
    """Return how the path of each bar begins, and how all end."""
    width = WIDTH / max(number, 1)
    return [f"M{at * width:.1f} {HEIGHT}v-" for at in range(number)], f"h{max(width - 1, 0.5):.1f}V{HEIGHT}z"


def _height(value: float, most: float) -> float:
    return 1.0 if value <= 0 else max(2.0, value / most * HEIGHT)


def _chart(
    minutes: Sequence[MinutePoint], series: Sequence[tuple[str, str, list[Any]]], *, kind: str, unit: str = ""
) -> str:
    return strict(
        {
            "kind": kind,
            "unit": unit,
            "x": [point.at.timestamp() for point in minutes],
            "series": [{"label": label, "colour": colour, "values": values} for label, colour, values in series],
        }
    )
