"""Where faults are staged: a whole installation that is well, and the means to spoil one thing in it."""

from __future__ import annotations

import contextlib
import shutil
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import pika.frame
import pika.spec
import psycopg2
import pytest
from tests.waiting import until

from growbin_jobs.engine.central import lock_holders

SECRET = "hunter2"

#: Bytes with which nothing that we read begins.
JUNK = b"this is no database " * 500


class Stage:
    """One test's installation.

    Parameters:
      request: Gives the shared servers, when a fault wants one.
      folder: For everything.
      data: The data folder, in which all is well.
    """

    def __init__(self, request: pytest.FixtureRequest, patch: pytest.MonkeyPatch, folder: Path, data: Path) -> None:
        self._request, self.patch, self.folder, self.data = request, patch, folder, data
        self.ends = contextlib.ExitStack()
        self.junk = folder / "file"
        self.junk.write_bytes(JUNK)

    def __getitem__(self, fixture: str) -> Any:
        return self._request.getfixturevalue(fixture)

    def without(self, *modules: str, reimported: tuple[str, ...] = ()) -> dict[str, str]:
        """Take packages away, as if they were not installed."""
        for name in reimported:
            self.patch.delitem(sys.modules, name, raising=False)
        for name in modules:
            self.patch.setitem(sys.modules, name, None)
        return {}

    def link(self) -> Path:
        """Return a link that leads nowhere."""
        (self.folder / "link").symlink_to(self.folder / "nowhere" / "at all")
        return self.folder / "link"

    def rules(self, **files: str) -> dict[str, str]:
        """Make a folder of rules: those that are installed, and these."""
        from growbin_jobs.adapters.rulefiles import rules_folder

        shutil.copytree(rules_folder(None), self.folder / "rules")
        for name, text in files.items():
            (self.folder / "rules" / f"{name}.json").write_text(text)
        return {"GROWBIN_RULES_DIR": str(self.folder / "rules")}

    # --- RabbitMQ

    def rabbitmq(self, *, vhost: str = "", password: str = "", **rights: str) -> dict[str, str]:
        """Return the private RabbitMQ's address, with another part, or of a user with such rights, the rest whole."""
        parts = urlsplit(self["rabbitmq_url"])
        at = f"{parts.hostname}:{parts.port}/{vhost or parts.path[1:]}"
        if not rights:
            return {"GROWBIN_BROKER_URL": f"amqp://{parts.username}:{password or parts.password}@{at}"}
        manage, user = self["rabbitmq_management"], f"u{uuid4().hex[:8]}"
        manage("PUT", f"/users/{user}", {"password": SECRET, "tags": ""})
        self.ends.callback(manage, "DELETE", f"/users/{user}")
        manage("PUT", f"/permissions{parts.path}/{user}", dict.fromkeys(("configure", "write", "read"), ".*") | rights)
        return {"GROWBIN_BROKER_URL": f"amqp://{user}:{SECRET}@{at}"}

    def used(self) -> str:
        """Let a worker declare its queues on the private RabbitMQ; return its address."""
        from growbin_jobs.engine.broker.rabbitmq.broker import RabbitBroker

        broker = RabbitBroker(url=self["rabbitmq_url"], middleware=[])
        broker.declare_queue("user_input")
        broker.get_queue_message_counts("user_input")
        broker.close()
        return str(self["rabbitmq_url"])

    # --- PostgreSQL

    def sql(self, *statements: str, url: str | None = None) -> None:
        """Run statements as the owner of the test's database, or at another address."""
        with contextlib.closing(psycopg2.connect(url or self["upgraded_postgres_url"])) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)

    def role(self, *statements: str) -> dict[str, str]:
        """Return the address of the test's database for a role of its own, after statements about ``{role}``."""
        url, role = self["upgraded_postgres_url"], f"role_{uuid4().hex[:8]}"
        self.sql(f"CREATE ROLE {role} LOGIN PASSWORD '{SECRET}'")
        # What it may do goes with its database, which is dropped before.
        self.ends.callback(self.sql, f"DROP ROLE {role}", url=self["postgres_server"]["url"])
        self.sql(*(statement.format(role=role) for statement in statements))
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        return {"DATABASE_URL": urlunsplit(parts._replace(netloc=f"{role}:{SECRET}@{host}"))}

    def database(self, *statements: str, old: str = "", new: str = "", end: str = "") -> dict[str, str]:
        """Return the address of the test's database, after statements, with something in it replaced."""
        url = self["upgraded_postgres_url"]
        if statements:
            self.sql(*statements)
        return {"DATABASE_URL": (url.replace(old, new, 1) if old else url + new) + end}

    def locked(self, by: str, *, waits: str | None = None) -> dict[str, str]:
        """Let somebody keep a transaction open after a statement, and another one wait for what it has locked."""
        url = self["upgraded_postgres_url"]
        self.patch.setattr(lock_holders, "_APART", 0.01)

        def wait() -> None:
            with contextlib.suppress(psycopg2.Error):  # its database is dropped before the other one lets go
                self.sql(waits or "")

        waiting = threading.Thread(target=wait) if waits else None
        if waiting:
            self.ends.callback(waiting.join)
        holder = self.ends.enter_context(contextlib.closing(psycopg2.connect(url, application_name="psql")))
        holder.cursor().execute(by)
        if waiting:
            waiting.start()
            with contextlib.closing(psycopg2.connect(url)) as asking, asking.cursor() as cursor:
                asked = "SELECT count(*) FROM pg_locks WHERE NOT granted"
                until(lambda: cursor.execute(asked) or cursor.fetchone() != (0,), "it waits")
        return {"DATABASE_URL": url, "GROWBIN_DATABASE_TIMEOUT": "0.5"}

    def encoded(self, encoding: str) -> dict[str, str]:
        """Return the address of a database in another encoding."""
        url, name = self["postgres_server"]["url"], f"encoded_{uuid4().hex[:8]}"
        self.sql(f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0", url=url)
        self.ends.callback(self.sql, f"DROP DATABASE {name} WITH (FORCE)", url=url)
        return {"DATABASE_URL": url.rpartition("/")[0] + f"/{name}"}

    # --- S3 and model servers

    def s3(self, status: int, code: str = "", **headers: str) -> dict[str, str]:
        """Return the settings of a store that answers everything so."""
        body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>m</Message></Error>" if code else "<html>hi"
        return self.bucket("pictures", self.answering(status, body.encode(), **headers))

    def bucket(self, name: str, endpoint: str, key: str | None = "KEY") -> dict[str, str]:
        """Return the settings of a bucket at an address."""
        keys = {} if key is None else {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": SECRET}
        return keys | {
            "GROWBIN_OBJECT_STORE_URL": f"s3://{name}",
            "GROWBIN_S3_ENDPOINT_URL": endpoint,
            "GROWBIN_S3_TIMEOUT": "2",
        }

    def model(self, status: int, body: bytes, **env: str) -> dict[str, str]:
        """Return the settings of a model server that answers everything so."""
        return {"OPENAI_API_KEY": f"sk-{SECRET}", "OPENAI_BASE_URL": self.answering(status, body) + "/v1", **env}

    def answering(self, status: int, body: bytes, **headers: str) -> str:
        """Return the address of a web server with one answer."""

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.send_response(status)
                for name, value in ({"Content-Type": _type_of(body)} | headers).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = answer  # noqa: N815

            def log_message(self, *_: object) -> None: ...

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        self.ends.callback(server.server_close)
        self.ends.callback(server.shutdown)
        return f"http://127.0.0.1:{server.server_port}"

    # --- ports

    def port(self, says: bytes | Callable[[socket.socket], None] | None = None) -> int:
        """Return a port that says something to whoever connects and speaks first; nothing (b""); or hangs up (None)."""
        listener = socket.create_server(("127.0.0.1", 0))
        held: list[socket.socket] = []

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    peer, _ = listener.accept()
                    held.append(peer)
                    if callable(says):
                        says(peer)
                    elif says is None:
                        peer.close()
                    elif says:
                        peer.recv(8)
                        peer.sendall(says)

        threading.Thread(target=serve, daemon=True).start()
        self.ends.callback(lambda: [peer.close() for peer in held])
        self.ends.callback(listener.close)
        self.ends.callback(listener.shutdown, socket.SHUT_RDWR)
        return int(listener.getsockname()[1])

    def closed_port(self) -> int:
        """Return a port at which nobody listens."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            return int(taken.getsockname()[1])


def alarmed(peer: socket.socket) -> None:
    """Be a RabbitMQ that has let somebody in, and takes no messages since its disk is full."""
    spec = pika.spec

    def say(channel: int, method: Any) -> None:
        peer.sendall(pika.frame.Method(channel, method).marshal())

    def hear() -> Iterator[tuple[int, Any]]:
        data = b""
        while chunk := peer.recv(65536):
            data += chunk
            while data:
                used, frame = pika.frame.decode_frame(data)
                if frame is None:
                    break
                data = data[used:]
                yield frame.channel_number, getattr(frame, "method", None)

    peer.recv(8)
    say(
        0,
        spec.Connection.Start(
            0,
            9,
            {
                "version": "4.0.5",
                "capabilities": {"connection.blocked": True, "publisher_confirms": True, "basic.nack": True},
            },
            "PLAIN",
            "C",
        ),
    )
    answers: Mapping[type, Callable[[], Any]] = {
        spec.Connection.StartOk: lambda: spec.Connection.Tune(2047, 131072, 0),
        spec.Connection.Open: spec.Connection.OpenOk,
        spec.Channel.Open: spec.Channel.OpenOk,
        spec.Confirm.Select: spec.Confirm.SelectOk,
        spec.Basic.Publish: lambda: spec.Connection.Blocked("low on disk"),
        spec.Connection.Close: spec.Connection.CloseOk,
    }
    with contextlib.suppress(OSError):
        for channel, method in hear():
            if type(method) in answers:
                answer = answers[type(method)]()
                say(0 if isinstance(answer, spec.Connection.Blocked) else channel, answer)


def refusing(words: str) -> Callable[[socket.socket], None]:
    """Be a PostgreSQL that lets nobody in, without TLS, and says why."""

    def refuse(peer: socket.socket) -> None:
        peer.recv(1024)
        fields = b"SFATAL\0VFATAL\0C08P01\0M" + words.encode() + b"\0\0"
        peer.sendall(b"E" + (len(fields) + 4).to_bytes(4, "big") + fields)
        peer.close()

    return refuse


def _type_of(body: bytes) -> str:
    return "text/html" if body.startswith(b"<html") else "application/json"
