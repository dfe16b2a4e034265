"""What goes wrong with RabbitMQ, and with the way to it."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pika

from erlang import set_memory_limit
from faults.servers import Node, Rabbit
from staged_alerts.play import Play, Stage
from staged_alerts.site import Site, until
from staged_alerts.work import NOT_SCRAPED
from stubs.tcp_gate import Gate


class Brokered(Site):
    """A site whose processes reach a RabbitMQ of its own through a gate; the producer belongs to the storage node."""

    def __init__(self, folder: Path) -> None:
        self.node = Node.own(folder.parent / "rabbitmq")
        self.rabbit = Rabbit(self.node)
        parts = urlsplit(self.rabbit.url)
        assert parts.port
        self.gate = Gate("127.0.0.1", parts.port)
        place = f"{parts.netloc.rpartition('@')[0]}@127.0.0.1:{self.gate.port}"
        super().__init__(folder, {"GROWBIN_BROKER_URL": urlunsplit(parts._replace(netloc=place))})
        self.ending.callback(self.node.remove)
        self.ending.callback(self.gate.shut)
        self.of_producer["GROWBIN_NODE"] = "storage"

    def nonsense(self) -> None:
        """Publish what is no message."""
        with pika.BlockingConnection(pika.URLParameters(self.rabbit.url)) as connection:
            connection.channel().basic_publish("", "user_input", b"no message")


def _site(folder: Path) -> Site:
    site = Brokered(folder)
    site.worker("storage")
    site.worker("ai")
    site.scheduler()
    return site


def _brokered(site: Site) -> Brokered:
    assert isinstance(site, Brokered)
    return site


def _nonsense(site: Site) -> None:
    _brokered(site).nonsense()


def _cut(site: Site) -> None:
    """Cut all connections, and let new ones through at once."""
    gate = _brokered(site).gate
    gate.shut()
    gate.open()


def _memory_alarm(site: Site) -> None:
    site.models.hang()
    site.hand_in("photos 6")
    assert site.models.wait_until_holding(4, 60)
    _brokered(site).node.evaluate(set_memory_limit(0.0))
    site.models.be_well()


def _away(site: Site) -> None:
    _brokered(site).node.evaluate(set_memory_limit(0.4))
    _brokered(site).gate.shut()
    site.hand_in("photos 60")


def _node_is_lost(site: Site) -> None:
    owed = "SELECT max(owed) FROM workers WHERE node = 'storage'"
    until(lambda: site.rows("central.db", owed)[0][0], "the centre knows what the node owes")
    site.end_producer()
    site.kill("storage")
    _brokered(site).gate.open()


BROKER = Play(
    "broker",
    _site,
    (
        Stage("somebody sends nonsense", frozenset({"GrowbinUnreadableMessages"}), _nonsense),
        Stage(
            "connections break", frozenset({"GrowbinBrokerUnstable"}), _cut, _cut,
            right=frozenset({"GrowbinNodeUnhealthy", "GrowbinQueueDataMissing"}),
        ),
        Stage("RabbitMQ's memory alarm", frozenset({"GrowbinBrokerBlocked"}), _memory_alarm),
        Stage(
            "RabbitMQ is away", frozenset({"GrowbinOutboxStands", "GrowbinQueueDataMissing"}), _away,
            right=frozenset({"GrowbinNodeUnhealthy"}),
        ),
        Stage(
            "a node is lost with what it owes", NOT_SCRAPED | {"GrowbinNodeLeftRows"}, _node_is_lost,
            right=frozenset({"GrowbinStorageStands", "GrowbinMessagesWaitLong"}),
        ),
    ),
)  # fmt: skip

PLAYS = (BROKER,)
