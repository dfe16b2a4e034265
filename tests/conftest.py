"""Private servers for tests: one RabbitMQ, PostgreSQL and S3 server for the run, a fresh corner of them for each test.

A test gets what it asks for by name (``rabbitmq_url``, ``postgres_url``, ``s3_server``) and carries the marker
``services`` from that alone. The servers are those of ``GROWBIN_TEST_SERVICES_DIR`` when a caller has them up, else
this run starts its own at the first test that wants one, shares them between its processes, and ends them;
``scripts/services`` does the work. A server that cannot be had fails the test with the reason: no skipping.
"""

import gc
import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import hypothesis
import pytest
from tests import command_line, service_models
from tests.lent_database import LentDatabase
from tests.whole import WHOLE, examples

from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.engine.central.upgrade import upgrade
from growbin_jobs.engine.delivery import lifecycle
from growbin_jobs.models import SCHEMA

pytest_plugins = ("tests.forked_run",)

SERVICES = Path(__file__).resolve().parents[1] / "scripts" / "services"
GIVEN_DIR = "GROWBIN_TEST_SERVICES_DIR"
OWN_DIR = "GROWBIN_TEST_OWN_SERVICES"  # folder and pid of the run that owns it, for its processes

#: Byte code is kept, whatever the environment says: else each of some thousand processes compiles the product again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

#: Commands speak the language of the terminal, and tests read what they say.
os.environ["LC_ALL"] = "C.UTF-8"
os.environ.pop("GROWBIN_LANGUAGE", None)
sys.dont_write_bytecode = False

# Until all tests are collected: they and the modules stay.
gc.disable()

# Its deadline of an example, and its check that examples are made quickly, would fail on a machine that is busy.
hypothesis.settings.register_profile(
    "busy",
    max_examples=examples(100),
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
    parent=hypothesis.settings.default,
)
hypothesis.settings.load_profile("busy")

#: What the table of a delivery's life does not allow fails a test; a worker logs it.
lifecycle.strict = True

#: Keepers of tests do not fight for one port; a test of metrics chooses its own.
os.environ.setdefault("GROWBIN_METRICS_PORT", "0")
os.environ.setdefault("GROWBIN_SCHEDULER_METRICS_PORT", "0")

SERVER_FIXTURES = frozenset({"rabbitmq_server", "postgres_server", "s3_process"})


@dataclass(frozen=True)
class S3Server:
    """A bucket of its own on the private S3 server. ``AWS_*`` in the environment hold its keys during the test.

    Attributes:
      endpoint_url: Address of the server.
      bucket: An empty bucket, deleted after the test.
      access_key, secret_key, region: What the usual AWS chain finds.
    """

    endpoint_url: str
    bucket: str
    access_key: str
    secret_key: str
    region: str

    @property
    def url(self) -> str:
        """The value of GROWBIN_OBJECT_STORE_URL."""
        return f"s3://{self.bucket}"


def pytest_configure(config: pytest.Config) -> None:
    """Name the folder of this run's servers before its processes inherit the environment."""
    if not os.environ.get(GIVEN_DIR):
        os.environ[OWN_DIR] = f"{tempfile.gettempdir()}/growbin-test-{uuid4().hex[:12]}:{os.getpid()}"


def pytest_unconfigure(config: pytest.Config) -> None:
    """End this run's servers. After a crash, their own watcher does it."""
    own = os.environ.get(OWN_DIR)
    if own:
        folder, _, _ = own.rpartition(":")
        if Path(folder).exists():
            _services("down", "--dir", folder)
            shutil.rmtree(folder, ignore_errors=True)
        del os.environ[OWN_DIR]


def pytest_collection_finish() -> None:
    """From now on look for garbage, but not among some million objects that stay to the end."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """Start what all processes of the run use, before they are forked."""
    if (session.config.option.processes or 0) > 1:
        command_line.share()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what uses a server, so that nobody can forget to, and leave out what waits for a release; before ``-m``."""
    for item in items:
        if SERVER_FIXTURES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker("services")
    late = set() if WHOLE else {item for item in items if item.get_closest_marker("before_release")}
    if late:
        config.hook.pytest_deselected(items=[*late])
        items[:] = [item for item in items if item not in late]


