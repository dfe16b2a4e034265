"""How long whoever asks for depths waits while RabbitMQ is away."""

from types import SimpleNamespace

import pytest

from growbin_jobs.engine.broker.errors import BrokerUnavailable
from growbin_jobs.engine.broker.rabbitmq import inspection
from growbin_jobs.engine.broker.rabbitmq.inspection import ASKED_AGAIN, ASKED_BRIEFLY, Inspection


def test_who_asks_again_while_rabbitmq_is_away_waits_less(monkeypatch):
    waited, away = [], True

    class Channel:
        def __init__(self, link, timeout):
            waited.append(timeout)

        def __enter__(self):
            return self

        def __exit__(self, *ended):
            pass

        def count(self, queue):
            if away:
                raise BrokerUnavailable("RabbitMQ did not open a channel in time.")
            return 2 if queue == "q" else None

    monkeypatch.setattr(inspection, "AdminChannel", Channel)
    connections = SimpleNamespace(admin=None, known_queues=set)
    asking = Inspection(SimpleNamespace(connections=connections), set(), 30.0)

    for _ in range(2):
        with pytest.raises(BrokerUnavailable):
            asking.depths(["q"])
    away = False
    assert [asking.depths(["q"])["q"].ready for _ in range(2)] == [2, 2]
    assert waited == [ASKED_BRIEFLY, ASKED_AGAIN, ASKED_AGAIN, ASKED_BRIEFLY]
