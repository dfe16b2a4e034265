"""Waiting for analyses to come to an end, on both databases."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg2
import pytest
from dramatiq.errors import ConnectionClosed
from tests.contract.test_analyses import ADVICE, fail, run_in_order
from tests.waiting import until

from growbin_jobs import client
from growbin_jobs.engine.central.database import Database
from growbin_jobs.errors import Conflict, Deferred, Forbidden, NotFound, Permanent, PictureRefused, Transient
from growbin_jobs.models.analysis import Analyses, Analysis
from growbin_jobs.models.analysis_upsert import CHANNEL
from growbin_jobs.operations.analysis_endings import AnalysisEndings
from growbin_jobs.states import AnalysisStatus

PATIENCE = 60.0


@pytest.fixture
def endings(database: Database) -> AnalysisEndings:
    return AnalysisEndings(Analyses(database))


@pytest.fixture
def analyses(database: Database, endings: AnalysisEndings, monkeypatch: pytest.MonkeyPatch) -> Analyses:
    """What the functions of the client work on."""
    found = Analyses(database)
    monkeypatch.setattr(client, "analyses", lambda: found)
    monkeypatch.setattr(client, "_endings", lambda: endings)
    return found


def by_thread(analysis_id: str) -> Analysis:
    return client.wait(analysis_id, timeout=PATIENCE)


def by_task(analysis_id: str) -> Analysis:
    return asyncio.run(client.wait_async(analysis_id, timeout=PATIENCE))


WAYS = pytest.mark.parametrize("wait", [by_thread, by_task])


@WAYS
def test_an_end_from_before_is_there_at_once(analyses: Analyses, wait: Callable[[str], Analysis]) -> None:
    run_in_order(analyses)

    assert (wait("a1").status, wait("a1").response) == (AnalysisStatus.COMPLETED, ADVICE.text)


@WAYS
def test_each_of_many_gets_its_own_end(
    analyses: Analyses, endings: AnalysisEndings, wait: Callable[[str], Analysis]
) -> None:
    ids = [f"a{n}" for n in range(12)]
    for analysis_id in ids:
        analyses.accept(analysis_id, "u1")
    with ThreadPoolExecutor(len(ids)) as threads:
        waiting = {analysis_id: threads.submit(wait, analysis_id) for analysis_id in ids}
        until(lambda: len(endings._waiting) == len(ids))
        for n, analysis_id in enumerate(ids):
            fail(analyses, analysis_id=analysis_id) if n % 2 else analyses.completed(analysis_id, ADVICE)
        ends = {analysis_id: future.result(PATIENCE) for analysis_id, future in waiting.items()}

    assert {analysis_id: (end.id, end.status.value) for analysis_id, end in ends.items()} == {
        analysis_id: (analysis_id, "failed" if n % 2 else "completed") for n, analysis_id in enumerate(ids)
    }
    assert endings._waiting == {}


def test_what_has_no_end_yet_says_so_and_nobody_waits_any_more(analyses: Analyses, endings: AnalysisEndings) -> None:
    analyses.accept("a1", "u1")

    with pytest.raises(TimeoutError, match="'a1' has not come to its end within 0 s"):
        client.wait("a1", timeout=0)
    with pytest.raises(TimeoutError):
        asyncio.run(client.wait_async("a1", timeout=0.05))
    with pytest.raises(NotFound, match="no analysis 'nobody'"):
        client.wait("nobody", timeout=0.05)
    assert endings._waiting == {}


def test_a_row_that_comes_later_is_waited_for(analyses: Analyses, endings: AnalysisEndings) -> None:
    """The actor's own producers have no row before stage 1."""
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(by_thread, "a1")
        until(lambda: endings._waiting)
        run_in_order(analyses)

        assert waiting.result(PATIENCE).status is AnalysisStatus.COMPLETED


def test_only_its_owner_may_wait(analyses: Analyses) -> None:
    run_in_order(analyses)

    assert client.wait("a1", user_id="u1").id == "a1"
    for asks in (client.wait, client.find_analysis):
        with pytest.raises(Forbidden):
            asks("a1", user_id="u2")
    for bad in ("", "../x", "a" * 65, None):
        with pytest.raises(Permanent):
            client.wait(bad, timeout=0)  # type: ignore[arg-type]


