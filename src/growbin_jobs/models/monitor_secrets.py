"""Secrets that let into the monitor: made, and known again by their hashes.

A secret is 256 random bits behind the id of its row, ``ID.SECRET``; only its SHA-256 is stored. No slow hash is needed:
nobody guesses it.
"""

import hashlib
import hmac
import re
import secrets


def new_secret() -> tuple[str, str, str]:
    """Return an id, the secret that begins with it, and the hash that is stored of that."""
    identifier = secrets.token_hex(6)
    secret = f"{identifier}.{secrets.token_urlsafe(32)}"
    return identifier, secret, _hashed(secret)


def id_of(secret: str) -> str | None:
    """Return the id that a secret begins with; None for what is none, which the database must not see."""
    identifier, dot, _ = secret.partition(".")
    return identifier if dot and re.fullmatch("[0-9a-f]{12}", identifier) else None


def fits(secret: str, hashed: str) -> bool:
    """Return whether a hash is that of a secret."""
    return hmac.compare_digest(_hashed(secret), hashed)


def _hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
