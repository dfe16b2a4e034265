"""Passwords by argon2id: hashing, and checking one without telling by the time whether the name exists."""

import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Iterable
from functools import cache
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from growbin_jobs.monitor.people import User

#: Seconds that a right password of HTTP Basic is remembered: scripts send it with each request.
_REMEMBERED: Final = 60.0

#: Least length of a new password, in characters (NIST SP 800-63B, section 3.1.1.2, for a password alone: 15).
LEAST_LENGTH: Final = 15

_hasher = PasswordHasher()


@cache
def _nobody() -> str:
    """Return a hash of what nobody knows, to check the passwords of unknown names against."""
    return _hasher.hash(secrets.token_hex(16))


def hash_password(password: str) -> str:
    """Return the hash to put into the settings."""
    return _hasher.hash(password)


class Passwords:
    """Checks names and passwords.

    Parameters:
      users: Those of the settings.
    """

    def __init__(self, users: Iterable[User]) -> None:
        self._users = {user.name: user for user in users}
        self._key = secrets.token_bytes(32)
        self._lock = threading.Lock()
        self._remembered: dict[bytes, float] = {}

    def user(self, name: str) -> User | None:
        """Return the user of a name as the settings have it now."""
        return self._users.get(name)

    def check(self, name: str, password: str) -> User | None:
        """Return the user if the password is theirs; it takes as long where there is no such user."""
        user = self._users.get(name)
        try:
            _hasher.verify(user.password_hash if user else _nobody(), password.encode("utf-8", "surrogatepass"))
        except (VerificationError, InvalidHashError):
            return None
        return user

    def check_again(self, name: str, password: str) -> User | None:
        """Return what :meth:`check` does, and remember for a minute that it was right."""
        mark = hmac.digest(self._key, repr((name, password)).encode("utf-8", "surrogatepass"), hashlib.sha256)
        now = time.monotonic()
        with self._lock:
            self._remembered = {each: until for each, until in self._remembered.items() if until > now}
            known = mark in self._remembered
        if known:
            return self._users.get(name)
        user = self.check(name, password)
        if user is not None:
            with self._lock:
                self._remembered[mark] = now + _REMEMBERED
        return user
