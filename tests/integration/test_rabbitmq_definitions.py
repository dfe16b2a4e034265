"""What scripts/rabbitmq_definitions prints, imported into a real RabbitMQ: our user can do its work and no more."""

import json
import secrets
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pika
import pytest
import requests

from growbin_jobs.engine.broker.rabbitmq.check import check
from growbin_jobs.engine.broker.rabbitmq.topology import arguments
from growbin_jobs.names import GROUPS

ROOT = Path(__file__).parents[2]
QUEUES = [queue for group in GROUPS.values() for queue in group.queues]


def printed(folder, *arguments, password=None):
    file = folder / "password"
    file.write_text(f"{password or secrets.token_hex(16)}\n")
    command = [sys.executable, ROOT / "scripts" / "rabbitmq_definitions", "--password-file", file, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


@pytest.fixture(scope="module")
def own_user(tmp_path_factory, rabbitmq_server):
    """The URL of a user of the definitions, in a virtual host of them."""
    name, password = f"test-{uuid4().hex[:12]}", secrets.token_hex(16)
    done = printed(tmp_path_factory.mktemp("d"), "--vhost", name, "--user", name, password=password)
    assert done.returncode == 0, done.stderr
    assert password not in done.stdout
    with requests.Session() as management:
        management.auth = (rabbitmq_server["user"], rabbitmq_server["password"])
        address = f"http://127.0.0.1:{rabbitmq_server['management_port']}/api"
        management.post(f"{address}/definitions", json=json.loads(done.stdout), timeout=60).raise_for_status()
        assert [row["name"] for row in management.get(f"{address}/policies/{name}", timeout=60).json()] == ["growbin"]
        yield f"amqp://{name}:{password}@127.0.0.1:{rabbitmq_server['port']}/{name}"
        management.delete(f"{address}/vhosts/{name}", timeout=60).raise_for_status()
        management.delete(f"{address}/users/{name}", timeout=60).raise_for_status()


def test_our_user_declares_publishes_and_consumes(own_user):
    connection = pika.BlockingConnection(pika.URLParameters(own_user))
    channel = connection.channel()
    for name, own in arguments("user_input", "quorum").items():
        channel.queue_declare(name, durable=True, arguments=own)
    channel.confirm_delivery()
    channel.basic_publish("", "user_input", b"{}", mandatory=True)
    method, _, _ = channel.basic_get("user_input")
    channel.basic_reject(method.delivery_tag, requeue=False)
    channel.queue_declare("growbin.delay.v1.quorum.000000001s", durable=True, arguments={"x-queue-type": "quorum"})
    channel.exchange_declare("growbin.delay.v1.due", "headers", durable=True)
    connection.close()

    assert check(own_user, QUEUES, "quorum").where.startswith("RabbitMQ ")


@pytest.mark.parametrize("queue", ["somebody_else", "user_input2", "xuser_input"])
def test_it_touches_nothing_else(own_user, queue):
    connection = pika.BlockingConnection(pika.URLParameters(own_user))

    with pytest.raises(pika.exceptions.ChannelClosedByBroker, match="access"):
        connection.channel().queue_declare(queue, durable=True)
    connection.close()


def test_a_password_is_hashed_with_new_salt_each_time(tmp_path):
    first, second = (json.loads(printed(tmp_path, password="a" * 20).stdout)["users"][0] for _ in range(2))

    assert first["password_hash"] != second["password_hash"]


def test_copies_are_a_policy_only_where_they_are_asked_for(tmp_path):
    plain, copied = (json.loads(printed(tmp_path, *extra).stdout) for extra in ((), ("--copies", "3")))

    assert "target-group-size" not in plain["policies"][0]["definition"]
    assert copied["policies"][0]["definition"]["target-group-size"] == 3


@pytest.mark.parametrize(("password", "words"), [("short", "fewer than 16")])
def test_a_weak_password_is_refused(tmp_path, password, words):
    done = printed(tmp_path, password=password)

    assert done.returncode != 0
    assert words in done.stderr
