"""Lines of JSON: their fields, and what must not be in them."""

import json
import logging
from typing import Any

from dramatiq import Message
from dramatiq.middleware import CurrentMessage

from growbin_jobs.engine.json_logs import JsonFormatter, describe_message

TRACE = "0af7651916cd43dd8448eb211c80319c"


def line(text: str, *arguments: Any, error: BaseException | None = None) -> dict[str, Any]:
    info = (type(error), error, error.__traceback__) if error is not None else None
    record = logging.LogRecord("a.b", logging.WARNING, "", 0, text, arguments, info)
    written = JsonFormatter("n1", lambda message: message.args[0]).format(record)
    assert "\n" not in written
    found: dict[str, Any] = json.loads(written)
    return found


def message(**options: Any) -> Message[Any]:
    return Message(queue_name="q", actor_name="a", args=("analysis-1", "secret"), kwargs={}, options=options)


def test_a_line_has_its_event_and_fields() -> None:
    found = line("message.retry actor=%(actor)s id=%(id)s", {"actor": "a", "id": "1", "in_ms": 5, "level": 30})

    assert found["ts"].endswith("+00:00")
    assert found | {"ts": "", "pid": 0} == {
        "ts": "", "pid": 0, "level": "warning", "event": "message.retry", "logger": "a.b", "node": "n1", "actor": "a",
        "message_id": "1", "in_ms": 5, "message": "message.retry actor=a id=1",
    }  # fmt: skip
    assert line("Worker has been shut down.")["event"] == "log"
    assert line("two\nlines %s", "x")["message"] == "two\nlines x"


def test_an_exception_is_its_class_and_places() -> None:
    secret = "".join(["hun", "ter2"])
    try:
        int(secret)
    except ValueError as error:
        found = line("boot.failed", error=error)

    assert found["error"] == "ValueError"
    assert "test_json_logs" in found["where"]
    assert "hunter2" not in json.dumps(found)


def test_the_message_that_runs_is_in_the_line() -> None:
    CurrentMessage._MESSAGE.set(message(retries=2, traceparent=f"00-{TRACE}-b7ad6b7169203331-01"))
    try:
        found = line("model.request model=%s", "gpt-x")
    finally:
        CurrentMessage._MESSAGE.set(None)

    assert {key: found[key] for key in ("actor", "queue", "attempt", "subject", "trace_id")} == {
        "actor": "a", "queue": "q", "attempt": 3, "subject": "analysis-1", "trace_id": TRACE,
    }  # fmt: skip
    assert "secret" not in json.dumps(found)


def test_odd_options_and_a_subject_that_fails_hurt_nobody() -> None:
    def fail(_message: Any) -> str:
        raise KeyError

    found = describe_message(message(retries="x", traceparent=["y"]), fail)

    assert found["attempt"] == 1
    assert found.keys() == {"actor", "queue", "message_id", "attempt"}
