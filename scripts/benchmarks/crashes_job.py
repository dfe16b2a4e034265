"""What a stage of ``scripts/bench crashes`` does, whoever runs it: it waits, and leaves a line before and after."""

import os
import time

#: Vision and text.
QUEUES = ("crash_vision", "crash_text")


def wait(stage: str, job: int) -> None:
    """Wait as long as the stage's model takes."""
    note("begin", stage, job)
    time.sleep(float(os.environ[f"BENCH_{stage.upper()}"]))
    note("end", stage, job)


def note(what: str, stage: str, job: int) -> None:
    """Append a line in one write: it outlives the process, and lines of many processes do not mingle."""
    descriptor = os.open(os.environ["BENCH_RUNS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, f"{what} {stage} {job} {time.time()}\n".encode())
    os.close(descriptor)
