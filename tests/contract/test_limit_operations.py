"""What operators ask about the limits, on both databases: use, proof, plans, and an analysis's turn."""

import random
import time
import uuid
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from growbin_jobs.engine.central.database import Database
from growbin_jobs.limits.breaker_failures import Failure
from growbin_jobs.limits.breakers import Breakers
from growbin_jobs.limits.budgets import Budgets
from growbin_jobs.limits.minutes import CentralUse
from growbin_jobs.limits.named import NamedLimits
from growbin_jobs.limits.past_requests import needs_of_the_past
from growbin_jobs.limits.promises import Promise, Promises
from growbin_jobs.limits.provision import Provision, provision_of
from growbin_jobs.limits.sql import SqlLimits
from growbin_jobs.limits.surely_kept import surely_kept
from growbin_jobs.limits.usage import LlmUsage
from growbin_jobs.messages import StoredPicture
from growbin_jobs.models.analysis import Analyses
from growbin_jobs.operations import limit_proof
from growbin_jobs.operations.limit_plan import plan
from growbin_jobs.operations.limit_states import limit_states
from growbin_jobs.operations.turn import turn_of
from growbin_jobs.rates import Rate, parse_rates

MODELS = {"vision": "gpt-6-luna", "text": "gpt-6-luna"}


def started(database: Database, text: str = "vision=100,text=200") -> Provision:
    provision = provision_of(database, NamedLimits(parse_rates(text)))
    provision.make_configured()
    return provision


def send(database: Database, moments: list[datetime], purpose: str = "vision", **fields: object) -> None:
    row = {
        "day": "2026-11-28", "node": "n1", "purpose": purpose, "model": "gpt-6-luna", "outcome": "answered",
        "billed": "yes", "latency_ms": 2000, "tokens_in": 900, "tokens_out": 100, "cost": 140,
    }  # fmt: skip
    rows = [row | {"id": uuid.uuid4().hex, "sent_at": moment} | fields for moment in moments]
    for first in range(0, len(rows), 200):
        insert = LlmUsage.insert_many(rows[first : first + 200])
        database.run(lambda connection, insert=insert: insert.execute(connection))


def proven(database: Database, since: datetime) -> limit_proof.Proof:
    return limit_proof.prove(database, since, books_since=date(2020, 1, 1))


def test_a_proof_fails_when_the_books_of_a_budget_do_not_agree(database: Database) -> None:
    budgets = Budgets(database, zone=ZoneInfo("Asia/Seoul"))
    budgets.reserve("r1", ["total"], 500)
    budgets.settle("r1", 300)
    assert proven(database, datetime.now(UTC)).kept

    database.run(lambda connection: connection.execute_sql("UPDATE budget_day SET settled = settled - 1"))
    proof = proven(database, datetime.now(UTC))

    assert [wrong.name for wrong in proof.books_wrong] == ["total"]
    assert not proof.kept


def test_a_proof_counts_the_worst_window_the_answers_of_429_and_the_requests_of_an_analysis(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limit_proof, "_PAGE", 7)  # several pages
    started(database)
    Promises(database)  # made now: what is sent below is sent later
    begin = datetime.now(UTC) + timedelta(minutes=10)
    send(database, [begin + timedelta(seconds=0.5 * i) for i in range(100)], analysis_id="a1", node="n2")
    send(database, [begin] * 3, "text", analysis_id="a2", cost=None, outcome="rate_limited")

    proof = proven(database, begin - timedelta(hours=1))

    assert {each.name: (each.worst, each.broken) for each in proof.limits} == {"vision": (100, 0), "text": (3, 0)}
    assert (proof.requests, proof.told_to_wait, proof.nodes) == (103, 3, {"n1": 3, "n2": 100})
    assert (proof.analyses, proof.requests_per_analysis) == (2, 51.5)
    assert (proof.micro_dollars, proof.unpriced) == (14_000, 3)
    assert proof.kept

    send(database, [begin + timedelta(seconds=55)])
    assert not proven(database, begin - timedelta(hours=1)).kept
    assert proven(database, begin + timedelta(seconds=30)).kept, "what came before is not asked about"


def test_sums_say_that_limits_were_kept_only_where_every_window_was(database: Database) -> None:
    started(database, "vision=6,text=9,project=12,tokens:vision=7000")
    promises = Promises(database)
    begin = datetime.now(UTC) + timedelta(minutes=10)
    found = set[tuple[bool, bool]]()
    for seed in range(24):
        chance = random.Random(seed)
        database.run(lambda connection: LlmUsage.delete().execute(connection))
        for purpose in ("vision", "text", "rehearsal"):
            # Ends of windows to the microsecond are among them.
            times = [begin + timedelta(seconds=chance.choice((chance.uniform(0, 900), 60 * chance.randrange(15))))
                     for _ in range(chance.choice((3, 12, 30)))]  # fmt: skip
            send(database, times, purpose, tokens_in=chance.choice((900, 2000)), outcome="rate_limited")
        since, until = begin - timedelta(minutes=1), begin + timedelta(hours=1)
        sums = surely_kept(database, since, until, promises.history())
        proof = limit_proof.prove(database, since, until=until, books_since=date(2020, 1, 1))
        judged = limit_proof.judge(database, since, until=until, books_since=date(2020, 1, 1))
        found.add((sums is not None, proof.kept))
        assert judged.broken == [each for each in proof.limits if each.broken]
        assert (judged.requests, judged.told_to_wait) == (proof.requests, proof.told_to_wait)
        assert (judged.limits, judged.books_wrong) == (len(proof.limits), proof.books_wrong)
    assert found == {(True, True), (False, True), (False, False)}


