"""The guard: what a message is told, and who probes."""

import logging

import pytest

from growbin_jobs.adapters.llm.attribution import Attribution
from growbin_jobs.adapters.llm.errors import BILLED_RETRIES, from_response
from growbin_jobs.adapters.llm.guards import ModelAway, PlannedRequest, admitted
from growbin_jobs.adapters.llm.meter import ModelRequest
from growbin_jobs.errors import Deferred, Permanent, Transient
from growbin_jobs.limits.breaker import RAMP
from growbin_jobs.limits.breaker_failures import FIRST_HOLD, OPERATOR_PAUSE, THRESHOLDS
from growbin_jobs.limits.breaker_guard import ASKS_AGAIN, SUSPECTED_WAIT, BreakerGuard
from growbin_jobs.limits.breaker_last_look import LastLook
from growbin_jobs.limits.breaker_store import MemoryBreakers


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def breakers(clock):
    return MemoryBreakers(clock=clock)


@pytest.fixture
def looked_up():
    return []


@pytest.fixture
def guard(breakers, clock, looked_up):
    return BreakerGuard(
        breakers, server="host:8000", look_up=looked_up.append, per_minute={"vision": 100.0}, clock=clock,
        sleep=clock.sleep,
    )  # fmt: skip


def request(message="a", model="m"):
    return PlannedRequest(model, "vision", 1000, 100, attribution=Attribution(message_id=message))


def end(guard, failure=None, *, status=None, message="a", **headers):
    """Send one request that ends so; return what its message is told."""
    held = guard.admit(request(message))
    record = ModelRequest("m", "vision")
    record.status = status
    record.rate_headers = headers
    record.outcome = "answered" if failure is None else record._outcome_of(failure)
    return held.settle(record, failure)


def response(status, code=None, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return from_response(status, {"error": {"code": code, "message": "x"}}, named, model="m")


def quota(guard, message="a"):
    return end(guard, response(429, "insufficient_quota"), status=429, message=message)


def test_a_spent_quota_parks_everybody_and_is_told_once(guard, breakers, clock, caplog):
    with caplog.at_level(logging.INFO):
        told = quota(guard)

    assert isinstance(told, ModelAway)
    assert (told.reason, told.wait) == ("model_quota_exhausted", OPERATOR_PAUSE)
    with pytest.raises(ModelAway) as refused:
        guard.admit(request("b"))
    assert refused.value.wait == OPERATOR_PAUSE
    clock.now += OPERATOR_PAUSE
    again = quota(guard, "b")
    assert again.wait == OPERATOR_PAUSE
    told = [line for line in caplog.messages if line.startswith("breaker.needs_operator")]
    assert len(told) == 1
    assert "name=model:m@host:8000 reason=model_quota_exhausted" in told[0]
    assert "breakers reset" in told[0]

    clock.now += OPERATOR_PAUSE
    assert end(guard, message="c") is None
    assert breakers.all()[0][0].state == "closed"


def test_a_failure_that_may_be_an_outage_spends_no_retry_until_others_were_served(guard, clock):
    failure = Transient("HTTP 500")

    first = end(guard, failure, status=500)
    assert isinstance(first, ModelAway)
    assert first.wait == SUSPECTED_WAIT
    clock.now += 5
    assert isinstance(end(guard, failure, status=500), ModelAway), "nobody was served meanwhile"
    clock.now += 5
    assert end(guard, status=200, message="another") is None

    clock.now += 5
    assert end(guard, failure, status=500) is None, "the error stays as it is, and spends a retry"


def test_a_request_that_is_refused_alone_is_given_up_once_others_were_served(guard, clock):
    failure = response(400)

    assert isinstance(end(guard, failure, status=400), ModelAway)
    clock.now += 1
    end(guard, status=200, message="another")
    assert end(guard, failure, status=400) is None


def test_a_time_out_of_its_own_is_tried_no_more_often_than_before(guard, clock):
    failure = Transient("no answer", max_retries=BILLED_RETRIES)
    end(guard, failure)
    clock.now += 1
    end(guard, status=200, message="another")

    own = end(guard, failure)

    assert isinstance(own, Transient)
    assert own.max_retries == BILLED_RETRIES - 1


def test_a_message_without_a_name_keeps_its_error_while_the_breaker_is_closed(guard):
    assert end(guard, Transient("HTTP 500"), status=500, message=None) is None
    for _ in range(THRESHOLDS["outage"] - 2):
        end(guard, Transient("HTTP 500"), status=500, message=None)

    assert isinstance(end(guard, Transient("HTTP 500"), status=500, message=None), ModelAway)


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (Transient("unusable", final_code="model_answer_invalid"), 200),
        (Permanent("model_refused"), 400),
        (Permanent("model_request_too_large", limit=30000, requested=30601), 429),
    ],
)
def test_what_says_nothing_against_the_server_stays_as_it_is(guard, breakers, failure, status):
    for _ in range(20):
        assert end(guard, failure, status=status) is None

    assert breakers.all() == []


def test_too_large_a_request_is_given_up_at_once_with_its_numbers(guard):
    """Aider-AI/aider#1880."""
    body = {"error": {"code": "rate_limit_exceeded", "message": "Request too large: Limit 30000, Requested 30601."}}
    failure = from_response(429, body, {})

    assert end(guard, failure, status=429) is None
    assert (failure.code, failure.params) == ("model_request_too_large", {"limit": 30000, "requested": 30601})


def limited(guard, held, wait):
    record = ModelRequest("m", "vision")
    record.status, record.outcome, record.latency = 429, "rate_limited", 0.5
    return held.settle(record, response(429, retry_after=wait))


