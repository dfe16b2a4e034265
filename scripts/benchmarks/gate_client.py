"""One process of ``scripts/bench gate``: threads that ask a limiter, and what they saw as JSON."""

import argparse
import contextlib
import json
import random
import threading
import time

from benchmarks.gate_limiters import LIMITERS, Ask

#: Most seconds of answers that are listed one by one.
_MOST_LISTED = 50_000


def main() -> None:
    """Ask for a while and print what was seen."""
    parser = argparse.ArgumentParser()
    parser.add_argument("limiter", choices=LIMITERS)
    parser.add_argument("address")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--most", type=int, required=True)
    parser.add_argument("--window", type=float, required=True)
    parser.add_argument(
        "--rate", type=float, default=0.0, help="questions a second of each thread; 0: as many as it can"
    )
    parser.add_argument("--start", type=float, required=True, help="when to begin, in seconds since 1970")
    parser.add_argument("--seconds", type=float, required=True)
    options = parser.parse_args()
    ask = LIMITERS[options.limiter](options.address, options.most, options.window)
    seen: list[tuple[float, float, bool]] = []
    errors: list[str] = []
    threads = [
        threading.Thread(target=_ask_again_and_again, args=(ask, options, seen, errors)) for _ in range(options.threads)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Of grants alone: a limiter that refuses because a lock of its own is taken has decided nothing.
    took = [seconds for _, seconds, granted in seen if granted]
    granted = [at for at, _, granted in seen if granted]
    print(json.dumps({"took": took[:_MOST_LISTED], "granted": granted, "errors": errors[:1]}))


def _ask_again_and_again(
    ask: Ask, options: argparse.Namespace, seen: list[tuple[float, float, bool]], errors: list[str]
) -> None:
    with contextlib.suppress(Exception):
        ask()  # connects, and lets the server plan: no part of what is measured
    time.sleep(max(0.0, options.start - time.time()))
    ends, due = time.monotonic() + options.seconds, time.monotonic()
    while True:
        if options.rate:
            # By chance, as requests come that do not know of each other: clients in step would ask all at once.
            due += random.expovariate(options.rate)
            time.sleep(max(0.0, min(due, ends) - time.monotonic()))
        if (began := time.monotonic()) >= ends:
            return
        try:
            granted = ask()
        except Exception as error:
            errors.append(f"{type(error).__name__}: {str(error)[:100]}")
            granted = False
        seen.append((time.time(), time.monotonic() - began, granted))


if __name__ == "__main__":
    main()
