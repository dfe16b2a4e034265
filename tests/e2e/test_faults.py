"""What goes wrong in the world: nothing is lost, nothing is done twice, and it ends well when the world is well."""

import signal

import pytest
from tests.whole import WHOLE

from growbin_jobs.states import AnalysisStatus

pytestmark = pytest.mark.timeout(400)

COMPLETED = AnalysisStatus.COMPLETED

EMBEDDED, CLUSTERED = "embedded_online", pytest.param("clustered", marks=pytest.mark.services)


def on(usual):
    """On one kind of stack, or on both: what a worker does about its end does not depend on it."""
    return pytest.mark.parametrize("either", [EMBEDDED, CLUSTERED] if WHOLE else [usual], indirect=True)


#: No retry at all, and hardly an age to wait: what ends a message here is a mistake.
IMPATIENT = {
    "GROWBIN_UPLOAD_RETRIES": "0",
    "GROWBIN_VISION_RETRIES": "0",
    "GROWBIN_RULE_RETRIES": "0",
    "GROWBIN_RESPONSE_RETRIES": "0",
    "GROWBIN_DEFERRAL_MAX_AGE": "1",
}


def all_completed(done):
    return {analysis.status for analysis in done.values()} == {COMPLETED}


# --- the model server


def test_a_model_that_refuses_fails_the_analysis_at_once_and_one_that_stumbles_is_asked_again(
    embedded_online, openai, photos
):
    """And one that hangs is left at the deadline; a rate limit is waited for and spends no retry.

    With two retries: the rate limit must spend none, for what comes after it needs both.
    """
    openai.script("refusal", kind="vision")
    embedded_online.start(through={"GROWBIN_VISION_TIMEOUT": "3", "GROWBIN_VISION_RETRIES": "2"}, greenlets=False)

    [analysis] = embedded_online.wait(list(embedded_online.submit(photos[:1])), timeout=150).values()
    assert (analysis.status, analysis.failed_stage, analysis.error_code) == ("failed", "vision", "model_refused")
    assert openai.stats()["requests"] == 1

    stumbling = (
        ["500", "503"], ["path_item"], ["not_json"], ["drop"], ["hang"], ["429_retry_after", "500", "503"],
    )  # fmt: skip
    for photo, behaviours in zip(photos[1:], stumbling, strict=False):
        before = openai.stats()["vision"]
        openai.script(*behaviours, kind="vision")
        [analysis] = embedded_online.wait(list(embedded_online.submit([photo])), timeout=150).values()
        assert analysis.status is COMPLETED
        assert openai.stats()["vision"] - before == len(behaviours) + 1

    assert openai.holding == 1  # the call that hung is still waiting for its answer
    assert "message.deferred actor=analyze_image" in embedded_online.log("ai")
    assert "passwd" not in embedded_online.log("ai")


def test_a_spent_quota_fails_nothing_and_spends_no_retry(embedded_online, openai, photos):
    openai.script("quota", kind="vision")
    embedded_online.start(through={"GROWBIN_VISION_RETRIES": "0"}, greenlets=False, operator_pause=5.0)

    done = embedded_online.wait(list(embedded_online.submit(photos[:2])), timeout=200)

    assert all_completed(done)
    assert openai.stats()["vision"] == 3
    assert embedded_online.log("ai").count("breaker.needs_operator") == 1


# --- servers that go away


@pytest.mark.services
@pytest.mark.parametrize("gated", ["GROWBIN_S3_ENDPOINT_URL"], indirect=True)
def test_the_object_store_is_away_and_nobody_dies_of_the_wait(gated, photos):
    stack = gated.stack
    ids = stack.submit(photos[:6])
    gated.gate.shut()
    stack.start(through=gated.through | IMPATIENT | {"GROWBIN_S3_TIMEOUT": "2"})
    stack.await_log("storage", "breaker.opened name=objects reason=unreachable")
    stack.await_log("storage", "queue.paused queue=user_input")

    gated.gate.open()

    assert all_completed(stack.wait(list(ids), timeout=150))
    assert stack.times_reached("completed") == dict.fromkeys(ids, 1)
    assert "message.retry" not in stack.log("storage") + stack.log("ai")


