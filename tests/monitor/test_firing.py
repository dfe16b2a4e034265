"""Who watches the watcher: the first page and that of the schedule say that nobody fires what is due."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import httpx

from growbin_jobs.monitor.services import Services
from growbin_jobs.scheduler.presence import Presence
from growbin_jobs.scheduler.registry import Registry
from growbin_jobs.scheduler.rows import database_time
from growbin_jobs.scheduler.table import ONCE

PAGES = ("/", "/schedule")


def test_pages_say_that_nobody_fires_what_is_due(reader: httpx.Client, odd_services: Services) -> None:
    database = odd_services.database

    def said(words: str) -> list[bool]:
        return [words in reader.get(page).text for page in PAGES]

    assert said("No scheduler runs: nothing that comes due is sent.") == [True, True]

    registry = Registry(database, clock=lambda connection: database_time(connection) - timedelta(hours=1))
    registry.register(ONCE, ZoneInfo("Asia/Seoul"))
    assert said("and no scheduler runs. Start one") == [True, True]

    scheduler = Presence(database, "n1/1/a", "n1", "1")
    scheduler.run_once()
    assert said("Look into the log of the scheduler.") == [True, True]
    scheduler.leave()
