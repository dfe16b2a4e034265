"""Grants, users of the settings, and whom a provider's word lets in."""

import pytest
from tests.unit.monitor.conftest import HASH

from growbin_jobs.errors import ConfigurationError
from growbin_jobs.monitor.people import AllowList, Grant, Role, users_of


def test_users_are_read_from_lines_and_words():
    users = users_of(f"# who may\nkim:admin+personal:{HASH} lee:viewer:{HASH}\n\n")

    assert [(user.name, str(user.grant)) for user in users] == [("kim", "admin+personal"), ("lee", "viewer")]
    assert HASH not in repr(users)


@pytest.mark.parametrize(
    "text",
    ["kim", "kim:admin", "kim:admin:secret", "kim:root:$argon2id$x", ":admin:$argon2id$x", "kim:admin+all:$argon2id$x"],
)
def test_wrong_users_are_said_without_repeating_what_may_be_a_password(text):
    with pytest.raises(ConfigurationError) as refused:
        users_of(text)
    assert "secret" not in str(refused.value)


def test_two_users_of_one_name_are_refused():
    with pytest.raises(ConfigurationError, match="same name"):
        users_of(f"kim:admin:{HASH}\nkim:viewer:{HASH}")


ALLOW = AllowList.parse(
    ["email:kim@example.com=admin", "domain:example.com=viewer", "group:ops=operator+personal", "domain:*.org=admin"]
)


@pytest.mark.parametrize(
    ("email", "groups", "grant"),
    [
        ("kim@example.com", [], Grant(Role.ADMIN)),
        ("KIM@Example.com", [], Grant(Role.ADMIN)),
        ("lee@example.com", [], Grant(Role.VIEWER)),
        ("lee@example.com", ["ops"], Grant(Role.OPERATOR, personal=True)),
        ("a@example.com.evil.com", [], None),
        ("attacker@example.com.attacker.com", [], None),
        ("kim@example.com@evil.com", [], None),
        ("evil.com@example.com.", [], None),
        ("a@sub.example.com", [], None),
        ("a@any.org", [], None),  # no patterns
        ("example.com", [], None),
        ("@example.com", [], None),
        ("", ["ops"], None),
        ("a@other.com", ["Ops"], None),
    ],
)
def test_exact_names_let_in(email, groups, grant):
    assert ALLOW.by_email(email, groups) == grant


@pytest.mark.parametrize("entry", ["kim@example.com=admin", "email:kim=", "mail:kim@x=admin", "email:kim@x=root", ""])
def test_wrong_entries_are_refused(entry):
    with pytest.raises(ConfigurationError):
        AllowList.parse([entry])
