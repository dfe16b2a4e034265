"""Model requests through the guards of the settings, to a server over HTTP: one limit for several processes' gates."""

import importlib.util
import sys
import threading
import time
from bisect import bisect_right
from pathlib import Path

import psycopg2
import pytest
from httpcore2._backends.sync import SyncBackend
from tests.upgraded import upgrade

from growbin_jobs.adapters.llm.client import Call, ModelClient
from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.errors import Deferred
from growbin_jobs.limits.paid_calls import guards
from growbin_jobs.limits.sql import SqlLimits
from growbin_jobs.models import SCHEMA
from growbin_jobs.settings import load

STUB = Path(__file__).parents[1] / "stubs" / "openai_server.py"
spec = importlib.util.spec_from_file_location("openai_server_of_limits", STUB)
openai_server = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = openai_server
spec.loader.exec_module(openai_server)

SAY = [{"role": "user", "content": "?"}]


class Sent:
    """A meter that keeps when requests were sent."""

    def __init__(self):
        self.moments = []

    def record(self, request):
        self.moments.append(request.sent_at)


@pytest.fixture
def stub():
    with openai_server.StubOpenAI() as server:
        yield server


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def test_the_gates_of_several_processes_keep_one_limit(kind, request, tmp_path, stub):
    url = request.getfixturevalue("upgraded_postgres_url") if kind == "postgresql" else None
    settings = load(limits="text=300/min,project=1000/min", openai_base_url=stub.url)
    sent, clients, databases = Sent(), [], []
    for _ in range(3):
        database = open_database(url, default_path=tmp_path / "central.db", pool_size=4, timeout=10)
        databases.append(database)
        upgrade(database, SCHEMA)
        clients.append(
            ModelClient(
                api_key=None, base_url=stub.url, meter=sent, guards=guards(settings, database, look_up=lambda _: None)
            )
        )

    def ask(client):
        answered = 0
        while answered < 3:
            try:
                client.ask_text(Call("m", 20.0, 100, purpose="text"), SAY)
                answered += 1
            except Deferred as why:  # the machine is busy: a worker waits, too
                time.sleep(why.wait)

    threads = [threading.Thread(target=ask, args=(client,)) for client in clients for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    moments = sorted(sent.moments)
    assert len(moments) == len(stub.requests) == 36
    # Spaced by 61 s / 300; each is sent up to a second after its grant.
    most = max(bisect_right(moments, first + 2.0) - index for index, first in enumerate(moments))
    assert most <= 1 + (2.0 + 1.0) / (61 / 300)
    for database in databases:
        database.close()


@pytest.mark.services
def test_a_database_that_answers_too_slowly_counts_as_away_and_nothing_is_sent(postgres_url, stub):
    database = open_database(postgres_url, default_path=None, pool_size=4, timeout=0.3)
    upgrade(database, SCHEMA)
    settings = load(limits="text=300/min", openai_base_url=stub.url, limit_patience=0.5)
    client = ModelClient(api_key=None, base_url=stub.url, guards=guards(settings, database, look_up=lambda _: None))
    client.ask_text(Call("m", 20.0, 100, purpose="text"), SAY)
    other = psycopg2.connect(postgres_url)
    for table in ("call_limit", "breaker"):
        with other, other.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {table}")
            with pytest.raises(Deferred):
                client.ask_text(Call("m", 20.0, 100, purpose="text"), SAY)
    other.close()

    assert len(stub.requests) == 1
    assert client.ask_text(Call("m", 20.0, 100, purpose="text"), SAY).answer
    database.close()


def test_the_wait_for_a_turn_is_not_the_server_s_time(stub):
    class Slow:
        def admit(self, request):
            threading.Event().wait(1.5)
            return self

        def release(self):
            pass

        def settle(self, record, failure):
            pass

    client = ModelClient(api_key=None, base_url=stub.url, guards=[Slow()])
    client.warm_up()

    assert client.ask_text(Call("m", 1.0, 100), SAY).answer


def test_a_ticket_that_went_stale_while_connecting_is_given_back_and_replaced(tmp_path, stub, monkeypatch):
    connect, take, granted, connected = SyncBackend.connect_tcp, SqlLimits.take, [], []

    def slowly(*args, **options):
        time.sleep(0.7)
        connected.append(args)
        return connect(*args, **options)

    def noted(self, costs, **options):
        answer = take(self, costs, **options)
        granted.append(answer.decision.granted)
        return answer

    monkeypatch.setattr(SyncBackend, "connect_tcp", slowly)
    monkeypatch.setattr(SqlLimits, "take", noted)
    database = open_database(None, default_path=tmp_path / "central.db", pool_size=4, timeout=10)
    upgrade(database, SCHEMA)
    settings = load(limits="text=6000/min", openai_base_url=stub.url)
    sent = Sent()
    client = ModelClient(
        api_key=None, base_url=stub.url, meter=sent, guards=guards(settings, database, look_up=lambda _: None)
    )

    for _ in range(3):
        client.ask_text(Call("m", 20.0, 100, purpose="text"), SAY)

    assert len(connected) == 1, "the others find the connection open"
    assert (granted.count(True), len(stub.requests), len(sent.moments)) == (4, 3, 3)
    database.close()


def test_what_a_guard_refuses_at_the_first_byte_was_not_sent(stub):
    seen = []

    class Refuses:
        def admit(self, request):
            return self

        def begin(self):
            raise Deferred("the breaker has opened", wait=1.0)

        def release(self):
            seen.append("released")

        def settle(self, record, failure):
            seen.append("settled")

    sent = Sent()
    client = ModelClient(api_key=None, base_url=stub.url, guards=[Refuses()], meter=sent)

    with pytest.raises(Deferred, match="has opened"):
        client.ask_text(Call("m", 20.0, 100), SAY)

    assert (seen, stub.requests, sent.moments) == (["released"], [], [])
