"""The limits of paid calls in whole stacks: kept by all processes together, and each message is delivered once."""

import time
from collections import Counter

import pytest

from growbin_jobs.states import AnalysisStatus

#: Requests a minute; the spacing is 61 s / 150.
LIMIT, SPACING = 150, 61 / 150


@pytest.mark.parametrize(
    "either", ["embedded_online", pytest.param("clustered", marks=pytest.mark.services)], indirect=True
)
def test_processes_keep_a_limit_together_and_who_waits_keeps_its_delivery(either, openai, photos):
    number = 40
    either.env |= {"GROWBIN_VISION_LIMIT": str(LIMIT), "GROWBIN_TEXT_LIMIT": "0"}
    ids = either.submit(photos[:number])
    told = "SELECT count(*) FROM tasks WHERE status = 'pending'"
    pending = either.database.run(lambda connection: connection.execute_sql(told).fetchone())[0]
    # No worker and no keeper lives yet. RabbitMQ's queues cannot be read; the embedded one's are, by the keeper.
    assert pending == (number if "GROWBIN_BROKER_URL" in either.env else 0)
    began = time.monotonic()
    either.start(processes=2, threads=6)

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
