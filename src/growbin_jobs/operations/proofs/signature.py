"""Signs proofs with a key of this node, and checks signed ones.

Ed25519 (RFC 8032) where the package ``cryptography`` is installed, as it is with the monitor; else HMAC-SHA-256, which
only the node that has the key can check.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from base64 import b64decode, b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from growbin_jobs.errors import ConfigurationError, NotFound

ED25519: Final = "ed25519"
HMAC: Final = "hmac-sha256"

#: Largest file that is read as a proof, in bytes.
LARGEST: Final = 16_000_000

_NAMES: Final = {ED25519: "proof_ed25519.key", HMAC: "proof_hmac.key"}
_SECRET: Final = 32


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check of a signed proof found.

    Attributes:
      genuine: The statement is as it was signed, by a key that is trusted here.
      key: Fingerprint of the key that the file names.
      why: In words.
      statement: The proof.
    """

    genuine: bool
    key: str
    why: str
    statement: dict[str, Any]


def signed(statement: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return a statement with a signature of this node.

    Parameters:
      statement: Ready for JSON.
      folder: The node's; its key is made there at the first use, readable by its owner only.

    Raises:
      ConfigurationError: The key cannot be read or written.
    """
    algorithm = ED25519 if _has_ed25519() else HMAC
    secret = _secret(folder, algorithm, make=True)
    text = _canonical(statement)
    if algorithm == HMAC:
        value, public = hmac.digest(secret, text, "sha256"), None
    else:
        private = _private(secret)
        value, public = private.sign(text), private.public_key().public_bytes_raw()
    signature = {"algorithm": algorithm, "key": _fingerprint(algorithm, secret, public), "value": _text(value)}
    return {"statement": statement, "signature": signature | ({"public_key": _text(public)} if public else {})}


def check(file: Path, folder: Path, *, trusted: str | None = None) -> Checked:
    """Check a signed proof.

    Parameters:
      file: As :func:`signed` made it.
      folder: The node's.
      trusted: Fingerprint of the key that is trusted; None: this node's own.

    Raises:
      NotFound: There is no such file.
      ConfigurationError: It holds no signed proof, or the key cannot be read.
    """
    document = _read(file)
    statement, signature = document["statement"], document["signature"]
    algorithm = signature.get("algorithm")
    named = str(signature.get("key", ""))
    if algorithm == HMAC:
        return _check_hmac(statement, signature, folder, trusted)
    if algorithm != ED25519:
        return Checked(False, named, f"the signature's algorithm is none of {ED25519}, {HMAC}", statement)
    if not _has_ed25519():
        raise ConfigurationError("Checking this signature needs cryptography: pip install 'growbin-jobs[monitor]'.")
    public = _bytes(signature.get("public_key"))
    actual = _fingerprint(ED25519, b"", public)
    if named != actual or not _verifies(public, _bytes(signature.get("value")), _canonical(statement)):
        return Checked(False, actual, "the statement is not what was signed: it was changed", statement)
    own = _own_fingerprint(folder)
    if trusted is not None:
        fits = hmac.compare_digest(actual.encode(), trusted.strip().lower().encode("utf-8", "replace"))
        return Checked(fits, actual, "signed by the key that you named" if fits else "signed by another key", statement)
    if own == actual:
        return Checked(True, actual, "signed by this node", statement)
    why = "signed by a key that is not this node's: compare its fingerprint with that of the node, and say --key"
    return Checked(False, actual, why, statement)


def _check_hmac(statement: Any, signature: Any, folder: Path, trusted: str | None) -> Checked:
    secret = _secret(folder, HMAC, make=False)
    named = str(signature.get("key", ""))
    if secret is None:
        return Checked(False, named, "only the node that signed it has the key to check it", statement)
    own = _fingerprint(HMAC, secret, None)
    if trusted is not None and trusted.strip().lower() != own:
        return Checked(False, named, "only the node that has the key that you named can check it", statement)
    fits = hmac.compare_digest(hmac.digest(secret, _canonical(statement), "sha256"), _bytes(signature.get("value")))
    why = "signed by this node" if fits else "not what this node signed: changed, or signed elsewhere"
    return Checked(fits, own if fits else named, why, statement)


def _canonical(statement: Any) -> bytes:
    return json.dumps(statement, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def _read(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as opened:
            data = opened.read(LARGEST + 1)
    except OSError as error:
        raise NotFound(f"{file} cannot be read: {error.strerror}.") from None
    try:
        document = json.loads(data.decode(), object_pairs_hook=_once, parse_constant=_refuse)
    except (ValueError, RecursionError):
        document = None
    parts = [document.get(name) for name in ("statement", "signature")] if isinstance(document, dict) else [None]
    if len(data) > LARGEST or not all(isinstance(each, dict) for each in parts):
        raise ConfigurationError(f"{file} is no signed proof. Make one: growbin-jobs prove --output FILE.")
    return dict(document)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Two values for one key would be read differently by different programs."""
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError("a key is there twice")
    return dict(pairs)


def _refuse(_word: str) -> None:
    raise ValueError("no JSON")


def _secret(folder: Path, algorithm: str, *, make: bool) -> Any:
    """Return the secret of this node, or None where there is none and none is to be made."""
    path = folder / _NAMES[algorithm]
    try:
        if make and not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            _make(path)
        found = path.read_bytes() if path.exists() else None
    except OSError as error:
        raise ConfigurationError(f"The key {path} of this node's proofs cannot be used: {error.strerror}.") from None
    if found is not None and len(found) != _SECRET:
        raise ConfigurationError(f"{path} is no key of {_SECRET} bytes. Move it away; the next proof makes a new one.")
    return found


def _make(path: Path) -> None:
    """Make a key whole or not at all; of several processes that do at once, one wins."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(_SECRET))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, path)
        except FileExistsError:
            return
    finally:
        temporary.unlink()


def _has_ed25519() -> bool:
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: F401
    except ImportError:
        return False
    return True


def _private(secret: bytes) -> Any:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(secret)


def _verifies(public: bytes, value: bytes, text: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public).verify(value, text)
    except (InvalidSignature, ValueError):
        return False
    return True


def _own_fingerprint(folder: Path) -> str | None:
    secret = _secret(folder, ED25519, make=False)
    return None if secret is None else _fingerprint(ED25519, secret, _private(secret).public_key().public_bytes_raw())


def _fingerprint(algorithm: str, secret: bytes, public: bytes | None) -> str:
    of = public if public is not None else hmac.digest(secret, b"growbin-jobs proof key", "sha256")
    return hashlib.sha256(algorithm.encode() + b":" + of).hexdigest()[:32]


def _text(value: bytes) -> str:
    return b64encode(value).decode()


def _bytes(value: Any) -> bytes:
    try:
        return b64decode(value, validate=True) if isinstance(value, str) else b""
    except ValueError:
        return b""
