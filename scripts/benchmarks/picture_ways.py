"""The two ways of stage 1 that are compared, and what each does to memory and to gevent's hub.

The last two are measured in a process of their own: ``python -m benchmarks.picture_ways memory|hub WAY FILE``.
"""

import io
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HUB_JOBS = 16
HEARTBEAT = 0.005
POOL_THREADS = 2


def naive(data: bytes) -> tuple[bytes, bytes]:
    """The way that comes to mind first."""
    from PIL import Image, ImageOps

    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    image.thumbnail((2048, 2048), Image.Resampling.LANCZOS)
    small = image.copy()
    small.thumbnail((300, 300), Image.Resampling.LANCZOS)
    files = []
    for picture in (image, small):
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=85)
        files.append(buffer.getvalue())
    return files[0], files[1]


def ours(data: bytes) -> tuple[bytes, bytes]:
    """What stage 1 does, its checks included."""
    from growbin_jobs.adapters.pictures import prepare

    prepared = prepare(data)
    return prepared.original, prepared.thumbnail


WAYS: dict[str, Callable[[bytes], tuple[bytes, bytes]]] = {"naive": naive, "ours": ours}


def in_a_process(what: str, way: str, photo: Path) -> dict[str, Any]:
    """Run :func:`memory` or :func:`hub` in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.picture_ways", what, way, str(photo)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - our own module
    results: dict[str, Any] = json.loads(done.stdout)
    return results


def memory(way: str, photo: Path) -> dict[str, float]:
    """Peak resident memory of one picture, above that of a process which has everything loaded, in MB."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", (64, 64)).save(buffer, "JPEG")
    WAYS[way](buffer.getvalue())
    data = photo.read_bytes()
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before = _peak()
    WAYS[way](data)
    return {"peak_mb": (_peak() - before) / 1e6}


def _peak() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def hub(way: str, photo: Path) -> dict[str, float]:
    """How late a greenlet that wakes every 5 ms is while pictures are made.

    ``ours-inline`` makes them on the hub itself; ``idle`` makes none: what the machine does to the heartbeat anyway.
    """
    import gevent.monkey

    gevent.monkey.patch_all()
    import gevent

    from growbin_jobs.engine.threads import offload_to

    name, _, inline = way.partition("-")
    make = WAYS.get(name, _idle)
    data, late, done = photo.read_bytes(), [], False
    make(data)

    def heart() -> None:
        while not done:
            begin = time.perf_counter()
            time.sleep(HEARTBEAT)
            late.append(time.perf_counter() - begin - HEARTBEAT)

    def job() -> None:
        if inline:
            make(data)
        else:
            offload_to("pictures", POOL_THREADS, make, data)

    heartbeat = gevent.spawn(heart)
    gevent.sleep(0.1)
    late.clear()
    begin = time.perf_counter()
    gevent.joinall([gevent.spawn(job) for _ in range(HUB_JOBS)], raise_error=True)
    took = time.perf_counter() - begin
    done = True
    heartbeat.join()
    ordered = sorted(late)
    return {
        "pictures_per_second": HUB_JOBS / took,
        "lag_p50_ms": ordered[len(ordered) // 2] * 1e3,
        "lag_p99_ms": ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)] * 1e3,
        "lag_max_ms": ordered[-1] * 1e3,
    }


def _idle(_data: bytes) -> None:
    time.sleep(0.1)


if __name__ == "__main__":
    print(json.dumps({"memory": memory, "hub": hub}[sys.argv[1]](sys.argv[2], Path(sys.argv[3]))))
