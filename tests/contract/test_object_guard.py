"""The object store behind its breaker, which is in memory, in SQLite or in PostgreSQL: what its outages cost."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.contract.test_breakers import move_back
from tests.upgraded import upgrade

from growbin_jobs.adapters.objects.memory import MemoryStore
from growbin_jobs.adapters.objects.port import PROBE, StoreFault
from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.errors import Deferred, NotFound, Permanent
from growbin_jobs.limits.breaker import Admission
from growbin_jobs.limits.breaker_failures import FIRST_PAUSE, OPERATOR_PAUSE, THRESHOLDS
from growbin_jobs.limits.breaker_store import BreakerStore, MemoryBreakers
from growbin_jobs.limits.breakers import Breakers
from growbin_jobs.limits.object_guard import FRESH, NAME, PROBE_TAKES, GuardedObjects
from growbin_jobs.models import SCHEMA
from growbin_jobs.operations.breakers import list_breakers, reset_breaker

JPEG = "image/jpeg"


class HurtStore(MemoryStore):
    """A store that fails as a test wants it, and counts what reaches it."""

    def __init__(self) -> None:
        super().__init__()
        self.fault: Callable[[str, str], StoreFault | None] = lambda _doing, _key: None
        self.asked: list[str] = []

    def put(self, key: str, data: bytes, *, content_type: str, cache_control: str | None = None) -> str:
        self._hurt("put", key)
        return super().put(key, data, content_type=content_type, cache_control=cache_control)

    def get(self, address_or_key: str, *, max_bytes: int | None = None) -> bytes:
        self._hurt("get", address_or_key)
        return super().get(address_or_key, max_bytes=max_bytes)

    def _hurt(self, doing: str, key: str) -> None:
        self.asked.append(doing)
        if fault := self.fault(doing, key):
            raise fault


class Cluster:
    """Nodes with one store of objects and one of breakers, on a clock of their own."""

    def __init__(self, breakers: BreakerStore, passes: Callable[[float], None]) -> None:
        self.breakers = breakers
        self.objects = HurtStore()
        self.now, self.message = 500.0, "first"
        self._passes = passes

    def node(self) -> GuardedObjects:
        return GuardedObjects(self.objects, self.breakers, message_id=lambda: self.message, clock=lambda: self.now)

    def passes(self, seconds: float) -> None:
        self.now += seconds
        self._passes(seconds)

    def state(self) -> tuple[str, str]:
        [(breaker, _)] = self.breakers.all()
        return breaker.state, breaker.reason


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def cluster(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cluster]:
    if request.param == "memory":
        now = [1000.0]
        yield Cluster(MemoryBreakers(clock=lambda: now[0]), lambda seconds: now.__setitem__(0, now[0] + seconds))
        return
    url = request.getfixturevalue("upgraded_postgres_url") if request.param == "postgresql" else None
    database = open_database(url, default_path=tmp_path / "central.db", pool_size=8, timeout=10)
    upgrade(database, SCHEMA)
    yield Cluster(Breakers(database), lambda seconds: move_back(database, seconds))
    database.close()


def always(reason: str) -> Callable[[str, str], StoreFault]:
    return lambda _doing, _key: StoreFault("It is away.", wait=10.0, reason=reason)  # type: ignore[arg-type]


def refused(request: Callable[[], object]) -> Deferred:
    with pytest.raises(Deferred) as caught:
        request()
    assert caught.value.capacity, "no wait for the store is ever counted against a message"
    return caught.value


def opened(cluster: Cluster, node: GuardedObjects, reason: str = "unreachable") -> None:
    cluster.objects.fault = always(reason)
    for number in range(THRESHOLDS["outage"]):
        cluster.message = f"message {number}"
        refused(lambda: node.put("a", b"x", content_type=JPEG))


def test_an_outage_opens_it_for_all_nodes_and_one_trial_closes_it(cluster: Cluster) -> None:
    node, other = cluster.node(), cluster.node()
    opened(cluster, node)
    assert cluster.state() == ("open", "unreachable")
    asked = len(cluster.objects.asked)
    away = refused(lambda: other.get("a"))
    assert away.pauses_queue
    assert FIRST_PAUSE - 2 < away.wait <= FIRST_PAUSE
    assert len(cluster.objects.asked) == asked, "nothing is sent meanwhile"

    cluster.passes(FIRST_PAUSE)
    refused(lambda: other.put("b", b"x", content_type=JPEG))
    assert len(cluster.objects.asked) == asked + 1, "the trial alone"
    assert cluster.state()[0] == "open"

    cluster.passes(2 * FIRST_PAUSE)
    cluster.objects.fault = lambda _doing, _key: None
    other.put("b", b"x", content_type=JPEG)
    assert cluster.state() == ("closed", "")
    assert node.get("b") == b"x"
    assert [entry.key for entry in node.list(PROBE)] == [], "what was tried with is deleted"


def test_who_meets_a_probe_under_way_asks_again_soon(cluster: Cluster) -> None:
    node = cluster.node()
    opened(cluster, node)
    cluster.passes(FIRST_PAUSE)
    assert cluster.breakers.admit(NAME, message_id="another").probe is not None

    assert refused(lambda: node.get("a")).wait == PROBE_TAKES


def test_what_an_operator_must_mend_is_told_once_and_ends_by_itself_or_by_reset(
    cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    node = cluster.node()
    cluster.objects.fault = always("misconfigured")
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            assert refused(lambda: node.put("a", b"x", content_type=JPEG)).pauses_queue
            cluster.passes(OPERATOR_PAUSE)

    assert cluster.state() == ("operator", "objects_misconfigured")
    assert caplog.text.count("breaker.needs_operator name=objects reason=objects_misconfigured") == 1
    [shown] = list_breakers(cluster.breakers, language="en")
    assert "bucket" in shown.remedy
    cluster.objects.fault = lambda _doing, _key: None
    reset_breaker(cluster.breakers, "objects")
    node.put("a", b"x", content_type=JPEG)
    assert cluster.state()[0] == "closed"

    cluster.objects.fault = always("misconfigured")
    refused(lambda: node.put("a", b"x", content_type=JPEG))
    cluster.objects.fault = lambda _doing, _key: None
    cluster.passes(OPERATOR_PAUSE)
    node.put("a", b"x", content_type=JPEG)
    assert cluster.state()[0] == "closed"


def test_a_right_that_is_missing_for_writing_is_the_operator_s_at_once(cluster: Cluster) -> None:
    node = cluster.node()
    cluster.objects.fault = lambda doing, _key: (
        StoreFault("no", wait=60.0, reason="refused") if doing == "put" else None
    )
    refused(lambda: node.put("a", b"x", content_type=JPEG))
    assert cluster.state() == ("operator", "objects_misconfigured")

    cluster.passes(OPERATOR_PAUSE)
    refused(lambda: node.get("a"))
    assert cluster.state()[0] == "operator", "that it can be read does not close it"


def test_an_outage_of_writing_alone_opens_it_although_everybody_can_read(cluster: Cluster) -> None:
    node = cluster.node()
    node.put("a", b"x", content_type=JPEG)
    cluster.objects.fault = lambda doing, _key: StoreFault("no", wait=10.0, reason="failed") if doing == "put" else None
    for _ in range(2):
        cluster.message = "writer"
        refused(lambda: node.put("b", b"x", content_type=JPEG))
        cluster.passes(5.0)
        cluster.message = "reader"
        if cluster.state()[0] == "closed":
            node.get("a")

    assert cluster.state() == ("open", "failed")
    asked = len(cluster.objects.asked)
    for number in range(20):
        cluster.message = f"other {number}"
        refused(lambda: node.put("c", b"x", content_type=JPEG))
    assert cluster.objects.asked[asked:] in ([], ["put"]), "the probe writes first"
    cluster.objects.fault = lambda _doing, _key: None
    cluster.passes(60.0)
    node.put("b", b"x", content_type=JPEG)
    assert cluster.state()[0] == "closed"


def test_one_object_that_is_refused_is_its_message_s_own_fault(cluster: Cluster) -> None:
    node = cluster.node()
    node.put("good", b"x", content_type=JPEG)
    cluster.objects.fault = lambda doing, key: (
        StoreFault("no", wait=60.0, reason="refused") if (doing, key) == ("get", "bad") else None
    )
    cluster.message = "bad one"
    first = refused(lambda: node.get("bad"))
    assert not first.pauses_queue
    cluster.passes(5.0)
    cluster.message = "good one"
    assert node.get("good") == b"x"
    cluster.message = "bad one"
    with pytest.raises(NotFound):
        node.get("bad")
    assert cluster.state()[0] == "closed"


def test_reading_that_is_refused_to_three_messages_needs_an_operator_and_none_is_given_up(cluster: Cluster) -> None:
    node = cluster.node()
    cluster.objects.fault = lambda doing, key: (
        StoreFault("no", wait=60.0, reason="refused") if doing == "get" and not key.startswith(PROBE) else None
    )
    for number in range(THRESHOLDS["doubt"]):
        cluster.message = f"message {number}"
        refused(lambda: node.get("a"))
    assert cluster.state() == ("operator", "objects_refused")

    cluster.passes(OPERATOR_PAUSE)
    cluster.message = "another"
    refused(lambda: node.get("a"))
    assert cluster.state() == ("operator", "objects_refused")


def test_a_message_that_fails_among_others_that_do_not_waits_as_before(cluster: Cluster) -> None:
    node = cluster.node()
    cluster.objects.fault = lambda _doing, key: StoreFault("odd", wait=10.0, reason="failed") if key == "odd" else None
    cluster.message = "odd one"
    refused(lambda: node.get("odd"))
    cluster.passes(5.0)
    cluster.message = "good one"
    node.put("good", b"x", content_type=JPEG)
    cluster.message = "odd one"
    with pytest.raises(StoreFault) as fault:
        node.get("odd")

    assert not fault.value.capacity, "it ages: nothing else waits for that"


def test_what_says_nothing_of_the_store_changes_nothing(cluster: Cluster) -> None:
    node = cluster.node()
    for _ in range(10):
        with pytest.raises(NotFound):
            node.get("missing")
        with pytest.raises(Permanent, match="not in our bucket"):
            node.get("s3://elsewhere/a")
    assert not node.exists("missing")
    node.delete("missing")

    assert cluster.breakers.all() == []


def test_a_store_that_works_costs_few_questions(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    real = cluster.breakers.admit
    monkeypatch.setattr(cluster.breakers, "admit", lambda *a, **k: (asked.append(a), real(*a, **k))[1])
    node = cluster.node()
    for _ in range(20):
        node.put("a", b"x", content_type=JPEG)
    cluster.passes(FRESH)
    node.put("a", b"x", content_type=JPEG)

    assert len(asked) == 2


def test_a_store_that_works_serves_while_the_breakers_are_away(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise Deferred("The database is away.", wait=5.0)

    node = cluster.node()
    monkeypatch.setattr(cluster.breakers, "succeeded", away)
    node.put("a", b"x", content_type=JPEG)

    assert node.get("a") == b"x"


@pytest.mark.parametrize(("seconds", "questions"), [(FRESH, 1), (2 * FRESH, 2)])
def test_while_one_asks_the_others_go_by_what_was_known_a_moment_ago(
    cluster: Cluster, seconds: float, questions: int
) -> None:
    node, admit = cluster.node(), cluster.breakers.admit
    node.put("a", b"x", content_type=JPEG)
    cluster.passes(seconds)
    asked: list[str] = []

    def slow(name: str, **options: Any) -> Admission:
        asked.append(name)
        if len(asked) == 1:
            node.put("b", b"x", content_type=JPEG)  # as another thread does meanwhile
        return admit(name, **options)

    cluster.breakers.admit = slow  # type: ignore[method-assign]
    node.put("a", b"x", content_type=JPEG)
    assert (len(asked), len(cluster.objects.asked)) == (questions, 3)


def test_an_outage_that_one_finds_holds_the_others_at_once(cluster: Cluster) -> None:
    node, other = cluster.node(), cluster.node()
    node.put("a", b"x", content_type=JPEG)
    opened(cluster, other)
    cluster.passes(FRESH)
    refused(lambda: node.get("a"))
    asked = len(cluster.objects.asked)
    refused(lambda: node.get("a"))
    assert len(cluster.objects.asked) == asked
