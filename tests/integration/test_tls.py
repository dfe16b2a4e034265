"""TLS to real RabbitMQ and PostgreSQL: work under threads and greenlets, and certificates not to be trusted."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from dramatiq import Message

from growbin_jobs.checks import run_checks
from growbin_jobs.engine.broker.rabbitmq.broker import RabbitBroker
from growbin_jobs.engine.central.upgrade import upgrade
from growbin_jobs.models import SCHEMA
from growbin_jobs.settings import load
from growbin_jobs.wiring import central_database

SERVICES = Path(__file__).resolve().parents[2] / "scripts" / "services"
HERE = Path(__file__).parent
NOW = datetime.now(UTC)


@dataclass
class Servers:
    """Addresses of both servers with TLS, and the authorities that signed their certificates."""

    amqp: str
    amqp_authority: str
    postgres: str
    postgres_authority: str

    def trusted(self) -> dict[str, str]:
        """Return settings as a person would write them."""
        return {
            "GROWBIN_BROKER_URL": f"{self.amqp}?cacertfile={self.amqp_authority}",
            "DATABASE_URL": f"{self.postgres}&sslrootcert={self.postgres_authority}",
        }


@pytest.fixture(scope="module")
def postgres_with_tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A PostgreSQL of its own: where TLS is offered, every client of the run would use it."""
    place = ["--only", "postgres", "--dir", str(tmp_path_factory.mktemp("postgres"))]
    up = [sys.executable, SERVICES, "up", *place, "--with-pid", str(os.getpid()), "--json"]
    facts = json.loads(subprocess.run(up, capture_output=True, text=True, check=True).stdout)["postgres"]
    with contextlib.closing(psycopg2.connect(facts["url"])) as connection:
        connection.autocommit = True
        for statement in ("ALTER SYSTEM SET ssl = on", "SELECT pg_reload_conf()"):
            connection.cursor().execute(statement)
    trusted = f"{facts['tls_url']}&sslrootcert={facts['authority']}"
    deadline = time.monotonic() + 20
    while True:  # the reload has no signal
        try:
            psycopg2.connect(trusted).close()
            break
        except psycopg2.OperationalError:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    yield facts
    subprocess.run([sys.executable, SERVICES, "down", *place], check=True, capture_output=True)


@pytest.fixture
def servers(rabbitmq_server: dict[str, Any], rabbitmq_url: str, postgres_with_tls: dict[str, Any]) -> Servers:
    return Servers(
        amqp=rabbitmq_server["tls_url"].removesuffix("%2F") + urlsplit(rabbitmq_url).path[1:],
        amqp_authority=rabbitmq_server["authority"],
        postgres=postgres_with_tls["tls_url"],
        postgres_authority=postgres_with_tls["authority"],
    )


@pytest.mark.parametrize("program", [pytest.param("dramatiq", marks=pytest.mark.before_release), "dramatiq-gevent"])
def test_a_worker_runs_and_its_keeper_copies_over_tls(
    program: str, servers: Servers, postgres_with_tls: dict[str, Any], start_product: Callable[..., Any]
) -> None:
    with contextlib.closing(central_database(load(database_url=servers.trusted()["DATABASE_URL"]))) as database:
        upgrade(database, SCHEMA)
    product = start_product(program=program, **servers.trusted())
    task_id = product.send("word")

    with contextlib.closing(psycopg2.connect(postgres_with_tls["url"])) as watching:
        watching.autocommit = True
        cursor = watching.cursor()

        def copied() -> bool:
            cursor.execute("SELECT count(*) FROM tasks WHERE status = 'completed' AND task_id = %s", (task_id,))
            return cursor.fetchone() == (1,)

        product.until(copied, "the run in the central database")
        cursor.execute(
            "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)"
            " WHERE application_name = 'growbin-jobs'"
        )
        assert cursor.fetchone() == (True,)


def test_large_messages_pass_in_pieces(servers: Servers) -> None:
    broker = RabbitBroker(url=servers.trusted()["GROWBIN_BROKER_URL"], middleware=[])
    sent = {f"{n}" * 3_000_000 for n in range(3)}
    with contextlib.closing(broker):
        broker.declare_queue("large")
        with ThreadPoolExecutor(3) as threads:
            list(threads.map(lambda text: broker.enqueue(Message("large", "act", (text,), {}, {})), sent))
        consumer = broker.consume("large", prefetch=3, timeout=20_000)
        got = [next(consumer) for _ in sent]
        for message in got:
            consumer.ack(message)
        consumer.close()

    assert {message.args[0] for message in got} == sent


