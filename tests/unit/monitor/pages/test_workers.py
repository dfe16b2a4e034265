"""The page of workers where pods come and go: the living, and a fold of those that are gone that stays small."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.monitor.data import put, worker
from tests.upgraded import upgrade

from growbin_jobs.engine.central.workers import WorkerRow, Workers
from growbin_jobs.models import SCHEMA


def test_500_pods_that_are_gone_are_a_fold_of_50(signed_in, services):
    upgrade(services.database, SCHEMA)
    now = datetime.now(UTC)
    workers = Workers(services.database)
    workers.report("alive", [worker("alive", now)], unsynced=0, owed=0, at=now + timedelta(minutes=10))
    workers.report("pod-000", [worker("pod-000", now)], unsynced=0, owed=0, at=now)
    workers.report("pod-000", [], unsynced=0, owed=0, at=now)
    (gone,) = services.database.rows(WorkerRow.select().where(WorkerRow.node == "pod-000"))
    put(
        services.database,
        WorkerRow,
        [gone | {"node": f"pod-{n:03}", "stopped_at": now - timedelta(minutes=n)} for n in range(1, 500)],
    )

    client = signed_in("vera")
    page, figures = client.get("/workers"), client.get("/metrics")

    assert "500 groups are gone" in page.text
    assert ("pod-049" in page.text, "pod-050" in page.text, "alive" in page.text) == (True, False, True)
    assert len(page.content) < 300_000
    assert ("pod-" in figures.text, 'flower_worker_online{worker="storage@alive"} 1.0' in figures.text) == (False, True)
    assert len(client.get("/api/v2/workers").json()["gone"]) == 500
