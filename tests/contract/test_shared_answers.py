"""Answers that all nodes share, on both databases: N nodes that ask for the same thing at once pay once."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests import command_line
from tests.contract.answer_holder import QUESTION, node, opened
from tests.upgraded import upgrade
from tests.waiting import until

from growbin_jobs.engine.central.database import Database
from growbin_jobs.errors import Deferred, Transient
from growbin_jobs.messages import Advice
from growbin_jobs.models import SCHEMA
from growbin_jobs.models.answers import SharedAnswers
from growbin_jobs.models.server_facts import ServerFacts

WORDS = Advice(text="비우고 헹궈요.", language="ko", source="model", model="m")
ROW = {"prompt": "p", "response": WORDS.model_dump_json(), "model": "m"}


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str | None:
    return request.getfixturevalue("upgraded_postgres_url") if request.param == "postgresql" else None


@pytest.fixture
def database(url: str | None, tmp_path: Path) -> Iterator[Database]:
    database = opened(url, tmp_path)
    upgrade(database, SCHEMA)
    yield database
    database.close()


@pytest.fixture
def open_shared(database: Database) -> Iterator[Callable[..., SharedAnswers]]:
    """Open the store as one more node does; what it still holds is let go after the test."""
    opened = []

    def another(**options: Any) -> SharedAnswers:
        opened.append(SharedAnswers(database, **({"ttl": 3600} | options)))
        return opened[-1]

    yield another
    for shared in opened:
        shared.close()


@pytest.fixture
def shared(open_shared: Callable[..., SharedAnswers]) -> SharedAnswers:
    return open_shared()


def passes(database: Database, seconds: float) -> None:
    """Let time pass: every moment of the rows lies further back."""
    sql = f"UPDATE model_answer SET leased_until = leased_until - {seconds}, expires_at = expires_at - {seconds}"
    database.run(lambda connection: connection.execute_sql(sql))


def leased_until(database: Database) -> float:
    sql = "SELECT leased_until FROM model_answer"
    return float(database.run(lambda connection: connection.execute_sql(sql).fetchone()[0]))


def test_nodes_that_ask_for_the_same_at_once_pay_once(database: Database) -> None:
    asked, start = [], threading.Barrier(8)

    def ask() -> Advice:
        asked.append(1)
        return WORDS

    def one(_: int) -> tuple[Advice, bool]:
        start.wait()
        return node(database).get(QUESTION, ask)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(one, range(8)))

    assert len(asked) == 1
    assert [answer for answer, _ in answers] == [WORDS] * 8
    assert sorted(from_store for _, from_store in answers) == [False] + [True] * 7


def test_who_waits_gets_the_answer_of_the_one_who_asks(database: Database) -> None:
    asks, may_answer = threading.Event(), threading.Event()

    def slow() -> Advice:
        asks.set()
        assert may_answer.wait(60)
        return WORDS

    def never() -> Advice:
        raise AssertionError("it is being asked")

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(node(database).get, QUESTION, slow)
        assert asks.wait(60)
        second = pool.submit(node(database).get, QUESTION, never)
        may_answer.set()

        assert first.result(60) == (WORDS, False)
        assert second.result(60) == (WORDS, True)


def test_another_question_is_asked_by_another(shared: SharedAnswers) -> None:
    assert shared.claim("one").fence == 1
    assert shared.claim("two").fence == 1
    assert 0 < (shared.claim("one").wait or 0) <= 10


def test_a_failure_lets_the_next_one_ask_at_once(database: Database, shared: SharedAnswers) -> None:
    def fails() -> Advice:
        raise Transient("away")

    with pytest.raises(Transient):
        node(database).get(QUESTION, fails)

    assert shared.claim(QUESTION.key).fence == 2


def test_an_answer_is_kept_for_its_time(database: Database, shared: SharedAnswers) -> None:
    fence = shared.claim("key").fence
    assert fence is not None
    shared.keep("key", fence, **ROW)

    assert shared.claim("key").response == ROW["response"]
    passes(database, 3601)
    assert shared.claim("key").fence == 2
    assert 0 < (shared.claim("key").wait or 0) <= 10


def test_what_expired_is_pruned_and_nothing_else(database: Database, shared: SharedAnswers) -> None:
    for key in ("old", "asked"):
        fence = shared.claim(key).fence
        assert fence is not None
        if key == "old":
            shared.keep(key, fence, **ROW)
    database.run(lambda one: one.execute_sql("UPDATE model_answer SET expires_at = 0"))

    assert shared.prune() == 1
    assert shared.claim("asked").wait is not None


def test_a_late_holder_takes_nothing_from_the_next_one(
    database: Database, open_shared: Callable[..., SharedAnswers]
) -> None:
    dead, alive, third = (open_shared() for _ in range(3))
    first = dead.claim("key").fence
    passes(database, 60)
    second = alive.claim("key").fence
    assert (first, second) == (1, 2)

    dead.give_up("key", 1)
    assert third.claim("key").wait is not None
    # What it has paid for is of use all the same.
    dead.keep("key", 1, **ROW)
    assert third.claim("key").response == ROW["response"]
    alive.keep("key", 2, **ROW)
    assert third.claim("key").response == ROW["response"]


def test_a_slow_holder_renews_its_lease(database: Database, open_shared: Callable[..., SharedAnswers]) -> None:
    shared = open_shared(lease=3)
    fence = shared.claim("key").fence
    assert fence is not None
    first, deadline = leased_until(database), time.monotonic() + 60
    while leased_until(database) <= first:
        assert time.monotonic() < deadline, "the lease was not renewed"
        time.sleep(0.05)

    other = open_shared()
    assert other.claim("key").wait is not None
    shared.close()
    assert other.claim("key").fence == fence + 1


def test_a_holder_that_is_killed_is_replaced_and_two_requests_are_paid_at_most(
    url: str | None, database: Database, tmp_path: Path
) -> None:
    command = [sys.executable, str(Path(__file__).with_name("answer_holder.py")), url or "", str(tmp_path)]
    with command_line.start_python(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "it holds\n"
        assert SharedAnswers(database, ttl=3600).claim(QUESTION.key).wait is not None
        holder.kill()

    asked: list[int] = []

    def ask() -> Advice:
        asked.append(1)
        return WORDS

    assert node(database).get(QUESTION, ask) == (WORDS, False)
    assert node(database).get(QUESTION, ask) == (WORDS, True)
    assert len(asked) == 1


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch, database: Database) -> Callable[[], None]:
    """Take the database away."""

    def gone(_: Any) -> None:
        raise Deferred("away", wait=5)

    def take() -> None:
        monkeypatch.setattr(database, "run", gone)

    return take


def test_while_the_database_is_away_nobody_pays(database: Database, away: Callable[[], None]) -> None:
    away()

    with pytest.raises(Deferred, match="away"):
        node(database).get(QUESTION, lambda: pytest.fail("paid"))


def test_an_answer_that_cannot_be_shared_is_given_all_the_same(database: Database, away: Callable[[], None]) -> None:
    def ask() -> Advice:
        away()
        return WORDS

    assert node(database).get(QUESTION, ask) == (WORDS, False)


def test_what_does_not_fit_its_form_is_asked_for_anew(database: Database, shared: SharedAnswers) -> None:
    fence = shared.claim(QUESTION.key).fence
    assert fence is not None
    shared.keep(QUESTION.key, fence, prompt="p", response='{"text": ""}', model="m")

    assert node(database).get(QUESTION, lambda: WORDS) == (WORDS, False)
    assert node(database).get(QUESTION, lambda: WORDS) == (WORDS, True)


# --- what is learnt of model servers, in the same table


class About:
    url, model = "http://s/v1", "m"


def test_what_is_learnt_of_a_server_grows_and_is_no_answer(database, open_shared):
    facts, other = ServerFacts(database), ServerFacts(database)
    assert facts.read("server:a") is None

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: facts.add("server:a", About(), lambda was: f"{was or ''}{n}"), range(8)))

    assert sorted(other.read("server:a") or "") == list("01234567"), "none was lost"
    assert [kept[:2] for kept in other.all()] == [("http://s/v1", "m")]
    assert open_shared().prune() == 0
    assert (other.forget("n"), other.forget(), other.all()) == (0, 1, [])


def test_one_caller_finds_out_until_it_is_done_or_dead(database):
    facts = ServerFacts(database, lease=0.6)
    fence = facts.lead("server:a")
    assert fence is not None

    time.sleep(1.0)  # longer than a lease: it is renewed
    assert ServerFacts(database).lead("server:a") is None
    facts.release("server:a", fence - 1)
    assert facts.lead("server:a") is None, "an older holder lets nobody in"
    facts.release("server:a", fence)
    dead = ServerFacts(database, lease=0.2)
    taken = dead.lead("server:a")
    assert taken is not None
    dead._renewer().drop("server:a", taken)  # as a process does that dies

    heir = ServerFacts(database, lease=0.2)
    heir.release("server:a", until(lambda: heir.lead("server:a"), seconds=20))