def test_a_cancelled_wait_hurts_no_other(analyses: Analyses, endings: AnalysisEndings) -> None:
    analyses.accept("a1", "u1")

    async def one_gives_up() -> Analysis:
        waits = [asyncio.create_task(client.wait_async("a1", timeout=PATIENCE)) for _ in range(2)]
        while len(endings._waiting["a1"]) < 2:
            await asyncio.sleep(0.01)
        waits[0].cancel()
        await asyncio.gather(waits[0], return_exceptions=True)
        await asyncio.to_thread(analyses.completed, "a1", ADVICE)
        return await waits[1]

    assert asyncio.run(one_gives_up()).status is AnalysisStatus.COMPLETED


def test_a_lost_connection_and_an_outage_only_delay_it(
    analyses: Analyses, endings: AnalysisEndings, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    analyses.accept("a1", "u1")
    looks, find = threading.Semaphore(0), analyses.find

    def away(ids: Any) -> dict[str, Analysis]:
        looks.release()
        raise Deferred("it is away", wait=1)

    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(by_thread, "a1")
        until(lambda: endings._waiting)
        monkeypatch.setattr(endings._analyses, "find", away)
        if analyses.database.dialect == "postgresql":
            _end_listeners(request.getfixturevalue("postgres_server"))
        for _ in range(2):
            assert looks.acquire(timeout=PATIENCE)
        analyses.completed("a1", ADVICE)
        monkeypatch.setattr(endings._analyses, "find", find)

        assert waiting.result(PATIENCE).status is AnalysisStatus.COMPLETED


@pytest.mark.parametrize("wait", [client.wait, lambda *it, **how: asyncio.run(client.wait_async(*it, **how))])
def test_an_outage_at_the_first_look_only_delays_it_too(
    analyses: Analyses, monkeypatch: pytest.MonkeyPatch, wait: Callable[..., Analysis]
) -> None:
    get, looks = analyses.get, list[str]()

    def away_at_first(analysis_id: str) -> Analysis | None:
        looks.append(analysis_id)
        if len(looks) == 1:
            raise Deferred("it is away", wait=1)
        return get(analysis_id)

    monkeypatch.setattr(analyses, "get", away_at_first)
    with pytest.raises(NotFound):
        wait("a1", timeout=0)
    analyses.accept("a1", "u1")
    looks.clear()
    with pytest.raises(TimeoutError):  # it is there, and the last look says so
        wait("a1", timeout=0)
    analyses.completed("a1", ADVICE)
    looks.clear()

    assert wait("a1", timeout=PATIENCE).status is AnalysisStatus.COMPLETED


def _end_listeners(server: dict[str, Any]) -> None:
    with psycopg2.connect(server["url"]) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE %s", (f'LISTEN "{CHANNEL}"%',)
        )


def test_the_thread_ends_when_nobody_waits(
    analyses: Analyses, endings: AnalysisEndings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("growbin_jobs.operations.analysis_endings._LINGER", 0.0)
    run_in_order(analyses)
    by_thread("a1")

    until(lambda: not endings._runs)
    assert by_thread("a1").status is AnalysisStatus.COMPLETED


def test_an_analysis_remembers_the_language_that_was_asked_for(analyses: Analyses) -> None:
    assert analyses.asker("a1") == (None, None)
    analyses.accept("a1", "u1")
    assert analyses.asker("a1") == ("u1", None)
    analyses.accept("a1", "u1", "en")
    assert analyses.asker("a1") == ("u1", "en")
    analyses.accept("a1", "u1")
    assert analyses.asker("a1") == ("u1", "en")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Permanent("request_invalid", detail="user_id"), 400),
        (PictureRefused("picture_missing"), 400),
        (PictureRefused("picture_too_many_bytes", limit_megabytes=20), 413),
        (Forbidden("this analysis belongs to another user"), 403),
        (NotFound("There is no analysis 'a1'."), 404),
        (Deferred("the database is away", wait=1), 503),
        (ConnectionClosed("RabbitMQ"), 503),
        (TimeoutError("not yet"), 504),
        (Conflict("somebody was first"), 500),
        (Transient("again"), 500),
        (ZeroDivisionError(), 500),
    ],
)
def test_each_error_has_its_http_status(error: Exception, status: int) -> None:
    assert client.http_status(error) == status
