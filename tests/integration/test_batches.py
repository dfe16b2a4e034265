"""Paid calls in batches, against the stand-in for OpenAI, on both databases: paid once, whatever dies in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.integration.batch_world import KEY, World, picture, stub_module
from tests.upgraded import upgrade

from growbin_jobs.adapters.llm.usage import Usage
from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.limits.paid_twice import paid_answers
from growbin_jobs.limits.prices import load_prices
from growbin_jobs.limits.spent import spent
from growbin_jobs.models import SCHEMA
from growbin_jobs.models.batch_life import Sizes, State
from growbin_jobs.models.batch_subject import SubjectBatches
from growbin_jobs.models.batches_retention import KeepBatches
from growbin_jobs.operations.batch_states import batch_detail, batch_page
from growbin_jobs.operations.waiting import why_analysis_waits

MADE_AT = ("batch.built", "batch.uploaded", "batch.creating", "batch.created")
READ_AT = ("batch.booked", "batch.settled", "batch.read")


@pytest.fixture
def stub() -> Iterator[Any]:
    with stub_module().StubOpenAI(key=KEY) as server:
        yield server
        assert server.violations == []


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def make_world(request: pytest.FixtureRequest, tmp_path: Path, stub: Any) -> Iterator[Callable[..., World]]:
    url = request.getfixturevalue("lent_postgres_url") if request.param == "postgresql" else None
    database = open_database(url, default_path=tmp_path / "central.db", pool_size=8, timeout=30)
    upgrade(database, SCHEMA)
    worlds: list[World] = []

    def another(**options: Any) -> World:
        worlds.append(World(database, stub, tmp_path, options))
        return worlds[-1]

    yield another
    for world in worlds:
        world.ledger.close()
    database.close()


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world()


def test_pictures_and_texts_are_answered_in_batches_at_half_the_price(world: World, stub: Any) -> None:
    assert [world.ask(number, user=f"u{number % 2}") for number in range(3)] == [None] * 3
    world.make()
    reserved, *ends = world.money()
    assert ends == [0, 0, 0]
    assert (world.batch().state, world.batch().requests, stub.requests) == (State.SENT, 3, [])

    stub.batches.run()
    world.pass_time()
    world.look()

    messages = world.sent_again()
    assert [message["options"] for message in messages] == [{"service_tier": "batch"}] * 3
    seen = [world.run(message) for message in messages]
    assert {one.from_cache for one in seen} == {True}
    assert [one.answer.model_dump() for one in seen] == [
        stub_module().expected_answer(picture(int(message["args"][1][-1])), ["general", "pet_bottle"])
        for message in messages
    ]
    # The same path for texts, in two languages.
    assert [world.compose(seen[0].answer, language, f"m-{language}") for language in ("ko", "en")] == [None, None]
    world.make()
    stub.batches.run()
    world.pass_time()
    world.look()
    assert len(world.sent_again()) == 2
    texts = [world.compose(seen[0].answer, language, f"n-{language}") for language in ("ko", "en")]
    assert [advice and advice.language for advice in texts] == ["ko", "en"]

    rows = world.usage()
    assert len(rows) == 5 == sum(stub.batches.paid.values())
    assert {(row["tier_asked"], row["tier_served"], row["outcome"], row["billed"]) for row in rows} == {
        ("batch", "batch", "answered", "yes")
    }
    assert {row["user_id"] for row in rows if row["purpose"] == "vision"} == {"u0", "u1"}
    full = load_prices().cost("gpt-5", Usage(900, 128, 40, 8), world.settings_day())
    assert full is not None
    assert {row["cost"] for row in rows} == {-(-full.micro_dollars // 2)}
    total, settled, released, unknown = world.money()
    assert (settled, unknown, total) == (sum(row["cost"] for row in rows), 0, settled + released)
    assert total > reserved > 0
    # Nothing of it stays at the server, and nothing is left to be done.
    assert (stub.batches.files, stub.requests, world.sent_again()) == ({}, [], [])
    assert {batch.outcome for batch in world.made_batches.all()} == {"completed"}


@pytest.mark.parametrize("point", [*MADE_AT, *READ_AT])
def test_a_process_that_is_killed_leaves_one_batch_that_is_paid_once(
    world: World, stub: Any, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("growbin_jobs.ai.batch_reading._PAGE", 5)
    for number in range(12):
        world.ask(number)
    world.make(killed=point)
    world.pass_time()
    world.make()
    stub.batches.run()
    world.pass_time()
    world.look(killed=point)
    world.pass_time()
    world.look()

    assert len(stub.batches.made) == 1
    assert (len(stub.batches.paid), set(stub.batches.paid.values())) == (12, {1})
    assert len(world.usage()) == 12
    messages = world.sent_again()
    assert len({message["args"][0] for message in messages}) == len(messages) == 12
    assert all(world.run(message).from_cache for message in messages)
    reserved, settled, released, unknown = world.money()
    assert (reserved, unknown) == (settled + released, 0)
    batch = world.batch()
    assert (batch.state, batch.answered, batch.standard) == (State.DONE, 12, 0)


def test_one_answer_is_asked_once_however_many_want_it(world: World, stub: Any) -> None:
    assert [world.ask(1, user=user) for user in ("a", "b")] == [None, None]
    assert [world.ask(2, message_id="m") for _ in range(2)] == [None, None], "delivered twice"
    # Somebody at a screen wants picture 2 now, before a batch has taken it.
    assert world.ask(2, tier=None, user="c") is not None

    world.make()
    assert world.batch().requests == 1
    # And one who comes now waits for the batch, if there is time.
    assert world.ask(1, user="d") is None
    stub.batches.run()
    world.pass_time()
    world.look()
    world.make()

    assert len(stub.requests) == 1
    assert set(stub.batches.paid.values()) == {1}
    assert stub.images[stub_module().hashlib.sha256(picture(2)).hexdigest()] == 1
    messages = world.sent_again()
    assert sorted(message["args"][0] for message in messages) == ["a1-a", "a1-b", "a1-d", "a2-u1"]
    assert len(stub.batches.made) == 1


@pytest.mark.parametrize(
    ("end", "only", "why"), [("expired", 2, "expired"), ("cancelled", 1, "cancelled"), ("failed", 0, "queue_full")]
)
def test_what_a_batch_leaves_without_an_answer_is_asked_in_the_standard_tier(
    world: World, stub: Any, end: str, only: int, why: str
) -> None:
    for number in range(4):
        world.ask(number)
    stub.batches.fails_with = "token_limit_exceeded" if end == "failed" else None
    world.make()
    if end == "cancelled":
        world.made_batches.cancel(world.batch().id, by="op")
        world.look()
        assert [batch["status"] for batch in stub.batches.made.values()] == ["cancelling"]
    stub.batches.run(end=end, only=only)
    world.pass_time()
    world.look()

    messages = world.sent_again()
    tiers = [message["options"]["service_tier"] for message in messages]
    assert (tiers.count("batch"), tiers.count("standard")) == (only, 4 - only)
    assert all(world.run(message) is not None for message in messages)
    assert (len(stub.requests), len(world.usage()), len(world.usage("standard"))) == (4 - only, only, 4 - only)
    assert sorted({world.tier_of(number) for number in range(4)}) == sorted(
        {("standard", why)} | ({("batch", None)} if only else set())
    )
    reserved, settled, released, unknown = world.money()
    assert (reserved, unknown) == (settled + released, 0)
    assert (world.batch().outcome, world.batch().answered, world.batch().standard) == (end, only, 4 - only)


@pytest.mark.parametrize("status", [404, 405, 501])
def test_a_server_without_batches_is_asked_one_by_one_and_that_is_learnt(world: World, stub: Any, status: int) -> None:
    stub.batches.refuses = status
    world.ask(1)
    world.make()

    [message] = world.sent_again()
    assert message["options"]["service_tier"] == "standard"
    assert world.run(message) is not None
    assert world.tier_of(1) == ("standard", "no_batches")
    assert world.money()[3] == 0
    world._build()
    assert world.ask(2) is not None, "it is known now"
    assert world.tier_of(2) == ("standard", "no_batches")


def test_single_results_that_are_no_answers_are_asked_again_in_the_standard_tier(world: World, stub: Any) -> None:
    bad = ["not_json", "schema_break", "400", "refusal", "length", "no_usage"]
    for number in range(8):
        world.ask(number)
    world.make()
    stub.batches.run(behaviours=bad)
    world.pass_time()
    world.look()

    tiers = [message["options"]["service_tier"] for message in world.sent_again()]
    assert (tiers.count("standard"), tiers.count("batch")) == (5, 3)
    rows = world.usage()
    assert sorted((row["outcome"], row["billed"]) for row in rows) == sorted(
        [("answered", "yes")] * 3 + [("unusable", "yes")] * 3 + [("refused", "yes"), ("rejected", "no")]
    )
    reserved, settled, released, unknown = world.money()
    assert unknown > 0, "the answer without a count"
    assert reserved == settled + released + unknown
    world._build()
    assert "cap.1000" in world.client.facts("gpt-5").refused, "what cut an answer off is learnt"


def test_a_budget_refuses_before_the_batch_is_made(make_world: Callable[..., World], stub: Any) -> None:
    world = make_world(budget_per_day=0.000_001)
    world.ask(1)
    world.make()
    assert (stub.batches.made, stub.batches.files, world.sent_again()) == ({}, {}, [])
    assert (world.waiting.by_model()[0].number, world.made_batches.all()) == (1, [])

    richer = make_world(budget_per_day=1.0)
    richer.make()
    assert len(stub.batches.made) == 1


def test_batches_keep_to_their_sizes(make_world: Callable[..., World], stub: Any) -> None:
    world = make_world(batch_requests=3)
    for number in range(7):
        world.ask(number)
    world.make()
    assert sorted(batch.requests for batch in world.made_batches.all()) == [1, 3, 3]
    tokens = world.batches.tokens_at_the_server()

    small = make_world(batch_tokens=tokens + 1)
    for number in range(7, 12):
        small.ask(number)
    small.make()
    assert sorted(batch.requests for batch in small.made_batches.all()) == [1, 1, 3, 3], "one fits, however large"


def test_what_had_no_room_in_a_file_is_reserved_anew_for_the_next_one(
    make_world: Callable[..., World], stub: Any
) -> None:
    world = make_world(batch_tokens=1)  # one request in each batch, and one batch at a time
    for number in range(2):
        world.ask(number)
    for _ in range(2):
        world.make()
        total, settled, released, unknown = world.money()
        assert (total - settled - released - unknown > 0, unknown) == (True, 0)
        stub.batches.run()
        world.pass_time()
        world.look()

    assert len(world.made_batches.all()) == len(world.usage()) == 2
    total, settled, released, unknown = world.money()
    assert (settled, total) == (sum(row["cost"] for row in world.usage()), settled + released)


def test_an_outage_of_the_server_costs_nothing_but_time(world: World, stub: Any) -> None:
    world.ask(1)
    stub.batches.refuses = 503
    world.make()
    assert (world.batch().state, world.sent_again()) == (State.COLLECTING, [])
    assert "503" in str(world.batch().problem)
    stub.batches.refuses = None
    world.pass_time()
    world.make()
    stub.batches.refuses = 500
    world.pass_time()
    world.look()
    assert world.batch().state is State.SENT
    stub.batches.refuses = None
    stub.batches.run()
    world.pass_time()
    world.look()
    assert (world.batch().outcome, set(stub.batches.paid.values())) == ("completed", {1})


def test_a_refused_key_ends_no_batch_however_long_it_lasts(world: World, stub: Any) -> None:
    world.ask(1)
    world.make(killed="batch.creating")
    stub.batches.refuses = 401
    world.database.run(lambda one: one.execute_sql("UPDATE model_batch SET made_at = made_at - 200000"))
    world.pass_time()
    world.make()
    assert (world.batch().state, world.sent_again()) == (State.CREATING, [])


@pytest.mark.parametrize("refusal", [400, 500])
def test_a_server_that_does_not_say_whether_it_has_a_batch_is_asked_until_it_does(
    world: World, stub: Any, refusal: int
) -> None:
    world.ask(1)
    world.make(killed="batch.created")
    stub.batches.refuses = refusal
    world.pass_time()
    world.make()
    assert (world.batch().state, world.sent_again()) == (State.CREATING, [])
    stub.batches.refuses = None
    world.pass_time()
    world.make()
    assert (world.batch().state, len(stub.batches.made)) == (State.SENT, 1)


def test_a_batch_that_is_surely_not_made_is_given_up_and_one_that_may_be_costs_what_nobody_knows(
    world: World, stub: Any
) -> None:
    def age(hours: float) -> None:
        older = f"UPDATE model_batch SET made_at = made_at - {hours * 3600}"
        world.database.run(lambda one: one.execute_sql(older))
        world.pass_time()

    world.ask(1)
    world.make(killed="batch.creating")
    age(3)
    world.make()
    assert (world.batch().outcome, stub.batches.made, len(world.sent_again())) == ("not_made", {}, 1)
    assert world.money()[3] == 0

    world.ask(2)
    world.make(killed="batch.created")
    stub.batches.refuses = 500
    age(48)
    world.make()
    assert {batch.outcome for batch in world.made_batches.all()} == {"not_made", "lost"}
    assert (len(world.sent_again()), world.money()[3] > 0) == (1, True)


def test_people_see_what_a_batch_waits_for_and_what_its_money_becomes(world: World, stub: Any) -> None:
    def seen() -> tuple[str | None, int, int, int, int]:
        [line] = batch_page(world.database, Sizes(requests=10, gather=0.0, tokens=0, first_look=60.0)).batches
        assert line.money is not None
        money = line.money
        return line.waiting and line.waiting.reason, money.reserved, money.settled, money.unknown, money.open

    for number in range(3):
        world.ask(number)
    [waiting] = batch_page(world.database, Sizes(requests=10, gather=0.0, tokens=0, first_look=60.0)).waiting
    assert (waiting.number, waiting.why) == (3, "next_look")
    analysis = world.analyses.get("a1-u1")
    assert analysis is not None
    before = why_analysis_waits(analysis, world.database)
    world.make()
    during = why_analysis_waits(analysis, world.database)
    assert (before and before.reason, during and during.reason) == ("next_batch", "in_batch")
    why, reserved, *others, still = seen()
    assert (why, others, still) == ("batch_sent", [0, 0], reserved)
    assert reserved == world.money()[0] > 0
    assert [one.key for one in spent(world.database, by="tier")] == []

    stub.batches.run()
    world.pass_time()
    world.look()

    cost = sum(row["cost"] for row in world.usage())
    assert seen() == (None, reserved, cost, 0, 0)
    questions = batch_detail(world.database, world.batch().id).questions
    assert (sum(each.cost or 0 for each in questions), {each.outcome for each in questions}) == (cost, {"answered"})
    assert why_analysis_waits(analysis, world.database) is None
    assert [(one.key, one.micro_dollars) for one in spent(world.database, by="tier")] == [("batch", cost)]


def test_a_batch_that_the_server_has_forgotten_keeps_its_money_spent(world: World, stub: Any) -> None:
    world.ask(1)
    world.make()
    stub.batches.made.clear()
    world.pass_time()
    world.look()
    [message] = world.sent_again()
    assert (message["options"]["service_tier"], world.batch().outcome) == ("standard", "lost")
    reserved, settled, released, unknown = world.money()
    assert (reserved, settled, released) == (unknown, 0, 0)


def test_what_is_held_about_a_person_is_shown_and_erased_and_others_still_get_their_answers(
    world: World, stub: Any
) -> None:
    for number, user in ((1, "alice"), (2, "alice"), (2, "bob")):
        world.ask(number, user=user)
    world.make()
    for number, user in ((3, "alice"), (3, "bob")):
        world.ask(number, user=user)
    subject = SubjectBatches(world.database)
    assert len(list(subject.rows("alice"))) == 3
    assert world.database.transaction(lambda one: subject.erase(one, "alice")) == {"model_batch_waiter": 3}
    assert list(subject.rows("alice")) == []
    stub.batches.run()
    world.pass_time()
    world.look()

    messages = world.sent_again()
    assert {(message["args"][0], message["options"]["service_tier"]) for message in messages} == {
        ("a2-bob", "batch"), ("a3-bob", "standard")
    }  # fmt: skip
    assert {row["user_id"] for row in world.usage()} == {None, "bob"}
    assert world.money()[3] == 0


def test_what_is_done_is_forgotten_after_a_month(world: World, stub: Any) -> None:
    world.ask(1)
    world.make()
    stub.batches.run()
    world.pass_time()
    world.look()
    world.ask(2)
    forget = KeepBatches(lambda: world.database).run_once
    assert forget() == {}
    for table, column in (
        ("model_batch", "ended_at"),
        ("model_batch_waiter", "back_at"),
        ("model_batch_question", "put_at"),
    ):
        sql = f"UPDATE {table} SET {column} = 1 WHERE {column} IS NOT NULL"
        world.database.run(lambda one, sql=sql: one.execute_sql(sql))  # type: ignore[misc]
    assert forget() == {"model_batch": 1, "model_batch_question": 1, "model_batch_waiter": 1}
    assert (world.made_batches.all(), world.waiting.by_model()[0].number) == ([], 1)


def test_a_process_that_was_paused_beyond_its_lease_changes_nothing(world: World, stub: Any) -> None:
    world.ask(1)
    world.make(killed="batch.creating")
    old = world.batch()
    world.pass_time()
    world.make()
    with pytest.raises(Exception, match="Another process works"):
        world.batches.sent(old, "batch_of_nobody", "in_progress", 1.0)
    assert world.batch().server_id in stub.batches.made


def test_what_is_asked_at_once_before_a_batch_is_created_is_taken_out_of_its_file(world: World, stub: Any) -> None:
    for number in range(3):
        world.ask(number)
    world.make(killed="batch.creating")  # the file is at the server, and no batch is made of it
    assert len(stub.batches.files) == 1
    assert world.ask(1, tier=None, user="at a screen") is not None
    world.pass_time()
    world.make()

    assert [batch.requests for batch in world.made_batches.all()] == [2]
    assert len(stub.batches.files) == 1, "the file before is deleted"
    world.make()
    assert [message["args"][0] for message in world.sent_again()] == ["a1-u1"], "its message has the answer at once"
    stub.batches.run()
    world.pass_time()
    world.look()

    assert len(world.sent_again()) == 2
    assert (len(stub.batches.paid), len(stub.requests)) == (2, 1), "nothing is paid for twice"
    reserved, settled, released, unknown = world.money()
    assert (reserved, unknown) == (settled + released, 0)


def test_what_is_asked_at_once_while_a_batch_has_it_is_shared_at_once_and_booked_when_the_batch_comes(
    world: World, stub: Any
) -> None:
    for number in range(2):
        world.ask(number, user=f"u{number}")
    world.make()
    assert world.ask(1, tier=None, user="at a screen") is not None
    world.make()
    [message] = world.sent_again()
    assert (message["args"][0], world.run(message).from_cache) == ("a1-u1", True), "it does not wait for the batch"
    assert world.ask(1, user="later").from_cache

    stub.batches.run()
    world.pass_time()
    world.look()
    world.look()

    assert [message["args"][0] for message in world.sent_again()] == ["a0-u0"]
    assert sorted(row["user_id"] for row in world.usage()) == ["u0", "u1"], "the batch's answer is booked for its user"
    assert [row["user_id"] for row in world.usage("standard")] == ["at a screen"]
    reserved, settled, released, unknown = world.money()
    assert (reserved, unknown) == (settled + released, 0)
    now = datetime.now(UTC)
    found = paid_answers(world.database, now - timedelta(days=1), now, lifetime=timedelta(hours=1))
    assert (found.answers, found.beside_a_batch, found.doubles) == (3, 1, [])

    # Once the batch is done its answer is there for all, and to pay again is a fault.
    world.database.run(lambda one: one.execute_sql("DELETE FROM model_answer"))
    assert world.ask(0, tier=None, user="again") is not None
    world.usage()
    now = datetime.now(UTC)
    found = paid_answers(world.database, now - timedelta(days=1), now, lifetime=timedelta(hours=1))
    assert (found.beside_a_batch, [each.second for each in found.doubles]) == (1, ["a0-again"])
