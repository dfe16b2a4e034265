"""Every route × every role: what the table of permissions says is what the server does."""

import itertools
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from fastapi import FastAPI
from tests.unit.monitor.client import Client
from tests.unit.monitor.conftest import USERS
from tests.whole import WHOLE

from growbin_jobs.errors import Away
from growbin_jobs.monitor.app import check_routes
from growbin_jobs.monitor.people import Identity, User
from growbin_jobs.monitor.security.permissions import PERMISSIONS, Action, allows, require
from growbin_jobs.monitor.security.routes import routes_of

ROLES = [None, "vera", "pia", "otto", "olga", "adam", "ada"]

#: The stream does not end by itself; its own test reads it.
ENDLESS = {"/live/stream"}


def routes(app: FastAPI) -> list[tuple[str, str, list[Action]]]:
    return [
        (path, method, actions)
        for path, methods, actions in routes_of(app)
        for method in sorted(methods - {"HEAD"})
        if path not in ENDLESS
    ]


def telling(actions: list[Action]) -> set[str | None]:
    """Return who tells whether a route has its actions: nobody, those just let in and those only just refused.

    Whoever may more than one who is let in is let in too, and whoever may less than one who is refused is refused: a
    test of the table shows that. With all tests everybody asks.
    """
    if WHOLE:
        return set(ROLES)
    allowed = [user for user in USERS if all(allows(action, person(user.name)) for action in actions)]
    refused = [user for user in USERS if user not in allowed]
    least = {each.name for each in allowed if not any(may_more(each, other) for other in allowed)}
    most = {each.name for each in refused if not any(may_more(other, each) for other in refused)}
    return {None, *least, *most}


def may_more(one: User, other: User) -> bool:
    """Tell whether one has a higher role than the other, or sees more of people, and lacks nothing of it."""
    mine, theirs = one.grant, other.grant
    return mine != theirs and mine.role >= theirs.role and mine.personal >= theirs.personal


def test_who_may_more_may_all_that_the_other_may():
    for action, one, other in itertools.product(Action, USERS, USERS):
        if may_more(one, other) and allows(action, person(other.name)):
            assert allows(action, person(one.name)), (action, one.name, other.name)


def test_every_route_does_for_every_role_what_the_table_says(open_monitor, signed_in):
    wrong = []
    for name in ROLES:
        client: Client = signed_in(name) if name else open_monitor()
        client.headers["accept"] = "application/json"
        identity = person(name)
        for path, method, actions in routes(client.app):
            if {Action.SIGN_IN, Action.SIGN_OUT} & set(actions):
                continue  # for everybody, and with answers of their own: tests/unit/monitor/security
            tellers = telling(actions)
            assert len(tellers) > 1, path
            if name not in tellers:
                continue
            address = path.replace("{", "").replace("}", "").replace(":path", "")
            allowed = all(allows(action, identity) for action in actions)
            answer = client.request(method, address)
            refused = answer.status_code == 403 if identity else answer.status_code == 401 or is_sent_to_sign_in(answer)
            if allowed == refused:
                wrong.append((name, method, path, actions, answer.status_code))

    assert wrong == []


def is_sent_to_sign_in(answer: Any) -> bool:
    return answer.status_code == 303 and "/sign-in" in answer.headers["location"]


def person(name: str | None) -> Identity | None:
    return next(
        (Identity(name=user.name, grant=user.grant, kind="password") for user in USERS if user.name == name), None
    )


def test_the_table_has_every_action_and_enough_of_them():
    assert set(PERMISSIONS) == set(Action)
    assert sum(permission.changes for permission in PERMISSIONS.values()) >= 12


def test_a_route_without_an_action_is_no_application():
    app = FastAPI()
    app.get("/forgotten")(lambda: "everything")

    with pytest.raises(AssertionError, match=r"/forgotten.* names no action|names no action"):
        check_routes(app)


def test_a_get_that_changes_something_is_no_application():
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)

    @app.get("/pause")
    def pause(person: Annotated[Identity, require(Action.PAUSE)]) -> str:
        return person.name

    with pytest.raises(AssertionError, match="/pause changes something by GET"):
        check_routes(app)


def test_nothing_changes_in_a_read_only_monitor(signed_in: Callable[..., Client]):
    client = signed_in("ada", read_only=True)

    assert client.get("/access").status_code == 200
    answer = client.post("/access/tokens/revoke", data={"token": "x"})
    assert answer.status_code == 403
    assert "read only" in answer.text
    assert client.post("/language", data={"language": "ko"}).status_code == 303  # one's own


def test_what_fails_unexpectedly_is_an_answer_with_the_headers_of_safety(signed_in, monkeypatch, caplog):
    client = signed_in("vera")
    monkeypatch.setattr("growbin_jobs.monitor.pages.overview.render", lambda *_, **__: 1 / 0)

    answer = client.get("/")

    assert answer.status_code == 500
    assert "ZeroDivisionError" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "monitor.failed" in caplog.text


@pytest.mark.parametrize(("path", "kind"), [("/api/v2/nothing", "application/problem+json"), ("/nothing", "text/html")])
def test_what_is_not_there_is_said_in_the_form_that_was_asked_for(path, kind, signed_in):
    answer = signed_in("vera").get(path)

    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith(kind)


def test_wrong_parameters_are_named_and_not_repeated(signed_in):
    answer = signed_in("ada").post("/access/sessions/end", data={"wrong": "s3cret"})

    assert answer.status_code == 422
    assert "session" in answer.text
    assert "s3cret" not in answer.text


@pytest.mark.parametrize(("path", "kind"), [("/api/v2/me", "application/problem+json"), ("/", "text/html")])
def test_a_database_that_is_away_is_said_and_nobody_is_let_in(path, kind, signed_in, services, monkeypatch):
    client = signed_in("vera")

    def away(_: str) -> None:
        raise Away("the server at db:5432 does not answer", wait=5.0)

    monkeypatch.setattr(services.sessions, "find", away)
    answer = client.get(path)

    assert answer.status_code == 503
    assert answer.headers["content-type"].startswith(kind)
    assert "does not answer" in answer.text
    assert "vera" not in answer.text
