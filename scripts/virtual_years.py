"""Run the whole schedule through a year, or until so many due times, and check each effect by the second algorithm.

Examples:
  scripts/virtual_year
  scripts/virtual_year --zone Africa/Cairo --year 2027
  scripts/virtual_year --zone Asia/Seoul --all --days 45   # more than 10,000 due times
"""

import argparse
import sys
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from tests.virtual_schedule import ZONES, VirtualSchedule

from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.engine.central.upgrade import upgrade
from growbin_jobs.engine.periodic.cron import Every
from growbin_jobs.models import SCHEMA
from growbin_jobs.scheduler.table import ONCE


def main() -> int:
    """Return 0 where each due time has had one effect."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--zone", action="append", help="default: six zones")
    parser.add_argument("--year", type=int, default=2026)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--all", action="store_true", help="the checks of each 10 and 15 minutes, too")
    parser.add_argument("--database", help="postgresql://…; default: a SQLite file for each zone")
    arguments = parser.parse_args()
    wrong = 0
    for zone in arguments.zone or ZONES:
        wrong += year(zone, arguments)
    return min(wrong, 1)


def year(name: str, arguments: argparse.Namespace) -> int:
    """Run one year in a zone, print a line, and return how many due times went wrong."""
    jobs = [job for job in ONCE if arguments.all or not isinstance(job.when, Every)]
    began, since = time.process_time(), datetime(arguments.year, 1, 1, 12, tzinfo=UTC)
    with tempfile.TemporaryDirectory() as folder:
        database = open_database(arguments.database, default_path=Path(folder) / "central.db", pool_size=2, timeout=60)
        with closing(database):
            upgrade(database, SCHEMA)
            world = VirtualSchedule(database, jobs, ZoneInfo(name), since)
            until = since + timedelta(days=arguments.days)
            dues = world.run(until)
            findings = world.findings(since, until)
    twice = sum(count != 1 for count in world.effects.values())
    for finding in findings[:10]:
        print(f"  {finding.kind} {finding.job} {finding.due.isoformat()}: {finding.detail}")
    print(
        f"{name}: {dues} due times, {len(world.effects)} effects, {twice} of them not once, {world.deliveries}"
        f" deliveries, {len(findings)} findings, {time.process_time() - began:.1f} s of CPU"
    )
    return twice + len(findings) + abs(dues - len(world.effects))


if __name__ == "__main__":
    sys.exit(main())
