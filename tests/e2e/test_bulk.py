"""A bulk retry of dead analyses at a limited model server: previewed, stopped, killed, resumed; each once, no 429.

Killed are the workers with their keepers, and the monitor from which the job was started.

The long version, as after an outage (about 13 minutes): ``BULK_LETTERS=1240 pytest tests/e2e/test_bulk.py``.
"""

from __future__ import annotations

import importlib.util
import json
import math
import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests import command_line
from tests.waiting import until

from growbin_jobs.operations import bulk
from growbin_jobs.states import AnalysisStatus

STUBS = Path(__file__).parents[1] / "stubs"
NUMBER = int(os.environ.get("BULK_LETTERS", "12"))

#: Vision requests a minute; the spacing is 61 s / 100. The server's own window is shorter, so that a burst shows.
LIMIT, WINDOW = 100, 6.0


@pytest.fixture
def limited(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(STUBS))
    spec = importlib.util.spec_from_file_location("limited_openai_of_bulk", STUBS / "limited_openai.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    most = math.ceil(LIMIT / 60 * WINDOW) + 2  # requests on their way when the window begins
    limits = {"vision": 10**6, "text": 10**6}
    with module.LimitedOpenAI(limits, window=WINDOW, late=0.0) as stub:
        stub.the_limit = most
        yield stub


def command(stack: Any, *arguments: str) -> Any:
    done = stack.run(*arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if "--json" in arguments else done.stdout


@contextmanager
def monitor(stack: Any) -> Iterator[httpx.Client]:
    """A real one, which is killed at the end."""
    process = command_line.start(
        "monitor", "--insecure", "--port", "0", env=stack.full_env, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stderr is not None
        url = next(found[1] for line in process.stderr if (found := re.search(r"Monitor: (http\S+)", line)))
        with httpx.Client(base_url=url, timeout=60) as client:
            yield client
    finally:
        process.kill()
        process.communicate()


def post(client: httpx.Client, path: str, **body: Any) -> Any:
    answer = client.post(f"api/v2/bulk/{path}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def paid(stack: Any) -> int:
    """What requests cost so far, in micro-dollars."""
    sums = stack.database.run(lambda connection: connection.execute_sql("SELECT coalesce(sum(cost), 0) FROM llm_usage"))
    return int(sums.fetchone()[0])


@pytest.mark.timeout(300 + 3 * NUMBER)
def test_a_bulk_retry_keeps_the_limit_and_does_each_once(embedded, limited, photos):
    embedded.env |= {
        "OPENAI_API_KEY": limited.key or "sk-1", "OPENAI_BASE_URL": limited.url, "GROWBIN_VISION_RETRIES": "0",
    }  # fmt: skip
    [first_id] = embedded.submit(photos[-1:])  # the past, which says what a request costs
    embedded.start(greenlets=False)
    embedded.wait([first_id], timeout=60)
    limited.play("not_json")
    chosen = (photos * (NUMBER // len(photos) + 1))[:NUMBER]
    ids = list(embedded.submit(chosen))
    failed = embedded.wait(ids, timeout=60 + NUMBER)
    assert {each.status for each in failed.values()} == {AnalysisStatus.FAILED}
    assert set(embedded.stop().values()) == {0}

    limited.play("ok")
    limited.limits["vision"] = limited.the_limit
    asked_before = len(limited.counted("vision"))
    embedded.env |= {"GROWBIN_VISION_LIMIT": str(LIMIT)}
    draft = command(embedded, "bulk", "preview", "retry", "--json")
    preview = draft["preview"]
    assert (preview["able"], preview["count"]) == (NUMBER, NUMBER)
    assert preview["expected"]["requests"] == {"vision": NUMBER, "text": NUMBER}, "what cannot be used is not kept"
    assert preview["expected"]["micro_dollars"] > 0
    paid_before = paid(embedded)
    if NUMBER > 100:
        assert preview["expected"]["decided_by"] == "vision"
    job = draft["id"]
    with monitor(embedded) as first:
        pace = 240 if NUMBER > 100 else 120
        post(first, f"{job}/start", name="after the outage", pace=pace, typed=NUMBER)
        embedded.database.run(lambda connection: connection.execute_sql("UPDATE bulk_jobs SET begins_at = 0"))
        began = time.monotonic()
        embedded.start(greenlets=False)
        until(lambda: bulk.get(embedded.database, job).done >= NUMBER // 4, seconds=120 + NUMBER)
    so_far = bulk.get(embedded.database, job).done
    until(lambda: bulk.get(embedded.database, job).done > so_far, "it goes on without the monitor", seconds=60)
    until(lambda: bulk.get(embedded.database, job).done >= NUMBER // 2, seconds=120 + NUMBER)
    bulk.stop(embedded.database, job, by="lee")
    embedded.kill()
    embedded.start(greenlets=False)
    with monitor(embedded) as second:
        assert second.get(f"api/v2/bulk/{job}").json()["state"] == "stopped"
        assert post(second, f"{job}/resume")["state"] == "running"
    until(
        lambda: embedded.analyses.count_by_status().get(AnalysisStatus.COMPLETED) == NUMBER + 1,
        "all analyses completed", seconds=180 + NUMBER * 1.5, every=0.2,
    )  # fmt: skip
    took = time.monotonic() - began

    shown = command(embedded, "bulk", "show", job, "--json")
    assert (shown["state"], shown["done"], shown["refused"], shown["name"]) == ("ended", NUMBER, 0, "after the outage")
    assert limited.refused == 0, "the server has said 429"
    assert embedded.times_reached("completed") == dict.fromkeys([first_id, *ids], 1)
    asked = len(limited.counted("vision")) - asked_before
    different = len({Path(photo).read_bytes() for photo in chosen})  # one answer does for two of the same picture
    assert different <= asked <= NUMBER + 8, "only what ran when the workers were killed is asked again"
    if NUMBER > 100:
        assert took / 60 == pytest.approx(preview["expected"]["minutes"], rel=0.2)
        # The last rows of the ledger are written when workers end.
        assert set(embedded.stop().values()) == {0}
        assert paid(embedded) - paid_before == pytest.approx(preview["expected"]["micro_dollars"], rel=0.2)
