"""Tries RabbitMQ for ``growbin-jobs doctor``: each server, this user's permissions, and the queues that exist."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from uuid import uuid4

import pika
from dramatiq.common import xq_name
from pika.adapters.select_connection import SelectConnection
from pika.spec import BasicProperties

from growbin_jobs.engine.broker.errors import BrokerError, BrokerRefused, BrokerUnavailable, QueueMismatch, QueueMissing
from growbin_jobs.engine.broker.port import Checked
from growbin_jobs.engine.broker.rabbitmq.admin_channel import AdminChannel
from growbin_jobs.engine.broker.rabbitmq.managed_connection import ManagedConnection
from growbin_jobs.engine.broker.rabbitmq.servers import parse_urls, shown, within
from growbin_jobs.engine.broker.rabbitmq.topology import QueueType, arguments
from growbin_jobs.engine.broker.rabbitmq.versions import caveats, version_of
from growbin_jobs.engine.errors import ConfigurationError

#: Seconds to wait for a server.
TIMEOUT = 5.0


def check(url: str, queues: Iterable[str], queue_type: QueueType, setting: str = "GROWBIN_BROKER_URL") -> Checked:
    """Try each server and return where they are. Creates nothing, and takes no message.

    Parameters:
      url: As :class:`growbin_jobs.engine.broker.rabbitmq.broker.RabbitBroker`.
      queues: Those that workers will use; what exists of them must have our properties.
      queue_type: Kind of queue that workers will declare.
      setting: Where the URL comes from, in errors.

    Raises:
      ConfigurationError: With what is wrong and how to mend it; never with the password.
    """
    names = tuple(dict.fromkeys(queues))
    found, problems, versions, answers = [], [], set[str](), False
    for server in parse_urls(url, setting):
        try:
            version = _try(server, names, queue_type)
        except (BrokerError, ConfigurationError) as error:
            problems.append(f"{shown(server)}: {error}")
            answers |= not isinstance(error, BrokerUnavailable)
        else:
            found.append(f"{version} at {shown(server)}")
            versions.add(version)
    if not found:
        check_it = "" if answers else f" Check {setting} and whether RabbitMQ runs there."
        raise ConfigurationError(" ".join(problems) + check_it)
    said = dict.fromkeys(caveat for version in sorted(versions) for caveat in caveats(version, queue_type))
    return Checked("RabbitMQ " + ", ".join(found) + "".join(f" (but {problem})" for problem in problems), tuple(said))


def _try(server: pika.URLParameters, queues: tuple[str, ...], queue_type: QueueType) -> str:
    """Return the server's version. Raises with what is wrong."""
    versions: list[str] = []
    alarms: list[str] = []

    def note(connection: SelectConnection) -> None:
        versions.append(version_of(connection.server_properties))
        connection.add_on_connection_blocked_callback(lambda _, frame: alarms.append(str(frame.method.reason)))

    link = ManagedConnection("doctor", within([server], TIMEOUT), patient=False, on_open=note)
    try:
        with AdminChannel(link, 2 * TIMEOUT) as channel:
            channel.connect()
            problems = list(_problems(channel, queues, queue_type))
    except BrokerUnavailable as error:
        if not alarms:
            raise
        # It says so at the first message that comes, and takes none until the alarm is over.
        raise ConfigurationError(
            f"RabbitMQ takes no messages: {alarms[-1]}. Free memory or disk on its machine, or raise "
            "vm_memory_high_watermark or lower disk_free_limit there."
        ) from error
    finally:
        link.close()
    if problems:
        raise ConfigurationError(_told_once(problems))
    return versions[-1]


def _told_once(problems: Sequence[tuple[str, Exception]]) -> str:
    """Return one sentence for each kind of problem, with the names of the queues that have it, too."""
    kinds: dict[type[Exception], list[tuple[str, Exception]]] = {}
    for name, problem in problems:
        kinds.setdefault(type(problem), []).append((name, problem))
    sentences = []
    for kind in kinds.values():
        first, others = kind[0], list(dict.fromkeys(name for name, _ in kind[1:] if name != kind[0][0]))
        sentences.append(f"{first[1]}" + (f" The same with {', '.join(others)}." if others else ""))
    return " ".join(sentences)


def _problems(channel: AdminChannel, queues: tuple[str, ...], queue_type: QueueType) -> Iterator[tuple[str, Exception]]:
    """Try what workers do, as far as that changes nothing; return what is refused, and why."""
    try:
        # Mandatory, and for a queue that nobody has: it comes back if this user may write.
        channel.publish(f"growbin.doctor.{uuid4()}", b"", BasicProperties())
    except QueueMissing:
        pass
    except BrokerRefused as refusal:
        yield "publishing", refusal
    for queue in queues:
        for name, own in arguments(queue, queue_type).items():
            ready = channel.count(name)
            if ready is None:  # a worker declares it
                continue
            try:
                channel.declare(name, own)
            except (BrokerRefused, QueueMismatch) as problem:
                yield name, problem
            try:
                if not ready and name != xq_name(queue):
                    channel.get(name)  # nothing comes, unless in this moment; then it goes back
            except BrokerRefused as refusal:
                yield name, refusal
