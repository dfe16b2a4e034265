"""Probes that cost money: guards agree before, and know afterwards what came of it."""

import json
from dataclasses import dataclass, field

import pytest

from growbin_jobs.adapters.llm.guards import PlannedRequest
from growbin_jobs.adapters.probing.probe import Answer
from growbin_jobs.errors import Deferred, Permanent, Transient
from growbin_jobs.platform.health.paid_probes import PaidProbes
from growbin_jobs.platform.tables.registry import CheckedModel

MODEL = CheckedModel("1", "m1", "http://server/v1", None, None, True)
PLANNED = PlannedRequest("m1", "probe", 5, 256)
BODY = json.dumps({"model": "m1-2026", "usage": {"prompt_tokens": 9, "completion_tokens": 2}}).encode()


@dataclass
class Watch:
    """A guard and a meter that note what they are told."""

    refusal: Exception | None = None
    again: Exception | None = None
    asked: list = field(default_factory=list)
    records: list = field(default_factory=list)

    def admit(self, request):
        self.asked.append(request.purpose)
        if self.refusal:
            raise self.refusal
        return self

    def begin(self):
        self.asked.append("again")
        if self.again:
            raise self.again

    def release(self):
        self.asked.append("released")

    def settle(self, record, failure):
        self.asked.append(type(failure).__name__)

    def record(self, request):
        self.records.append((request.outcome, request.billed, request.status))


def sent(watch, answer):
    servers = []
    probes = PaidProbes(lambda base_url: servers.append(base_url) or [watch], watch)
    try:
        return probes(MODEL, PLANNED, lambda: answer)
    finally:
        assert servers == ["http://server/v1"]


def test_what_an_answer_took_is_recorded():
    watch = Watch()

    assert sent(watch, Answer(http_status=200, body=BODY)).http_status == 200

    assert watch.asked == ["probe", "again", "NoneType"]
    assert watch.records == [("answered", "yes", 200)]


@pytest.mark.parametrize(
    ("answer", "failure", "record"),
    [
        (Answer(http_status=500), Transient, ("failed", "no", 500)),
        (Answer(http_status=429), Deferred, ("rate_limited", "no", 429)),
        (Answer(http_status=401), Permanent, ("denied", "no", 401)),
        (Answer(http_status=302), Permanent, ("rejected", "no", 302)),
        (Answer(failure="timeout"), Transient, ("timeout", "unknown", None)),
        (Answer(failure="not connected"), Transient, ("unreachable", "no", None)),
    ],
)
def test_a_failure_is_judged_as_of_any_paid_call_and_the_check_sees_the_answer(answer, failure, record):
    watch = Watch()
    watch.settle = lambda _, error: watch.asked.append(isinstance(error, failure))

    assert sent(watch, answer) is answer

    assert watch.asked == ["probe", "again", True]
    assert watch.records == [record]


@pytest.mark.parametrize("when", ["refusal", "again"])
@pytest.mark.parametrize("error", [Deferred("full", wait=5), Permanent("model_quota_exhausted", detail="x")])
def test_nothing_is_sent_that_a_guard_refuses(when, error):
    watch = Watch(**{when: error})

    with pytest.raises(type(error)):
        sent(watch, None)

    assert watch.records == []
    assert watch.asked[-1] == ("probe" if when == "refusal" else "released")
