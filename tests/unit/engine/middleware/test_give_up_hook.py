import dramatiq
import pytest

from growbin_jobs.engine.delivery.delivery import Delivery
from growbin_jobs.errors import Permanent, Transient
from growbin_jobs.failure_recording import record_failure_of


@pytest.fixture
def stage(recording_broker):
    @dramatiq.actor(broker=recording_broker, on_give_up=record_failure_of("vision"))
    def look(analysis_id, s3_path):
        pass

    return look


@pytest.mark.parametrize(
    ("call", "user"),
    [
        (("a1", "s3://b/uploads/u1/a1/original.jpg"), "u1"),
        (("a1", "s3://b/k"), ""),
        (("a1", None), ""),
        (("a1",), ""),
    ],
)
def test_a_stage_that_is_given_up_is_reported_by_message_for_its_user(recording_broker, stage, run, call, user):
    delivery = run(stage, Permanent("object_missing"), *call)

    [(record, delay)] = recording_broker.sent
    assert delivery.failed
    assert (record.actor_name, record.queue_name, delay) == ("record_failure", "failure_recording", None)
    params = {"user_id": user}
    assert record.kwargs == {"analysis_id": "a1", "stage": "vision", "code": "object_missing", "params": params}


@pytest.mark.parametrize(
    ("call", "user"), [(("u1", "/x", "a1"), "u1"), ((None, "/x", "a1"), ""), ((["u1"], "/x", "a1"), "")]
)
def test_an_upload_is_reported_for_its_user(recording_broker, run, call, user):
    @dramatiq.actor(broker=recording_broker, on_give_up=record_failure_of("upload"))
    def upload(user_id, image_path, analysis_id):
        pass

    run(upload, Permanent("picture_truncated"), *call)

    [(record, _)] = recording_broker.sent
    assert (record.kwargs["analysis_id"], record.kwargs["params"]) == ("a1", {"user_id": user})


def test_a_stage_whose_call_names_no_user_says_none(recording_broker, run):
    @dramatiq.actor(broker=recording_broker, on_give_up=record_failure_of("rule"))
    def rule(analysis_id, item):
        pass

    run(rule, Permanent("object_missing"), "a1", "x")

    [(record, _)] = recording_broker.sent
    assert record.kwargs["params"] == {}


def test_each_death_is_reported_under_an_id_of_its_own(recording_broker, stage):
    original = stage.message("a1", "s3://b/k")
    retried = original.copy(options={"deferrals": 1})  # by a person: see growbin_jobs.engine.delivery.reruns

    def told(message):
        delivery = Delivery(message, None)
        delivery.given_up = ("object_missing", {})
        delivery.fail()
        recording_broker.emit_after("process_message", delivery)
        return recording_broker.sent[-1][0].message_id

    assert told(original) == told(original.copy())
    assert told(retried) != told(original)


def test_a_retry_reports_nothing(recording_broker, stage, run):
    run(stage, Transient("odd"), "a1", "s3://b/k")

    assert [message.actor_name for message, _ in recording_broker.sent] == ["look"]


def test_an_actor_that_is_no_stage_reports_nothing(recording_broker, run):
    @dramatiq.actor(broker=recording_broker)
    def sweep(analysis_id):
        pass

    assert run(sweep, Permanent("object_missing"), "a1").failed
    assert recording_broker.sent == []


def test_a_call_without_an_analysis_is_dead_all_the_same(recording_broker, stage, run):
    assert run(stage, TypeError("no arguments")).failed
    assert recording_broker.sent == []


def test_a_failure_that_cannot_be_told_is_not_settled(recording_broker, stage, run):
    recording_broker.away = True

    delivery = run(stage, Permanent("object_missing"), "a1", "s3://b/k")

    assert delivery.requeued
    assert not delivery.failed
