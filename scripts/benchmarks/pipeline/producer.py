"""Hands photos in, here or on Celery: ``python -m benchmarks.pipeline.producer SYSTEM``.

Each line of its input is ``{"jobs": [[analysis_id, user_id, path], …], "rate": per second or 0}``; the line that
answers it says which CPU time that took.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

THREADS = 4

Submit = Callable[[str, str, str], object]


def ours() -> Submit:
    """Return how our producers do it."""
    from growbin_jobs.client import submit_analysis

    return lambda analysis_id, user_id, path: submit_analysis(user_id, path, analysis_id=analysis_id)


def celery() -> Submit:
    """Return how Celery's do it: row, picture, message."""
    from benchmarks.pipeline.celery_worker import QUEUES, app, s3, save

    s3()

    def submit(analysis_id: str, user_id: str, path: str) -> None:
        save(
            "INSERT INTO waste_analysis (id, user_id, status, created_at) VALUES (%s, %s, 'pending', clock_timestamp())"
            " ON CONFLICT DO NOTHING",
            analysis_id, user_id,
        )  # fmt: skip
        key = f"spool/{analysis_id}"
        s3().put_object(Bucket=os.environ["BENCH_BUCKET"], Key=key, Body=Path(path).read_bytes())
        app.send_task("upload", args=(user_id, key, analysis_id), queue=QUEUES[0])

    return submit


def main() -> None:
    """Serve until the input ends."""
    submit = (ours if sys.argv[1] == "growbin_jobs" else celery)()
    with ThreadPoolExecutor(THREADS) as threads:
        for line in sys.stdin:
            order = json.loads(line)
            began, cpu, handed = time.monotonic(), time.process_time(), []
            for number, job in enumerate(order["jobs"]):
                if order["rate"]:
                    time.sleep(max(0.0, began + number / order["rate"] - time.monotonic()))
                handed.append(threads.submit(submit, *job))
            for one in handed:
                one.result()
            print(json.dumps({"cpu": time.process_time() - cpu, "seconds": time.monotonic() - began}), flush=True)


if __name__ == "__main__":
    main()