def _services(*arguments: str) -> str:
    done = subprocess.run([sys.executable, SERVICES, *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.fail(f"scripts/services {arguments[0]} failed. {done.stderr.strip()}", pytrace=False)
    return done.stdout


def _up(name: str) -> dict[str, Any]:
    """Return the facts of a server that answers, starting it when it is ours to start."""
    given = os.environ.get(GIVEN_DIR)
    if given:
        _services("env", "--dir", given, "--only", name)  # fails with a sentence when it is not up
        arguments = ["status", "--dir", given]
    else:
        folder, _, pid = os.environ[OWN_DIR].rpartition(":")
        arguments = ["up", "--dir", folder, "--with-pid", pid]
    facts: dict[str, Any] = json.loads(_services(*arguments, "--only", name, "--json"))[name]
    return facts


# --- RabbitMQ


@pytest.fixture(scope="session")
def rabbitmq_server() -> dict[str, Any]:
    """Facts of the private node: port, management_port, user, password, rabbitmqctl."""
    return _up("rabbitmq")


@pytest.fixture
def rabbitmq_url(rabbitmq_server: dict[str, Any]) -> Iterator[str]:
    """amqp:// URL of a vhost of its own, deleted after the test with everything in it."""
    yield from _vhost(rabbitmq_server)


@pytest.fixture(scope="session")
def shared_rabbitmq_url(rabbitmq_server: dict[str, Any]) -> Iterator[str]:
    """amqp:// URL of one vhost for all tests of this process whose queues have names of their own.

    To make a vhost, and the delay queues in it, takes longer than most of these tests.
    """
    yield from _vhost(rabbitmq_server)


def _vhost(rabbitmq_server: dict[str, Any]) -> Iterator[str]:
    vhost = f"test-{uuid4().hex[:12]}"
    _management(rabbitmq_server, "PUT", f"/api/vhosts/{vhost}")
    yield rabbitmq_server["url"].removesuffix("%2F") + vhost
    _management(rabbitmq_server, "DELETE", f"/api/vhosts/{vhost}")
    assert not (left := _links_to(vhost)), f"close what was opened: {left} would try to connect for ever"


def _links_to(vhost: str) -> list[str]:
    """Return the names of this process's connections to a vhost that nobody has closed."""
    from growbin_jobs.engine.broker.rabbitmq import loop_thread
    from growbin_jobs.engine.broker.rabbitmq.managed_connection import ManagedConnection

    return [
        link.label
        for link in list(loop_thread._started)
        if isinstance(link, ManagedConnection)
        and not link.closing
        and link._thread is not None
        and link._parameters[0].virtual_host == vhost
    ]


@pytest.fixture(scope="session")
def rabbitmq_management_url(rabbitmq_server: dict[str, Any]) -> str:
    """http:// URL of the management API, user and password inside."""
    url: str = rabbitmq_server["management_url"]
    return url


@pytest.fixture(scope="session")
def rabbitmq_management(rabbitmq_server: dict[str, Any]) -> Callable[..., None]:
    """The management API of the private node: takes a method, a path below ``/api`` and what to send as JSON.

    Where it can do the same, it is a hundred times faster than :func:`rabbitmq_control`, which starts an Erlang system.
    """

    def manage(method: str, path: str, content: object | None = None) -> None:
        _management(rabbitmq_server, method, f"/api{path}", content)

    return manage


@pytest.fixture(scope="session")
def rabbitmq_control(rabbitmq_server: dict[str, Any]) -> Callable[..., str]:
    """``rabbitmqctl`` of the private node: takes its arguments, returns what it printed, raises when it fails."""

    def control(*arguments: str) -> str:
        tool = rabbitmq_server["rabbitmqctl"]
        command = [*tool["command"], "--quiet", *arguments]
        return subprocess.run(command, env=tool["env"], capture_output=True, text=True, check=True, timeout=60).stdout

    return control


def _management(server: dict[str, Any], method: str, path: str, content: object | None = None) -> None:
    data = None if content is None else json.dumps(content).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{server['management_port']}{path}", data, method=method)
    request.add_header("Content-Type", "application/json")
    pair = b64encode(f"{server['user']}:{server['password']}".encode()).decode()
    request.add_header("Authorization", f"Basic {pair}")
    with urllib.request.urlopen(request, timeout=30):
        pass


# --- PostgreSQL


@pytest.fixture(scope="session")
def postgres_server() -> dict[str, Any]:
    """Facts of the private server: url of its first database, port, user, password, psql."""
    return _up("postgres")


@pytest.fixture
def postgres_url(postgres_server: dict[str, Any]) -> Iterator[str]:
    """postgresql:// URL of an empty database of its own, dropped after the test even while it is in use."""
    yield from _postgres_database(postgres_server, "template1")


@pytest.fixture(scope="session")
def postgres_template(postgres_server: dict[str, Any]) -> Iterator[str]:
    """Name of a database with the current schema and nothing in it, to be copied."""
    for url in _postgres_database(postgres_server, "template1"):
        with closing(open_database(url, default_path=Path(), pool_size=1, timeout=60)) as database:
            upgrade(database, SCHEMA)
        yield url.rpartition("/")[2]


@pytest.fixture
def upgraded_postgres_url(postgres_server: dict[str, Any], postgres_template: str) -> Iterator[str]:
    """postgresql:// URL of a database of its own with the current schema, dropped after the test.

    A copy takes a tenth of the time that all migrations take.
    """
    yield from _postgres_database(postgres_server, postgres_template)


@pytest.fixture(scope="session")
def lent_databases(postgres_server: dict[str, Any]) -> Iterator[list[LentDatabase]]:
    """Databases with the current schema that nobody uses now."""
    free: list[LentDatabase] = []
    yield free
    for each in free:
        _drop_database(postgres_server, each.url)


@pytest.fixture
def lent_postgres_url(
    postgres_server: dict[str, Any], postgres_template: str, lent_databases: list[LentDatabase]
) -> Iterator[str]:
    """postgresql:// URL of a database with the current schema, emptied after the test and used by the next one.

    For tests that leave no process behind: it would disturb another test.
    """
    if lent_databases:
        lent = lent_databases.pop()
    else:
        lent = LentDatabase(_create_database(postgres_server, postgres_template))
    yield lent.url
    if lent.returned():
        lent_databases.append(lent)
    else:
        _drop_database(postgres_server, lent.url)


def _postgres_database(server: dict[str, Any], template: str) -> Iterator[str]:
    url = _create_database(server, template)
    yield url
    _drop_database(server, url)


def _create_database(server: dict[str, Any], template: str) -> str:
    name = f"test_{uuid4().hex[:12]}"
    # Files are copied: PostgreSQL's default writes each page into its log, which takes twice the time here.
    _sql(server, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
    return str(server["url"]).rpartition("/")[0] + f"/{name}"


def _drop_database(server: dict[str, Any], url: str) -> None:
    _sql(server, f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)")


def _sql(server: dict[str, Any], statement: str) -> None:
    import psycopg2

    connection = psycopg2.connect(server["url"])
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
    finally:
        connection.close()


# --- S3


@pytest.fixture(scope="session")
def s3_process() -> dict[str, Any]:
    """Facts of the private S3 server: endpoint_url, access_key, secret_key, region, pids."""
    return _up("s3")


@pytest.fixture(scope="session")
def s3_admin(s3_process: dict[str, Any]) -> Any:
    """A boto3 client that sees all buckets."""
    import boto3
    from botocore.config import Config

    service_models.share()
    return boto3.client(
        "s3",
        endpoint_url=s3_process["endpoint_url"],
        aws_access_key_id=s3_process["access_key"],
        aws_secret_access_key=s3_process["secret_key"],
        region_name=s3_process["region"],
        config=Config(s3={"addressing_style": "path"}),
    )


@pytest.fixture
def s3_server(s3_process: dict[str, Any], s3_admin: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    """A bucket of its own; the environment holds its keys, as the usual AWS chain wants them."""
    server = S3Server(
        endpoint_url=s3_process["endpoint_url"],
        bucket=f"test-{uuid4().hex[:12]}",
        access_key=s3_process["access_key"],
        secret_key=s3_process["secret_key"],
        region=s3_process["region"],
    )
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", server.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", server.secret_key)
    monkeypatch.setenv("AWS_DEFAULT_REGION", server.region)
    s3_admin.create_bucket(Bucket=server.bucket)
    yield server
    s3_admin.delete_bucket(Bucket=server.bucket)  # with all that is in it; AWS would refuse, this server does not
