"""A monitor over the embedded database, asked as a browser or a script would."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from argon2 import PasswordHasher
from tests.unit.monitor.client import PEER, Client
from tests.upgraded import place

from growbin_jobs import settings as _settings
from growbin_jobs.models import SCHEMA
from growbin_jobs.monitor.app import make_app
from growbin_jobs.monitor.bootstrap import make_services
from growbin_jobs.monitor.config import MonitorConfig
from growbin_jobs.monitor.people import Grant, Role, User
from growbin_jobs.monitor.services import Services

PASSWORD = "correct horse battery"

#: Quick to check: what the tests are about is not how slow the hash is.
HASH = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)


def user(name: str, role: Role, *, personal: bool = False) -> User:
    return User(name=name, grant=Grant(role, personal), password_hash=HASH)


USERS = (
    user("vera", Role.VIEWER), user("pia", Role.VIEWER, personal=True), user("otto", Role.OPERATOR),
    user("olga", Role.OPERATOR, personal=True), user("adam", Role.ADMIN), user("ada", Role.ADMIN, personal=True),
)  # fmt: skip

CLOSED = MonitorConfig(users=USERS, language="en")


@pytest.fixture(autouse=True)
def quick_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Check the passwords of unknown names against a quick hash; ``security/test_passwords.py`` has the real one."""
    monkeypatch.setattr("growbin_jobs.monitor.security.passwords._nobody", lambda: HASH)


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    settings = _settings.load(data_dir=tmp_path / "data", language="en")
    place(settings.data_dir / "central.db", SCHEMA)
    services = make_services(settings)
    yield services
    services.close()


@pytest.fixture(scope="session")
def portal() -> Iterator[BlockingPortal]:
    """The loop in which monitors answer."""
    with start_blocking_portal() as portal:
        yield portal


@pytest.fixture
def open_monitor(services: Services, portal: BlockingPortal) -> Iterator[Callable[..., Client]]:
    """Returns a function that starts a monitor and returns a client of it; options are fields of its configuration."""
    clients: list[Client] = []

    def start(
        config: MonitorConfig = CLOSED,
        *,
        host: str = "localhost:5555",
        peer: tuple[str, int] | None = PEER,
        **options: Any,
    ) -> Client:
        client = Client(make_app(replace(config, **options), services), portal, f"http://{host}", peer)
        client.headers["accept-language"] = "en"
        clients.append(client)
        return client

    yield start
    for client in clients:
        client.close()


@pytest.fixture
def signed_in(open_monitor: Callable[..., Client]) -> Callable[..., Client]:
    """Returns a function that returns a client of a monitor in which a user is signed in by the form."""

    def sign_in(name: str, **options: Any) -> Client:
        client = open_monitor(**options)
        answer = client.post(f"{options.get('url_prefix', '')}/sign-in", data={"name": name, "password": PASSWORD})
        assert answer.status_code == 303, answer.text
        client.headers["sec-fetch-site"] = "same-origin"
        return client

    return sign_in
