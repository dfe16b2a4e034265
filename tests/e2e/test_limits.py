"""The limits of paid calls in whole stacks: kept by all processes together, and each message is delivered once."""

import sqlite3
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from tests.whole import WHOLE

from growbin_jobs.limits.named import named_limits
from growbin_jobs.limits.provision import provision_of
from growbin_jobs.rates import Rate
from growbin_jobs.settings import load
from growbin_jobs.states import AnalysisStatus

#: Requests a minute; the spacing is 61 s / 150.
LIMIT, SPACING = 150, 61 / 150

EMBEDDED, CLUSTERED = "embedded_online", pytest.param("clustered", marks=pytest.mark.services)


def on(usual):
    """On one kind of stack, or on both: tests/contract and tests/proof have the limits on both databases."""
    return pytest.mark.parametrize("either", [EMBEDDED, CLUSTERED] if WHOLE else [usual], indirect=True)


@on(CLUSTERED)
def test_processes_keep_a_limit_together_and_who_waits_keeps_its_delivery(either, openai, photos):
    number = 40 if WHOLE else 16
    either.env |= {"GROWBIN_VISION_LIMIT": str(LIMIT), "GROWBIN_TEXT_LIMIT": "0"}
    ids = either.submit(photos[:number])
    told = "SELECT count(*) FROM tasks WHERE status = 'pending'"
    pending = either.database.run(lambda connection: connection.execute_sql(told).fetchone())[0]
    # No worker and no keeper lives yet. RabbitMQ's queues cannot be read; the embedded one's are, by the keeper.
    assert pending == (number if "GROWBIN_BROKER_URL" in either.env else 0)
    began = time.monotonic()
    either.start(processes=2, threads=6, greenlets=False)

    done = either.wait(list(ids), timeout=240)

    lasted = time.monotonic() - began
    assert Counter(analysis.status for analysis in done.values()) == {AnalysisStatus.COMPLETED: number}
    assert openai.stats()["vision"] == number
    assert lasted >= (number - 1) * SPACING, "or the limit was not kept"
    assert either.stop() == {"storage": 0, "ai": 0}
    # Those that had begun before enough threads waited went back, once for each process's start and queue.
    returned = either.log("ai").count("message.requeued actor=analyze_image")
    assert returned <= 2 * 2 * 6
    assert "message.deferred" not in either.log("ai")
    rows = either.database.run(
        lambda connection: connection.execute_sql(
            "SELECT retry_count, deferrals FROM tasks WHERE task_name = 'analyze_image'"
        ).fetchall()
    )
    assert Counter(map(tuple, rows)) == {(0, 0): number}
    used = either.database.run(
        lambda connection: connection.execute_sql("SELECT name, sum(units) FROM limit_minute GROUP BY name").fetchall()
    )
    assert {name: int(units) for name, units in used} == {"vision": number}
    [journal] = Path(either.env["GROWBIN_DATA_DIR"]).glob("*/task_queue.db")
    with closing(sqlite3.connect(journal)) as read:
        by_minute = read.execute("SELECT api, sum(count) FROM rate_limit_log GROUP BY api").fetchall()
    assert by_minute == [("vision", number)]


@on(EMBEDDED)
def test_a_limit_that_is_lowered_and_raised_while_workers_restart_loses_no_message_and_lets_none_die_of_age(
    either, openai, photos
):
    """They wait for longer than a message may otherwise be put off, and no thread waits so long: the queue does."""
    number = 12
    either.env |= {
        "GROWBIN_VISION_LIMIT": "600",
        "GROWBIN_LIMIT_PATIENCE": "1",
        "GROWBIN_DEFERRAL_MAX_AGE": "1",
        "GROWBIN_VISION_RETRIES": "0",
    }
    limits = provision_of(either.database, named_limits(load(vision_limit=600)))
    limits.make_configured()
    limits.set("vision", Rate(20))
    ids = either.submit(photos[:number])
    either.start(threads=4, greenlets=False)
    either.wait_for_some(ids, AnalysisStatus.CLASSIFIED, 3, timeout=120)  # the third goes six seconds after the first
    assert either.stop() == {"storage": 0, "ai": 0}
    asked = openai.stats()["vision"]
    either.start(threads=4, greenlets=False)

    limits.set("vision", Rate(1200))
    done = either.wait(list(ids), timeout=120)

    assert asked < number, "the lower limit held"
    assert Counter(analysis.status for analysis in done.values()) == {AnalysisStatus.COMPLETED: number}
    assert openai.stats()["vision"] == number, "asked for each once"
    rows = either.database.run(
        lambda connection: connection.execute_sql(
            "SELECT retry_count, deferrals FROM tasks WHERE task_name = 'analyze_image'"
        ).fetchall()
    )
    assert {retries for retries, _ in rows} == {0}
    assert any(deferrals for _, deferrals in rows), "some were put off, for longer than GROWBIN_DEFERRAL_MAX_AGE"
