"""``scripts/bench images``: stage 1's pictures against the naive way."""

import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks import phone_photos, report
from benchmarks.picture_ways import HUB_JOBS, POOL_THREADS, WAYS, in_a_process

#: What is asked for, on 12 and 24 MP phone photos.
TARGETS = {"speedup": 3.0, "peak_mb": 60.0, "lag_p99_ms": 20.0}

HUB_WAYS = {
    "idle": "no pictures",
    "ours-inline": "ours, on the hub",
    "naive": "naive, in the pool",
    "ours": "ours, in the pool",
}


def command(
    passes: Annotated[int, typer.Option(help="Rounds over all photos and ways; the median counts.", min=1)] = 7,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> None:
    """Time, memory and hub lag of making both pictures of a phone photo.

    \b
    The passes are interleaved, so that a busy moment of the machine hits both ways. Speedup is the median over
    the passes of naive CPU time / our CPU time. Photos: ../shared/photos/phone if it is there, else made up.

    \b
    Examples:
      scripts/bench images
      scripts/bench images --passes 15
      scripts/bench images --json | python3 -m json.tool
    """
    results: dict[str, Any] = {"machine": report.machine(), "targets": TARGETS, "passes": passes}
    report.note("Making photos…")
    photos = phone_photos.make()
    report.note("Timing…")
    results["time"] = list(_times(photos, passes))
    report.note("Measuring memory and hub lag…")
    with tempfile.TemporaryDirectory() as folder:
        files = {name: Path(folder, f"{name}.jpg") for name in photos}
        for name, file in files.items():
            file.write_bytes(photos[name])
        results["memory"] = [
            {"photo": name, **{way: in_a_process("memory", way, file)["peak_mb"] for way in WAYS}}
            for name, file in files.items()
        ]
        results["hub"] = list(_lags(files, passes=min(passes, 3)))
    if as_json:
        report.dump(results)
    else:
        _show(results)


def _times(photos: dict[str, bytes], passes: int) -> Iterator[dict[str, Any]]:
    taken: dict[tuple[str, str], list[tuple[float, float]]] = {(photo, way): [] for photo in photos for way in WAYS}
    for _ in range(passes + 1):
        for (photo, way), times in taken.items():
            wall, cpu = time.perf_counter(), time.process_time()
            WAYS[way](photos[photo])
            times.append(((time.perf_counter() - wall) * 1e3, (time.process_time() - cpu) * 1e3))
    for photo, data in photos.items():
        naive, ours = (taken[photo, way][1:] for way in ("naive", "ours"))  # the first pass warms up
        ratios = sorted(slow[1] / fast[1] for slow, fast in zip(naive, ours, strict=True))
        yield {
            "photo": photo,
            "bytes": len(data),
            "naive_wall_ms": statistics.median(wall for wall, _ in naive),
            "naive_cpu_ms": statistics.median(cpu for _, cpu in naive),
            "ours_wall_ms": statistics.median(wall for wall, _ in ours),
            "ours_cpu_ms": statistics.median(cpu for _, cpu in ours),
            "speedup": statistics.median(ratios),
            "speedup_min": ratios[0],
            "speedup_max": ratios[-1],
        }


def _lags(files: dict[str, Path], passes: int) -> Iterator[dict[str, Any]]:
    rows: dict[tuple[str, str], list[dict[str, float]]] = {
        (photo, way): [] for photo in ("12 MP", "24 MP") for way in HUB_WAYS
    }
    for _ in range(passes):
        for (photo, way), runs in rows.items():
            runs.append(in_a_process("hub", way, files[photo]))
    for (photo, way), runs in rows.items():
        yield {"photo": photo, "way": way} | {key: statistics.median(run[key] for run in runs) for key in runs[0]}


def _show(results: dict[str, Any]) -> None:
    report.show(
        f"Time of one picture and its thumbnail, ms (median of {results['passes']} passes); asked: "
        f"{TARGETS['speedup']:g} times faster",
        ["photo", "MB", "naive wall", "naive CPU", "ours wall", "ours CPU", "speedup", "from", "to"],
        [
            [row["photo"], row["bytes"] / 1e6, *(value for key, value in row.items() if key not in ("photo", "bytes"))]
            for row in results["time"]
        ],
    )
    report.show(
        f"Peak memory above baseline, MB; asked: below {TARGETS['peak_mb']:g}",
        ["photo", "naive", "ours"],
        [list(row.values()) for row in results["memory"]],
    )
    report.show(
        f"gevent: {HUB_JOBS} pictures, pool of {POOL_THREADS} threads, lag of a 5 ms heartbeat, ms; asked: p99 below "
        f"{TARGETS['lag_p99_ms']:g}",
        ["way", "photo", "pictures/s", "p50", "p99", "max"],
        [
            [
                HUB_WAYS[row["way"]],
                row["photo"],
                "–" if row["way"] == "idle" else row["pictures_per_second"],
                row["lag_p50_ms"],
                row["lag_p99_ms"],
                row["lag_max_ms"],
            ]
            for row in results["hub"]
        ],
    )
