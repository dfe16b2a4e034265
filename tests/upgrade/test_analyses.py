"""Analyses pass through workers of both releases at once, whoever has submitted them, and a rollback finishes them."""

import json
import time
from contextlib import closing
from pathlib import Path

import pytest
from tests.upgrade.conftest import SERVERS, on

from growbin_jobs.models.analysis import WasteAnalysis
from growbin_jobs.settings import Settings, load
from growbin_jobs.states import AnalysisStatus
from growbin_jobs.wiring import central_database

PHOTOS = sorted((Path(__file__).parents[3] / "shared" / "photos" / "train").rglob("*.jpg"))

pytestmark = [pytest.mark.timeout(280), pytest.mark.before_release]


def submit(node, release, photos):
    """Submit photos with a release's command; return the ids of the analyses."""
    lines = node.command(release, "analyze", "--no-wait", "--json", *map(str, photos)).splitlines()
    return [json.loads(line)["id"] for line in lines]


def await_completed(node, ids, seconds=120, until_any=False):
    known = {Settings.variable(name): name for name in Settings.model_fields}
    settings = load(**{known[key]: value for key, value in node.env("new").items() if key in known})
    with closing(central_database(settings, upgraded=False)) as database:
        end = time.monotonic() + seconds
        while True:
            # Only what the older release's schema has, too.
            rows = database.rows(WasteAnalysis.select(WasteAnalysis.id, WasteAnalysis.status))
            found = {row["id"]: AnalysisStatus(row["status"]) for row in rows}
            reached = [found.get(key) for key in ids]
            if set(reached) == {AnalysisStatus.COMPLETED} or (until_any and AnalysisStatus.COMPLETED in reached):
                return
            assert AnalysisStatus.FAILED not in reached
            assert time.monotonic() < end, f"{reached}\n{node.logs()}"
            time.sleep(0.1)


@on(SERVERS)
def test_analyses_of_both_releases_pass_through_workers_of_both(node):
    # Told to start on a newer schema, that older release would refuse; releases since then do not.
    old = [node.work("old", "storage"), node.work("old", "ai")]
    first = submit(node, "old", PHOTOS[:3])
    await_completed(node, first, until_any=True)
    node.command("new", "db", "upgrade")
    new = [node.work("new", "storage"), node.work("new", "ai")]
    await_completed(node, first + submit(node, "new", PHOTOS[3:6]) + submit(node, "old", PHOTOS[6:9]))

    last = submit(node, "new", PHOTOS[9:12])
    for worker in new:
        node.stop(worker)
    await_completed(node, last)
    for worker in old:
        node.stop(worker)