@pytest.mark.services
@pytest.mark.parametrize("gated", ["DATABASE_URL"], indirect=True)
def test_the_database_is_away_and_nobody_dies_of_the_wait(gated, photos):
    stack = gated.stack
    ids = stack.submit(photos[:6])
    gated.gate.shut()
    stack.start(through=gated.through | IMPATIENT, greenlets=False)
    stack.await_log("storage", "queue.paused queue=user_input")

    gated.gate.open()

    assert all_completed(stack.wait(list(ids), timeout=150))
    assert stack.times_reached("completed") == dict.fromkeys(ids, 1)
    assert "queue.resumed queue=user_input" in stack.log("storage")
    assert "message.retry" not in stack.log("storage") + stack.log("ai")


@pytest.mark.services
@pytest.mark.parametrize("gated", ["DATABASE_URL"], indirect=True)
def test_the_database_goes_away_while_the_advice_is_phrased(gated, openai, photos):
    stack = gated.stack
    openai.script("hang", kind="text")
    stack.start(through=gated.through | {"GROWBIN_RESPONSE_RETRIES": "0"}, greenlets=False)
    [(analysis_id, _)] = stack.submit(photos[:1]).items()
    assert openai.wait_until_holding(1, timeout=150)

    gated.gate.shut()
    openai.release()
    stack.await_log("ai", "message.deferred actor=generate_response")
    gated.gate.open()

    assert all_completed(stack.wait([analysis_id], timeout=150))
    assert stack.times_reached("completed") == {analysis_id: 1}
    assert openai.stats()["text"] == 1  # kept on the node, and not paid for twice


@pytest.mark.services
@pytest.mark.parametrize("gated", ["GROWBIN_BROKER_URL"], indirect=True)
def test_rabbitmq_is_away_while_photos_are_handed_in(gated, photos):
    stack = gated.stack
    stack.env |= gated.through
    gated.gate.shut()
    ids = stack.submit(photos[:3])  # its process has ended: the node's keeper sends what it has kept
    assert {analysis.status for analysis in map(stack.analyses.get, ids)} == {"pending"}

    gated.gate.open()
    stack.start(greenlets=False)

    assert all_completed(stack.wait(list(ids), timeout=150))
    assert stack.times_reached("completed") == dict.fromkeys(ids, 1)


# --- workers that end


@on(EMBEDDED)
def test_a_worker_that_is_told_to_stop_finishes_its_work(either, openai, photos):
    openai.script("hang", kind="vision")
    either.start("storage", greenlets=False)
    either.start("ai", command=True)
    [(analysis_id, _)] = either.submit(photos[:1]).items()
    assert openai.wait_until_holding(1, timeout=150)

    ai = either.workers.pop("ai")
    ai.send_signal(signal.SIGTERM)
    either.await_log("ai", "Stopping worker process")
    openai.release()

    assert ai.wait(60) == 0
    either.wait_for([analysis_id], lambda analysis: analysis.status.rank >= AnalysisStatus.CLASSIFIED.rank, timeout=150)
    either.start("ai")
    assert all_completed(either.wait([analysis_id], timeout=150))
    assert set(openai.stats()["images"].values()) == {1}


@on(CLUSTERED)
def test_a_worker_that_is_killed_in_a_model_call_loses_nothing(either, openai, photos):
    openai.script("hang", kind="vision")
    either.start("storage", "ai", greenlets=False)
    ids = either.submit(photos[:3])
    assert openai.wait_until_holding(1, timeout=150)

    either.kill("ai")
    either.start("ai")

    assert all_completed(either.wait(list(ids), timeout=150))
    assert either.times_reached("completed") == dict.fromkeys(ids, 1)


@on(CLUSTERED)
def test_a_worker_that_is_killed_again_and_again_among_uploads_loses_nothing(either, photos):
    ids = either.submit(photos[: 24 if WHOLE else 12])
    either.start("ai")
    for count in (1, 8, 16) if WHOLE else (1, 6):
        either.start("storage", greenlets=False)
        either.wait_for_some(ids, AnalysisStatus.UPLOADED, count, timeout=150)
        either.kill("storage")
    either.start("storage", greenlets=False)

    assert all_completed(either.wait(list(ids), timeout=150))
    assert either.times_reached("completed") == dict.fromkeys(ids, 1)
