"""The schedule of an engine of one's own: declared beside it, found by it, each due time done once."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from dramatiq import Message, Worker
from tests.waiting import until

from growbin_jobs.engine import Engine, EngineConfig
from growbin_jobs.engine.central.upgrade import upgrade
from growbin_jobs.engine.periodic.cron import Cron, Every
from growbin_jobs.errors import ConfigurationError
from growbin_jobs.scheduler.jobs import RunLatest
from growbin_jobs.scheduler.ledger import Ledger
from growbin_jobs.scheduler.overview import Overview
from growbin_jobs.scheduler.schedule import Schedule, rule_of, schedule_of
from growbin_jobs.scheduler.sending import message_of

UTC = ZoneInfo("UTC")
DUE = datetime.now(UTC).isoformat()


@pytest.fixture
def engine(tmp_path):
    return Engine(EngineConfig(data_dir=tmp_path, node="n1", source="shop:engine"))


@pytest.fixture
def schedule(engine):
    return Schedule(engine)


def test_a_job_is_an_actor_and_a_row_of_the_schedule(engine, schedule):
    @schedule.job("5 0 * * *", queue_name="nightly", max_retries=3)
    def close_day(due, since, until):
        """Close it."""

    @schedule.job(timedelta(minutes=5), name="prices.refresh", after="close_day")
    def refresh():
        """Refresh them."""

    assert [(job.name, job.when, job.route.queue, job.after) for job in schedule.jobs] == [
        ("close_day", Cron("5 0 * * *"), "nightly", None),
        ("prices.refresh", Every(300), "default", "close_day"),
    ]
    assert schedule.jobs[0].catch_up == RunLatest(timedelta(days=1))
    assert (close_day.queue_name, close_day.options["max_retries"], close_day.fn.__doc__) == ("nightly", 3, "Close it.")
    assert engine.broker.actors.keys() == {"close_day", "prices.refresh"}
    assert schedule_of(engine) is schedule
    assert schedule.config.schema[-1] == "growbin_jobs.scheduler"


@pytest.mark.parametrize(
    "wrong", ["61 * * * *", "every day", "0 0 31 2 *", timedelta(0), timedelta(seconds=-5), timedelta(seconds=1.5)]
)
def test_a_rule_that_is_none_is_refused_when_it_is_declared(schedule, wrong):
    with pytest.raises(ConfigurationError):
        schedule.job(wrong)(lambda: None)
    assert schedule.jobs == ()


def test_rules_are_taken_as_they_are(schedule):
    assert [rule_of(rule) for rule in (Cron("* * * * *"), Every(7), "0 9 * * mon", timedelta(hours=1))] == [
        Cron("* * * * *"), Every(7), Cron("0 9 * * mon"), Every(3600),
    ]  # fmt: skip


def test_what_cannot_be_a_job_is_refused_in_words(engine, schedule):
    async def sleep():
        """Nobody would wait for it."""

    def job():
        """Do it."""

    schedule.job("* * * * *")(job)
    for wrong, declare in {
        "already": lambda: schedule.job("* * * * *")(job),
        "before it": lambda: schedule.job("* * * * *", name="b", after="nobody")(job),
        "coroutine": lambda: schedule.job("* * * * *")(sleep),
        "a schedule already": lambda: Schedule(engine),
    }.items():
        with pytest.raises(ConfigurationError, match=wrong):
            declare()
    with pytest.raises(ValueError, match="no_such_option"):
        schedule.job("* * * * *", name="c", no_such_option=1)(job)
    assert [each.name for each in schedule.jobs] == ["job"]


def test_a_due_time_is_done_once_with_what_the_function_takes(engine, schedule):
    ran = []

    @schedule.job("5 0 * * *")
    def whole(due, since, until):
        ran.append((due, since, until))

    @schedule.job("5 0 * * *")
    def nothing():
        ran.append(())

    @schedule.job("5 0 * * *", max_retries=0)
    def first_fails(**given):
        ran.append(tuple(given))
        if len(ran) == 3:
            raise RuntimeError

    given = {"due": DUE, "since": "a", "until": "b"}
    for actor in (whole, whole, nothing, nothing):
        actor.fn(**given)
    with pytest.raises(RuntimeError):
        first_fails.fn(**given)
    first_fails.fn(**given)
    first_fails.fn(**given)
    assert ran == [(DUE, "a", "b"), (), ("due", "since", "until"), ("due", "since", "until")]


def test_a_worker_runs_what_the_ledger_claims_and_it_is_noted(engine, schedule):
    ran = []

    @schedule.job(timedelta(hours=1), max_retries=0)
    def hourly(due, since):
        ran.append((due, since))

    upgrade(engine.central(), schedule.config.schema)
    ledger = Ledger(engine.central(), "test")
    ledger.registry.register(schedule.jobs, UTC)
    [job] = schedule.jobs
    ledger.run_now(job, due=None, by="a test")
    [claim] = ledger.advance(job)
    message: Message = message_of(claim, job.route)
    engine.broker.enqueue(message)
    assert ledger.sent(claim)
    worker = Worker(engine.broker, worker_threads=1)
    worker.start()
    try:
        [view] = Overview(engine.central(), schedule.jobs, UTC).jobs()
        until(lambda: Overview(engine.central(), schedule.jobs, UTC).jobs()[0].last.outcome == "done")
    finally:
        worker.stop()
    assert (view.job, ran) == ("hourly", [(claim.due.isoformat(), claim.since.isoformat())])