def test_a_limit_of_a_user_and_one_that_was_changed_are_judged_as_strictly(database: Database) -> None:
    provision = started(database, "vision=100")
    begin = datetime.now(UTC) + timedelta(minutes=10)
    send(database, [begin + timedelta(seconds=number) for number in range(20)], user_id="u1")
    span = (begin - timedelta(minutes=1), begin + timedelta(hours=1))
    assert surely_kept(database, *span, Promises(database).history()) == (20, 0, 1)
    provision.set("vision", parse_rates("vision=19")["vision"])
    assert surely_kept(database, *span, Promises(database).history()) is None
    provision.set("vision", parse_rates("vision=20")["vision"])
    assert surely_kept(database, *span, Promises(database).history()) is None, "19 may have held then"
    assert surely_kept(database, *span, [Promise("user:*", 0.0, Rate(100), "setting")]) is None


def test_the_list_shows_what_was_granted_on_all_nodes_and_what_waits(database: Database) -> None:
    started(database).set("vision", parse_rates("vision=60")["vision"])
    minute = int(time.time() // 60) * 60
    for node in ("n1", "n2"):
        CentralUse(database, node).add({(minute - 60, "vision"): 20, (minute, "vision"): 5, (minute + 60, "vision"): 1})
    SqlLimits(database).hold("text", 30)
    analyses = Analyses(database)
    analyses.uploaded("a1", "u1", StoredPicture(s3_path="s3://b/k", thumbnail_path="s3://b/t"))

    states = {state.name: state for state in limit_states(database)}

    vision = states["vision"]
    assert (vision.most, vision.origin, vision.waiting) == (60, "person", 1)
    assert vision.last_minute in (10, 40), "the minute may just have changed"
    assert set(vision.nodes) == {"n1", "n2"}
    assert 20 < states["text"].held <= 30
    assert states["text"].waiting == 0


def test_a_plan_names_the_limit_that_decides(database: Database) -> None:
    now = datetime.now(UTC)
    send(database, [now - timedelta(days=1)] * 2, latency_ms=3000, cost=100)
    send(database, [now - timedelta(days=1)], "text", latency_ms=1000, cost=50)
    send(database, [now - timedelta(days=30)], "text", latency_ms=99_000, cost=9999)
    needs = needs_of_the_past(database)

    found = plan(1001, NamedLimits(parse_rates("vision=100,text=200")), needs, models=MODELS)
    shared = plan(1001, NamedLimits(parse_rates("vision=100,model:gpt-6-luna=100")), needs, models=MODELS)
    free = plan(1001, NamedLimits({}), needs, models=MODELS)

    assert (found.limit, found.micro_dollars, found.threads) == ("vision", 1001 * 150, 7)
    assert found.seconds == pytest.approx(1000 * 0.6125 + 4, abs=0.2)
    assert shared.limit == "model:gpt-6-luna", "each picture takes two of it"
    assert shared.seconds == pytest.approx(2 * 1000 * 0.6125 + 4, abs=0.2)
    assert (free.limit, free.seconds) == (None, 4.0)


def test_without_a_past_a_plan_says_that_it_assumes_and_that_the_price_is_not_known(database: Database) -> None:
    needs = needs_of_the_past(database)

    assert [(need.purpose, need.requests, need.micro_dollars) for need in needs] == [
        ("vision", 0, None),
        ("text", 0, None),
    ]
    assert plan(10, NamedLimits({}), needs, models=MODELS).micro_dollars is None


def test_an_analysis_has_a_place_and_a_time(database: Database) -> None:
    started(database)
    clock = [datetime(2026, 11, 28, 12, tzinfo=UTC)]
    analyses = Analyses(database, clock=lambda: clock[0])
    picture = StoredPicture(s3_path="s3://b/k", thumbnail_path="s3://b/t")
    for number in range(101):
        analyses.uploaded(f"a{number}", "u1", picture)
        clock[0] += timedelta(seconds=1)
    analyses.accept("new", "u1")
    last, first, new = (analyses.get(name) for name in ("a100", "a0", "new"))
    assert last
    assert first
    assert new

    turn = turn_of(last, database)
    assert turn is not None
    assert (turn.limit, turn.place, turn.stopped_by) == ("vision", 101, None)
    assert turn.starts_at == pytest.approx(time.time() + 61, abs=5)
    assert turn_of(first, database).place == 1  # type: ignore[union-attr]
    assert turn_of(new, database) is None, "it waits for no limit yet"

    for number in range(9):
        Breakers(database).failed("objects", Failure("unreachable", message_id=f"m{number}"))
    assert turn_of(last, database).stopped_by is None, "the model needs no objects"  # type: ignore[union-attr]
    Breakers(database).failed("model:gpt-6-luna@host", Failure("model_quota_exhausted"))
    stopped = turn_of(last, database)
    assert stopped is not None
    assert (stopped.starts_at, stopped.stopped_by) == (None, "model_quota_exhausted")


def test_without_limits_an_analysis_waits_for_none(database: Database) -> None:
    analyses = Analyses(database)
    analyses.uploaded("a1", "u1", StoredPicture(s3_path="s3://b/k", thumbnail_path="s3://b/t"))
    found = analyses.get("a1")

    assert found is not None
    assert turn_of(found, database) is None