def test_a_429_keeps_everybody_away_for_as_long_as_the_server_asks(guard, clock):
    first, second = guard.admit(request("a")), guard.admit(request("b"))
    for held, wait in ((first, "45"), (second, "5")):
        assert limited(guard, held, wait).wait == 45

    with pytest.raises(ModelAway):
        guard.admit(request("c"))
    clock.now += 45
    guard.admit(request("c"))


@pytest.mark.parametrize("wait", ["301", "7200", "86400", "2000000"])
def test_a_long_wait_is_told_once_obeyed_within_bounds_and_ended_by_a_person(guard, breakers, clock, caplog, wait):
    """And by a probe: one request tries again, and the others only then."""
    longest = min(float(wait), 3600.0)
    under_way = [guard.admit(request(name)) for name in ("a", "b")]
    for held in under_way:
        assert limited(guard, held, wait).wait == ASKS_AGAIN, "its message looks again, since a person may end it"
    [(breaker, _)] = breakers.all()
    assert (breaker.state, breaker.reason, breaker.open_until - clock.now) == ("open", "rate_limited", longest)
    assert [line for line in caplog.messages if line.startswith("breaker.")] == [
        f"breaker.opened name=model:m@host:8000 reason=rate_limited next_probe_in={longest:.0f}"
    ]

    clock.now += ASKS_AGAIN
    with pytest.raises(ModelAway) as refused:
        guard.admit(request("c"))
    assert refused.value.pauses_queue
    breakers.reset("model:m@host:8000")
    assert end(guard, status=200, message="c") is None

    clock.now += RAMP
    limited(guard, guard.admit(request("d")), wait)
    clock.now += longest
    probe = guard.admit(request("e"))
    with pytest.raises(ModelAway):
        guard.admit(request("f"))
    assert limited(guard, probe, wait).wait == ASKS_AGAIN
    assert len([line for line in caplog.messages if line.startswith("breaker.opened")]) == 2


@pytest.mark.parametrize("wait", ["inf", "1e300", "-5", "nan", "0", "Wed, 21 Oct 2999 07:28:00 GMT"])
def test_a_wait_that_nobody_can_mean_is_no_advice(guard, breakers, clock, wait):
    limited(guard, guard.admit(request("a")), wait)

    [(breaker, _)] = breakers.all()
    assert (breaker.state, breaker.open_until - clock.now) == ("closed", FIRST_HOLD)


def test_a_gone_model_is_looked_up_before_anything_is_sent(guard, clock, looked_up, breakers):
    gone = response(404, "model_not_found")
    end(guard, gone, status=404)
    clock.now += OPERATOR_PAUSE

    guard._look_up = lambda _: (_ for _ in ()).throw(gone)
    with pytest.raises(ModelAway) as refused:
        guard.admit(request("b"))
    assert (refused.value.reason, refused.value.wait) == ("model_not_offered", OPERATOR_PAUSE)

    clock.now += OPERATOR_PAUSE
    guard._look_up = looked_up.append
    assert end(guard, status=200, message="c") is None
    assert looked_up == ["m"]
    assert breakers.all()[0][0].state == "closed"


def test_a_probe_that_another_guard_refuses_is_left_to_the_next(guard, clock):
    class Refuses:
        def admit(self, request):
            raise Deferred("not now", wait=1)

    quota(guard)
    clock.now += OPERATOR_PAUSE
    with pytest.raises(Deferred), admitted([guard, Refuses()], request("b")):
        pytest.fail("nothing may be sent")

    assert end(guard, status=200, message="c") is None


def test_a_request_that_waited_for_its_turn_is_not_sent_into_an_outage(guard, clock):
    waiting = request("slow")
    held = guard.admit(waiting)
    quota(guard, "b")

    LastLook(guard).admit(waiting)  # within a second of its admission it is not asked again
    clock.now += 5
    with pytest.raises(ModelAway):
        LastLook(guard).admit(waiting)
    held.release()


def test_a_probe_is_not_stopped_by_its_own_breaker(guard, clock):
    quota(guard)
    clock.now += OPERATOR_PAUSE
    probe = request("b")
    guard.admit(probe)
    clock.now += 5

    LastLook(guard).admit(probe).release()


def test_what_happened_while_the_database_is_away_costs_nobody_anything(guard, breakers, monkeypatch):
    def away(*_args, **_options):
        raise Deferred("the database is away", wait=5)

    held = guard.admit(request())
    monkeypatch.setattr(breakers, "failed", away)
    record = ModelRequest("m", "vision")
    record.status, failure = 401, Permanent("model_access_denied", status=401)
    record.outcome = "denied"

    assert isinstance(held.settle(record, failure), Deferred)


def test_a_server_that_tells_of_a_lower_limit_slows_us_down_and_a_daily_one_does_not(guard, breakers, clock):
    daily = {"requests": "10000", "remaining": "9999", "reset": "8.64s"}
    minute = {"requests": "60", "remaining": "59", "reset": "1s"}
    minus = {"requests": "-1", "remaining": "-1", "reset": "0s"}
    for told in (daily, minus):
        end(guard, status=200, **headers(told))
    assert breakers.all() == []

    end(guard, status=200, **headers(minute))
    guard.admit(request("b"))
    before = clock.now
    guard.admit(request("c"))
    assert clock.now - before == pytest.approx(1.0, abs=0.05)


def headers(told):
    return {
        "x-ratelimit-limit-requests": told["requests"],
        "x-ratelimit-remaining-requests": told["remaining"],
        "x-ratelimit-reset-requests": told["reset"],
    }
