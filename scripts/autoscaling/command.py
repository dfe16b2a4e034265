"""The command line of scripts/simulate_autoscaling."""

import argparse
import json
import sys
from dataclasses import asdict

from autoscaling.simulation import Moment, external_target, play, scaler
from autoscaling.workers import Group
from growbin_jobs.names import AI, STORAGE

_EXAMPLES = """\
examples:
  scripts/simulate_autoscaling                                 steady load, then ten times as much for 15 minutes
  scripts/simulate_autoscaling --signal length                 why a queue's length of 100 a pod is no target
  scripts/simulate_autoscaling --group ai --limit 100          a limit of paid calls holds the work: no pod is added
  scripts/simulate_autoscaling --load 0.6 --burst 1 --json | jq '.[-1].pods'
"""


def groups(name: str, limit: float | None = None) -> Group:
    """Return a group with the slots and the prefetch of the code's table.

    Parameters:
      name: ``storage`` or ``ai``.
      limit: Paid calls a minute of all pods together; None: no limit.
    """
    of = {"storage": STORAGE, "ai": AI}[name]
    slots = of.processes * of.threads
    seconds = 2 if name == "storage" else 30
    return Group(slots=slots, prefetch=int(slots * of.prefetch_factor), seconds=seconds, calls_per_minute=limit)


def main() -> int:
    """Play, print, and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="scripts/simulate_autoscaling", epilog=_EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Play the autoscaler of manifests/base against a load.",
    )  # fmt: skip
    parser.add_argument("--group", choices=("storage", "ai"), default="storage")
    parser.add_argument("--load", type=float, default=1.0, help="steady load, in pods' capacity (1)")
    parser.add_argument("--burst", type=float, default=10.0, help="times the steady load (10)")
    parser.add_argument("--minutes", type=float, default=15.0, help="that the burst lasts (15)")
    parser.add_argument("--limit", type=float, help="paid calls a minute of all pods together")
    parser.add_argument("--signal", choices=("slots", "length"), default="slots")
    parser.add_argument("--json", action="store_true", help="print one JSON list")
    options = parser.parse_args()

    group = groups(options.group, options.limit)
    steady = options.load * group.capacity
    begin, end = 600, 600 + int(60 * options.minutes)
    spec = scaler(f"growbin-{options.group}")
    moments = play(
        group, spec, lambda now: steady * (options.burst if begin <= now < end else 1), end + 2400, options.signal
    )
    if options.json:
        json.dump([asdict(moment) for moment in moments], sys.stdout)
        return 0
    target = external_target(spec) if options.signal == "slots" else 100
    print(f"{options.group}: {group.slots} slots, prefetch {group.prefetch}, {group.seconds} s a message")
    print(f"target {target:g} a pod; burst from {begin} s to {end} s")
    print(f"{'time':>8} {'pods':>5} {'ready':>9} {'held':>9} {'busy':>9}")
    last = None
    for moment in moments:
        if moment.pods != last or moment.at % 300 == 0:
            print(_line(moment))
        last = moment.pods
    return 0


def _line(moment: Moment) -> str:
    return (
        f"{moment.at:>6} s {moment.pods:>5} {moment.ready:>9.0f} {moment.unacknowledged:>9.0f} {moment.busy:>9.0f}   "
        + "▇" * moment.pods
    )
