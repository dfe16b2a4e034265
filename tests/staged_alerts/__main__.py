"""Runs plays, and says how many of the project's alerts were seen to fire."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from staged_alerts import broker, nodes, paid, schedule, work
from staged_alerts.play import FACTOR, INTERVAL, Play, run
from staged_alerts.prometheus import alert_names

PLAYS: tuple[Play, ...] = (*work.PLAYS, *paid.PLAYS, *nodes.PLAYS, *schedule.PLAYS, *broker.PLAYS)


def main(arguments: list[str]) -> int:
    """Run the plays that are named, or all; return 1 where an alert was missing or wrong."""
    parser = argparse.ArgumentParser(prog="scripts/stage_alerts", description=__doc__)
    parser.add_argument("plays", nargs="*", metavar="PLAY", help=", ".join(play.name for play in PLAYS))
    named = parser.parse_args(arguments).plays or [play.name for play in PLAYS]
    known = {play.name: play for play in PLAYS}
    if unknown := set(named) - set(known):
        parser.error(f"there is no play {', '.join(sorted(unknown))}")
    print(f"Everything that lasts in the rules is divided by {FACTOR}; scrapes each {INTERVAL} s.")
    fired, failed = frozenset[str](), 0
    for name in named:
        began = time.monotonic()
        try:
            with tempfile.TemporaryDirectory(prefix="growbin-alerts-") as folder:
                for seen in run(known[name], Path(folder)):
                    fired |= seen.stage.fires
        except AssertionError as error:
            failed += 1
            print(error)
        print(f"{name}: {time.monotonic() - began:.0f} s", flush=True)
    print(f"Seen to fire: {len(fired)} of {len(alert_names())} alerts.")
    if missing := alert_names() - fired:
        print(f"Not seen: {', '.join(sorted(missing))}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
