"""Passwords are hashed slowly, those of unknown names too."""

from argon2 import extract_parameters
from argon2.profiles import RFC_9106_LOW_MEMORY
from tests.unit.monitor.conftest import PASSWORD

from growbin_jobs.monitor.people import Grant, Role, User
from growbin_jobs.monitor.security import passwords

nobody = passwords._nobody  # before the tests put a quick one in its place


def test_an_unknown_name_costs_what_a_known_one_does(monkeypatch):
    monkeypatch.setattr(passwords, "_nobody", nobody)
    hashed = passwords.hash_password(PASSWORD)
    checked = passwords.Passwords([User(name="kim", grant=Grant(Role.VIEWER), password_hash=hashed)])

    assert extract_parameters(nobody()) == extract_parameters(hashed) == RFC_9106_LOW_MEMORY
    assert checked.check("kim", PASSWORD) is not None
    assert checked.check("eve", PASSWORD) is None
