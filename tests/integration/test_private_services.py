"""The real private servers: of their own, on loopback only, and gone without a trace."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import boto3
import psutil
import psycopg2
import pytest

pytestmark = pytest.mark.services

SERVICES = Path(__file__).resolve().parents[2] / "scripts" / "services"
STANDARD_PORTS = {4369, 5432, 5672, 15672, 25672, 8080, 8333, 8888, 9333, 9340, 23646, 8181, 9101}


def _services(*arguments: str | Path) -> str:
    return subprocess.run([sys.executable, SERVICES, *arguments], capture_output=True, text=True, check=True).stdout


def _up(folder: Path) -> dict[str, Any]:
    arguments = ("up", "--dir", folder, "--only", "postgres,s3", "--with-pid", str(os.getpid()), "--json")
    facts: dict[str, Any] = json.loads(_services(*arguments))
    return facts


@pytest.fixture
def folders(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    yield tmp_path / "one", tmp_path / "two"
    _services("down", "--dir", tmp_path / "one")
    _services("down", "--dir", tmp_path / "two")


def _listening(pids: list[int]) -> set[tuple[str, int]]:
    processes = [psutil.Process(pid) for pid in pids]
    family = [*processes, *(child for process in processes for child in process.children(recursive=True))]
    connections = []
    for process in family:
        with suppress(psutil.NoSuchProcess):  # a helper of a server, which has ended meanwhile
            connections += process.net_connections("inet")
    return {(item.laddr.ip, item.laddr.port) for item in connections if item.status == psutil.CONN_LISTEN}


@pytest.mark.before_release
def test_two_runs_side_by_side_share_nothing_and_up_mends_what_was_killed(folders: tuple[Path, Path]) -> None:
    one, two = _up(folders[0]), _up(folders[1])
    assert _up(folders[0]) == one

    ports_one, ports_two = (_listening(facts["postgres"]["pids"] + facts["s3"]["pids"]) for facts in (one, two))
    assert not ports_one & ports_two
    for address, port in ports_one | ports_two:
        assert address in ("127.0.0.1", "::1")
        assert port not in STANDARD_PORTS

    mended = _mended(folders[0], one)

    _services("down", "--dir", folders[0])
    gone = mended["postgres"]["pids"] + mended["s3"]["pids"]
    assert not [pid for pid in gone if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE]
    assert not Path(mended["postgres"]["data"]).exists()
    assert [path.name for path in folders[0].iterdir() if "lock" not in path.name] == []
    psycopg2.connect(two["postgres"]["url"]).close()


def _mended(folder: Path, first: dict[str, Any]) -> dict[str, Any]:
    """Kill the database of a run, and return the facts of the run that ``up`` has mended."""
    os.kill(first["postgres"]["pids"][0], signal.SIGKILL)

    second = _up(folder)

    assert second["s3"] == first["s3"]
    assert second["postgres"]["pids"] != first["postgres"]["pids"]
    assert not Path(first["postgres"]["data"]).exists()
    variables = json.loads(_services("env", "--dir", folder, "--only", "postgres,s3", "--json"))
    psycopg2.connect(variables["DATABASE_URL"]).close()
    client = boto3.client(
        "s3",
        endpoint_url=variables["GROWBIN_S3_ENDPOINT_URL"],
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        region_name=variables["AWS_DEFAULT_REGION"],
    )
    client.head_bucket(Bucket=variables["GROWBIN_OBJECT_STORE_URL"].removeprefix("s3://"))
    return second


def test_the_rabbitmq_node_and_its_port_mapper_are_ours(rabbitmq_server: dict[str, Any], rabbitmq_control: Any) -> None:
    listening = _listening(rabbitmq_server["pids"])
    assert {rabbitmq_server["port"], rabbitmq_server["management_port"]} < {port for _, port in listening}
    for address, port in listening:
        assert address in ("127.0.0.1", "::1")
        assert port not in STANDARD_PORTS
    assert len(listening) >= 4  # AMQP, management, distribution, port mapper
    assert rabbitmq_control("eval", "node().").strip().startswith("'growbin-")


def test_a_vhost_of_its_own_is_ready_to_use(rabbitmq_url: str, rabbitmq_control: Any) -> None:
    import pika

    connection = pika.BlockingConnection(pika.URLParameters(rabbitmq_url))
    channel = connection.channel()
    channel.queue_declare("q", durable=True, arguments={"x-queue-type": "quorum"})
    channel.basic_publish("", "q", b"x")

    vhost = rabbitmq_url.rpartition("/")[2]
    assert vhost in rabbitmq_control("list_vhosts", "name")
    rabbitmq_control("close_all_connections", "--vhost", vhost, "the test says so")
    with pytest.raises(pika.exceptions.ConnectionClosedByBroker):
        connection.sleep(30)
