"""Listeners: who is told, who is not any more, and that nobody is hurt by one."""

import logging

from tests.own_records import own_records

from growbin_jobs.engine import events


def emit():
    events.KEPT.emit(id="1", queue="q")


def test_a_listener_is_told_of_the_events_that_it_chose():
    told = []
    stop = events.listen(lambda event, fields: told.append((event.name, dict(fields))), events.KEPT)

    emit()
    events.KEEPER_DONE.emit(node="n")
    stop()
    emit()

    assert told == [("message.kept", {"id": "1", "queue": "q"})]


def test_one_that_chose_none_is_told_of_all():
    told = []
    stop = events.listen(lambda event, fields: told.append(event.name))

    emit()
    events.RECEIVED.emit(messages=3, queue="q")
    stop()

    assert told == ["message.kept", "message.received"]


def test_a_listener_that_raises_hurts_nobody(caplog):
    told = []

    def broken(event, fields):
        raise KeyError("mine")

    stops = [events.listen(broken, events.KEPT), events.listen(lambda *_: told.append(1), events.KEPT)]

    emit()
    for stop in stops:
        stop()

    assert told == [1]
    assert "events.listener_failed event=message.kept" in caplog.text


def test_the_log_is_a_listener(caplog):
    caplog.set_level(logging.INFO)

    emit()
    events.RESUMED.emit()

    assert [(record.levelname, record.getMessage()) for record in own_records(caplog)] == [
        ("INFO", "message.kept id=1 queue=q"),
        ("WARNING", "worker.resumed"),
    ]


def test_nobody_listens_to_what_happens_for_each_message():
    hot = (events.SENT, events.RECEIVED, events.STARTED, events.ENDED, events.COMMITTED, events.PUBLISHED,
           events.CONFIRMED, events.ACKED)  # fmt: skip

    assert [event.name for event in hot if event.listeners] == []
