"""What happens between the processes and their servers."""

from __future__ import annotations

import time
from typing import Literal

from faults.installation import WORKER, Installation
from faults.jobs import mixed
from faults.links import Link

Server = Literal["broker", "database"]


def link_to(server: Server, installation: Installation) -> Link:
    """Return the link to a server."""
    link = installation.broker_link if server == "broker" else installation.database_link
    assert link
    return link


def connections_reset(installation: Installation) -> None:
    """Connections are reset with messages prefetched and running; some time later the worker is killed."""
    installation.await_begun(4)
    for _ in range(3):
        link_to("broker", installation).cut()
        time.sleep(0.3)
    installation.await_begun(12)
    installation.workers[WORKER].kill()


def answers_lost(server: Server, installation: Installation) -> None:
    """What is sent arrives, the answers are held up, and then the connections are cut."""
    installation.await_begun(4)
    link = link_to(server, installation)
    link.stall("from")
    time.sleep(0.5)
    link.cut()
    link.open()


def down_for(server: Server, seconds: float, installation: Installation) -> None:
    """A server cannot be reached for some seconds; producers go on."""
    installation.await_begun(4)
    link = link_to(server, installation)
    link.down()
    installation.hand_in(mixed(8), wait=False)
    time.sleep(seconds)
    link.open()


def slow_links(installation: Installation) -> None:
    """All links are slow, and hold everything up now and then."""
    links = [link_to("broker", installation), link_to("database", installation)]
    for turn in range(8):
        for link in links:
            link.latency = 0.02
        link = links[turn % 2]
        link.stall("to" if turn % 4 < 2 else "from")
        time.sleep(0.3)
        link.open()


def overtaken_by_the_clock(installation: Installation) -> None:
    """A run's outbox cannot be published for longer than its actor's time limit."""
    installation.hand_in({"limited": 8})
    installation.await_begun(1)
    link = link_to("broker", installation)
    link.stall("to")
    time.sleep(3.0)
    link.open()
