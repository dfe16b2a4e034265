"""What a completion hook is told, and what its answers mean."""

import json
from datetime import UTC, datetime
from functools import partial

import pytest
from tests.own_records import own_records
from tests.stubs.webhook_receiver import receiver

from growbin_jobs.adapters.probing.probe import Prober
from growbin_jobs.adapters.probing.public import networks
from growbin_jobs.adapters.webhooks.posting import post
from growbin_jobs.adapters.webhooks.signing import is_genuine
from growbin_jobs.errors import Transient
from growbin_jobs.limits.breaker_store import MemoryBreakers
from growbin_jobs.limits.hook_guard import ASKED_EACH, HookGuard
from growbin_jobs.models.analysis_view import Analysis
from growbin_jobs.states import AnalysisStatus
from growbin_jobs.storage.completions import Completions

SECRET = "a secret of sixteen bytes"
AT = datetime(2026, 11, 29, 1, 2, 3, tzinfo=UTC)
NONE = dict.fromkeys(Analysis.__dataclass_fields__)
DONE = Analysis(**NONE | {
    "id": "a1", "user_id": "u1", "status": AnalysisStatus.COMPLETED, "response": "라벨을 떼요.", "created_at": AT,
    "updated_at": AT, "completed_at": AT, "s3_path": "s3://b/uploads/u1/a1/original.jpg",
})  # fmt: skip


@pytest.fixture
def hook():
    with receiver() as its:
        yield its


def completions(hook, analysis, *, url=None, seconds=5.0):
    prober = Prober(allowed=networks(["127.0.0.0/8"]))

    def send(message_id, body):
        return post(prober, url or hook.url, message_id, body, SECRET, seconds=seconds)

    return Completions({analysis.id: analysis}.get, send)


def changed(**values):
    return Analysis(**{name: getattr(DONE, name) for name in NONE} | values)


def test_an_end_is_told_signed_and_under_the_same_id_when_it_is_told_again(hook):
    telling = completions(hook, DONE)

    assert [telling.tell("a1"), telling.tell("a1")] == [200, 200]

    headers, body = hook.got[0]
    assert is_genuine(headers, body, SECRET)
    assert not is_genuine(headers, body + b" ", SECRET)
    message = json.loads(body)
    assert (message["type"], message["timestamp"]) == ("analysis.completed", AT.isoformat())
    assert (message["data"]["id"], message["data"]["response"]) == ("a1", "라벨을 떼요.")
    assert b"s3://" not in body
    assert hook.ids == [hook.ids[0]] * 2


def test_another_end_has_another_id(hook):
    completions(hook, DONE).tell("a1")
    completions(hook, changed(status=AnalysisStatus.FAILED, completed_at=None, error_code="model_refused")).tell("a1")

    assert len(set(hook.ids)) == 2
    assert json.loads(hook.got[1][1])["type"] == "analysis.failed"


@pytest.mark.parametrize(
    "analysis", [changed(status=AnalysisStatus.UPLOADED), changed(id="other"), changed(user_id=None)]
)
def test_what_has_no_end_no_row_or_nobody_is_not_told(hook, analysis):
    assert completions(hook, analysis).tell("a1") is None
    assert Completions({"a1": DONE}.get, None).tell("a1") is None
    assert hook.got == []


@pytest.mark.parametrize("answer", [500, 503, 429, 404, 302, "cut"])
def test_a_hook_that_does_not_take_it_is_told_again_later(hook, answer):
    hook.answer = answer

    with pytest.raises(Transient) as raised:
        completions(hook, DONE).tell("a1")

    assert raised.value.final_code == "completion_not_told"
    assert "token=hidden" not in str(raised.value)
    assert len(hook.got) == 1


def test_a_hook_that_hangs_holds_nobody_for_long(hook):
    hook.answer = "hang"
    try:
        with pytest.raises(Transient, match="no answer in time"):
            completions(hook, DONE, seconds=0.2).tell("a1")
    finally:
        hook.let_go()


def test_a_hook_that_is_gone_is_told_once_an_hour_and_makes_no_dead_letters(hook, caplog):
    now, telling = [1_000_000.0], completions(hook, DONE)
    breakers = MemoryBreakers(clock=lambda: now[0])
    guarded = Completions({"a1": DONE}.get, HookGuard(breakers, "completion@127.0.0.1", telling._post).post)
    hook.answer = 410

    assert [guarded.tell("a1") for _ in range(5)] == [410] * 5
    assert len(hook.got) == 1, "it wants no more"
    [(status, _)] = breakers.all()
    assert (status.state, status.reason) == ("operator", "hook_gone")
    assert [line.message.split()[0] for line in own_records(caplog)] == ["breaker.needs_operator"]

    now[0] += ASKED_EACH + 1
    assert [guarded.tell("a1"), guarded.tell("a1"), len(hook.got)] == [410, 410, 2]
    now[0] += ASKED_EACH + 1
    hook.answer = 503
    with pytest.raises(Transient):
        guarded.tell("a1")
    hook.answer = 200
    assert [guarded.tell("a1"), guarded.tell("a1"), len(hook.got)] == [200, 200, 5], "it is back"

    hook.answer = 410
    assert guarded.tell("a1") == 410
    hook.answer = 200
    breakers.reset("completion@127.0.0.1")
    assert guarded.tell("a1") == 200


def test_a_private_address_needs_to_be_allowed(hook):
    send = partial(post, Prober(), hook.url, secret=SECRET)
    telling = Completions({"a1": DONE}.get, lambda message_id, body: send(message_id=message_id, body=body))

    with pytest.raises(Transient, match="GROWBIN_WEBHOOK_NETWORKS"):
        telling.tell("a1")
    assert hook.got == []
