"""What doctor says about a version of RabbitMQ."""

import pytest

from growbin_jobs.engine.broker.rabbitmq.versions import caveats, version_of


@pytest.mark.parametrize(
    ("version", "queue_type", "said"),
    [
        ("3.9.29", "quorum", [("warning", "too old")]),
        ("3.10.8", "quorum", [("warning", "out of its makers' support")]),
        ("3.13.7", "classic", [("warning", "out of its makers' support")]),
        ("4.0.5", "quorum", [("ok", "max_message_size")]),
        ("4.2.0", "classic", [("ok", "delivery-limit"), ("warning", "one server only")]),
        ("4.3.0-rc.1", "quorum", [("ok", "delivery-limit"), ("ok", "consumer_timeout")]),
        ("4.10.1", "quorum", [("ok", "delivery-limit"), ("ok", "consumer_timeout")]),
        ("5.0.0", "quorum", [("ok", "delivery-limit"), ("ok", "consumer_timeout")]),
        ("?", "quorum", [("warning", "does not say its version")]),
    ],
)
def test_each_series_has_its_caveats(version, queue_type, said):
    found = list(caveats(version, queue_type))

    assert [status for status, _ in found] == [status for status, _ in said]
    for (_, sentence), (_, words) in zip(found, said, strict=True):
        assert words in sentence


@pytest.mark.parametrize(
    "properties", [None, {}, {"version": b"4"}, {"version": 4}, {"version": "\x1b[31m"}, {"version": "9" * 99}]
)
def test_a_server_may_say_anything(properties):
    assert version_of(properties) == "?"
