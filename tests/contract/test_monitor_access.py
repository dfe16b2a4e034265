"""Sessions and tokens of the monitor on both databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from growbin_jobs.engine.central.database import Database
from growbin_jobs.errors import NotFound
from growbin_jobs.models.monitor_sessions import MonitorSessions
from growbin_jobs.models.monitor_tokens import MonitorTokens, TokenKind

WHO = {"name": "kim", "role": "operator", "personal": True}


def made(tokens: MonitorTokens, kind: TokenKind = "api", lasts: timedelta = timedelta(days=1)) -> tuple[str, str]:
    token, secret = tokens.create(**WHO, kind=kind, created_by="test", lasts=lasts)
    return token.id, secret


def test_a_session_is_found_by_its_secret_until_it_ends(database: Database) -> None:
    sessions = MonitorSessions(database)
    identifier, secret = sessions.begin(**WHO, kind="password", address="10.0.0.1", hours=1)

    found = sessions.find(secret)

    assert found is not None
    assert (found.name, found.role, found.personal, found.address) == ("kim", "operator", True, "10.0.0.1")
    assert sessions.all() == [found]
    for wrong in (secret[:-1], identifier, f"{identifier}.", "", "\x00", "x" * 10_000):
        assert sessions.find(wrong) is None
    assert sessions.end(identifier)
    assert not sessions.end(identifier)
    assert sessions.find(secret) is None


def test_a_session_ends_by_itself(database: Database) -> None:
    sessions = MonitorSessions(database)
    _, secret = sessions.begin(**WHO, kind="oidc", address="", hours=-1)

    assert sessions.find(secret) is None
    assert sessions.all() == []


def test_a_token_is_found_until_it_is_revoked_or_expires(database: Database) -> None:
    tokens = MonitorTokens(database)
    identifier, secret = made(tokens)
    _, expired = made(tokens, lasts=timedelta(seconds=-1))

    assert tokens.find(secret) is not None
    assert tokens.find(expired) is None
    assert tokens.use_link(secret) is None  # it is none
    assert sorted(token.state for token in tokens.all()) == ["expired", "valid"]
    assert next(token for token in tokens.all() if token.id == identifier).used_at is not None
    assert tokens.revoke(identifier).name == "kim"
    assert tokens.find(secret) is None
    with pytest.raises(NotFound):
        tokens.revoke(identifier)


def test_of_many_who_use_a_link_at_once_one_gets_in(database: Database) -> None:
    tokens = MonitorTokens(database)
    _, secret = made(tokens, "link")

    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda _: tokens.use_link(secret), range(8)))

    assert sum(token is not None for token in got) == 1
    assert tokens.use_link(secret) is None
    assert tokens.find(secret) is None
    assert [token.state for token in tokens.all(kind="link")] == ["used"]