# --- what is not trusted


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, str]]:
    """Return what doctor finds failed, with these settings."""

    def ask(**settings: str) -> dict[str, str]:
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("GROWBIN_DATA_DIR", str(tmp_path / "data"))
        monkeypatch.setenv("GROWBIN_DATABASE_TIMEOUT", "2")
        return {found.what: found.detail for found in run_checks() if found.status == "failed"}

    return ask


def test_an_authority_that_nobody_named_is_not_trusted(servers: Servers, said: Callable[..., dict[str, str]]) -> None:
    found = said(GROWBIN_BROKER_URL=servers.amqp, DATABASE_URL=f"{servers.postgres}&sslrootcert=/no/such.pem")

    assert "its certificate is not trusted: self-signed certificate in certificate chain" in found["broker"]
    assert "?cacertfile=" in found["broker"]
    assert 'root certificate file "/no/such.pem" does not exist' in found["database"]
    assert "sslrootcert=/path/ca.pem in DATABASE_URL" in found["database"]


def test_another_authority_is_not_trusted(servers: Servers, said: Callable[..., dict[str, str]]) -> None:
    crossed = Servers(servers.amqp, servers.postgres_authority, servers.postgres, servers.amqp_authority)
    found = said(**crossed.trusted())

    assert "its certificate is not trusted" in found["broker"]
    assert "certificate verify failed. Its certificate has expired, or another authority" in found["database"]


def test_a_server_of_another_name_is_not_trusted(servers: Servers, said: Callable[..., dict[str, str]]) -> None:
    found = said(**{name: url.replace("@localhost:", "@127.0.0.1:") for name, url in servers.trusted().items()})

    assert "certificate is not valid for '127.0.0.1'" in found["broker"]
    assert 'does not match host name "127.0.0.1"' in found["database"]


def test_an_expired_certificate_is_not_trusted(tmp_path: Path, said: Callable[..., dict[str, str]]) -> None:
    authority = expired(tmp_path)
    with serving(tmp_path) as amqps, serving(tmp_path, greeting=8, answer=b"S") as postgres:
        found = said(
            GROWBIN_BROKER_URL=f"amqps://u:s3cret@localhost:{amqps}/v?cacertfile={authority}",
            DATABASE_URL=f"postgresql://u:s3cret@localhost:{postgres}/d?sslmode=verify-full&sslrootcert={authority}",
        )

    assert "certificate has expired" in found["broker"]
    assert "Its certificate has expired, or" in found["database"]
    assert "s3cret" not in str(found)


def test_where_one_speaks_tls_and_the_other_does_not(
    servers: Servers, rabbitmq_url: str, postgres_url: str, said: Callable[..., dict[str, str]]
) -> None:
    found = said(
        GROWBIN_BROKER_URL=f"amqps{rabbitmq_url.removeprefix('amqp')}", DATABASE_URL=f"{postgres_url}?sslmode=require"
    )
    assert "speaks no TLS. Write amqp://" in found["broker"]
    assert "server does not support SSL" in found["database"]
    assert "Turn TLS on there" in found["database"]

    assert "perhaps TLS (amqps://)" in said(GROWBIN_BROKER_URL=f"amqp{servers.amqp.removeprefix('amqps')}")["broker"]


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("cacertfile=/no/such.pem", "cacertfile '/no/such.pem' cannot be read"),
        ("cacertfile=/etc/passwd", "must be PEM files"),
        ("certfile=/etc/passwd&heartbeat=9", "must be PEM files"),
        ("keyfile=/etc/passwd", "keyfile needs certfile"),
        ("verify=verify_none", "is no AMQP URL"),
        ("cacertfile=", "cannot be read"),
    ],
)
def test_files_that_cannot_be_used_are_named(query: str, reason: str, said: Callable[..., dict[str, str]]) -> None:
    found = said(GROWBIN_BROKER_URL=f"amqps://u:s3cret@localhost:1/v?{query}")

    assert reason in str(found)
    assert "s3cret" not in str(found)


def expired(folder: Path) -> Path:
    """Write a certificate of localhost that ended yesterday, signed by itself; return its path."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=9))
        .not_valid_after(NOW - timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    own = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(own)
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return folder / "certificate.pem"


@contextlib.contextmanager
def serving(folder: Path, greeting: int = 0, answer: bytes = b"") -> Iterator[int]:
    """A port that begins TLS with the certificate in a folder, after so many bytes and an answer."""
    terms = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    terms.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            with contextlib.suppress(OSError), peer:
                if greeting:
                    peer.recv(greeting)
                    peer.sendall(answer)
                terms.wrap_socket(peer, server_side=True).close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
