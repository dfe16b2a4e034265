"""Runs code in processes that may take little memory: a program that loads everything once, and forks for each.

A line of stdin is megabytes and code in JSON, a line of stdout what became of it: an exit code and what was printed.
"""

import json
import os
import resource
import sys
import tempfile
import traceback

import hostile

from growbin_jobs.adapters.pictures import prepare
from growbin_jobs.errors import GrowbinError


def verdict(data: bytes) -> str | None:
    """The code of the refusal, or the class of another error of ours; None for a picture."""
    try:
        prepare(data)
    except GrowbinError as error:
        return getattr(error, "code", type(error).__name__)
    return None


def limited(megabytes: int, code: str) -> None:
    """Run code with so many megabytes of address space more than are taken now."""
    with open("/proc/self/statm") as file:
        now = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + megabytes * 1_000_000,) * 2)
    exec(code, {"verdict": verdict, "hostile": hostile, "samples": SAMPLES, "resource": resource})


def forked(megabytes: int, code: str) -> tuple[int, str]:
    """Return how a fork that runs the code ends, and what it has printed."""
    with tempfile.TemporaryFile("w+") as printed:
        child = os.fork()
        if child == 0:
            os.dup2(printed.fileno(), 1)
            os.dup2(printed.fileno(), 2)
            try:
                limited(megabytes, code)
                sys.stdout.flush()
            except BaseException:
                traceback.print_exc()
                sys.stderr.flush()
                os._exit(1)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        printed.seek(0)
        return os.waitstatus_to_exitcode(status), printed.read()


for kind in ("JPEG", "PNG", "WEBP"):  # everything imported and warm before the limit
    verdict(hostile.encoded(hostile.scene(), kind))
SAMPLES = list(hostile.bombs())

if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(forked(*json.loads(line))), flush=True)
