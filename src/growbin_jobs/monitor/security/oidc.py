"""Signing in at an OpenID Connect provider (authorization code with PKCE), by Authlib and joserfc.

What belongs to one attempt travels in a cookie of the browser that began it, so any monitor may see the end of it.
"""

import base64
import binascii
import json
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from growbin_jobs.monitor.config import Oidc
from growbin_jobs.monitor.people import AllowList, Grant

#: The cookie of an attempt, and the seconds that it may take.
ATTEMPT_COOKIE: Final = "growbin_monitor_oidc"
ATTEMPT_LASTS: Final = 600

#: Signatures by a private key: a shared secret would let who knows it sign.
_ALGORITHMS: Final = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]

_TIMEOUT: Final = 10.0
_KEPT: Final = 3600.0


class OidcFailed(Exception):
    """It did not work; the message names the kind of error, and nothing that the provider said."""


class OidcRefused(Exception):
    """The provider knows the person, but they may not enter; ``word`` is the key of the reason in the catalogues."""

    def __init__(self, word: str) -> None:
        super().__init__(word)
        self.word = word


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What must come back unchanged.

    Attributes:
      target: The page to go to afterwards.
    """

    state: str
    nonce: str
    verifier: str
    target: str

    def to_cookie(self) -> str:
        """Return it as a cookie's value."""
        parts = [self.state, self.nonce, self.verifier, self.target]
        return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode()

    @classmethod
    def from_cookie(cls, value: str) -> "Attempt | None":
        """Read a cookie's value; None where it is none."""
        try:
            state, nonce, verifier, target = map(str, json.loads(base64.urlsafe_b64decode(value)))
        except (ValueError, binascii.Error):
            return None
        return cls(state=state, nonce=nonce, verifier=verifier, target=target)


class OidcSignIn:
    """A provider, asked over the network: not on the event loop.

    Parameters:
      provider: Which one.
      allow: Whom its word lets in.
      callback: Address to which it sends people back.
    """

    def __init__(self, provider: Oidc, allow: AllowList, callback: str) -> None:
        self._provider = provider
        self._allow = allow
        self._callback = callback
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[float, dict[str, Any]]] = {}

    def begin(self, target: str) -> tuple[str, Attempt]:
        """Return the address to send the browser to, and what its cookie must hold.

        Raises:
          OidcFailed: The provider does not answer, or not as OpenID Connect does.
        """
        attempt = Attempt(
            state=secrets.token_urlsafe(24), nonce=secrets.token_urlsafe(24), verifier=secrets.token_urlsafe(48),
            target=target,
        )  # fmt: skip
        address, _ = self._session().create_authorization_url(
            self._metadata()["authorization_endpoint"],
            state=attempt.state,
            nonce=attempt.nonce,
            code_verifier=attempt.verifier,
        )
        return str(address), attempt

    def finish(self, attempt: Attempt, query: Mapping[str, str]) -> tuple[str, Grant]:
        """Return the e-mail address of who comes back, and what they may do.

        Raises:
          OidcFailed: It did not work.
          OidcRefused: They may not enter.
        """
        if not secrets.compare_digest(query.get("state", "").encode(), attempt.state.encode()):
            raise OidcFailed("state")
        if "error" in query or "code" not in query:
            raise OidcFailed("refused")
        claims = self._claims(attempt, query["code"])
        email = claims.get("email")
        if not isinstance(email, str) or not email:
            raise OidcRefused("sign_in.no_email")
        if claims.get("email_verified") not in (True, "true"):
            raise OidcRefused("sign_in.unverified")
        groups = claims.get("groups")
        found = self._allow.by_email(email, map(str, groups) if isinstance(groups, list) else ())
        if found is None:
            raise OidcRefused("sign_in.not_listed")
        return email, found

    def _claims(self, attempt: Attempt, code: str) -> dict[str, Any]:
        metadata = self._metadata()
        try:
            with self._session() as session:
                token = session.fetch_token(
                    metadata["token_endpoint"],
                    code=code,
                    code_verifier=attempt.verifier,
                    timeout=_TIMEOUT,
                    allow_redirects=False,
                )
                claims = self._checked(token, attempt)
                if "email" not in claims and metadata.get("userinfo_endpoint"):
                    said = session.get(metadata["userinfo_endpoint"], timeout=_TIMEOUT, allow_redirects=False).json()
                    if said.get("sub") == claims["sub"]:  # section 5.3.2 of OpenID Connect Core
                        claims = said | claims
        except (AuthlibBaseError, JoseError, requests.RequestException, ValueError, KeyError, TypeError) as error:
            raise OidcFailed(type(error).__name__) from None
        return claims

    def _checked(self, token: Mapping[str, Any], attempt: Attempt) -> dict[str, Any]:
        registry = JWSRegistry(algorithms=_ALGORITHMS, strict_check_header=False)
        try:
            decoded = jwt.decode(token["id_token"], key=self._keys(), registry=registry)
        except InvalidKeyIdError:  # the provider has new keys
            decoded = jwt.decode(token["id_token"], key=self._keys(anew=True), registry=registry)
        wanted = {"iss": {"values": [self._provider.issuer, f"{self._provider.issuer}/"]},
                  "aud": {"values": [self._provider.client_id]}}  # fmt: skip
        known = {
            "nonce": attempt.nonce,
            "client_id": self._provider.client_id,
            "access_token": token.get("access_token"),
        }
        claims = CodeIDToken(decoded.claims, decoded.header, wanted, known)
        claims.validate(leeway=60)
        return dict(claims)

    def _session(self) -> Any:
        return OAuth2Session(
            self._provider.client_id,
            self._provider.client_secret,
            scope="openid email profile",
            redirect_uri=self._callback,
            code_challenge_method="S256",
        )

    def _metadata(self) -> dict[str, Any]:
        found = self._fetched(f"{self._provider.issuer}/.well-known/openid-configuration")
        if str(found.get("issuer", "")).rstrip("/") != self._provider.issuer:
            raise OidcFailed("issuer")
        if not {"authorization_endpoint", "token_endpoint", "jwks_uri"} <= found.keys():
            raise OidcFailed("metadata")
        return found

    def _keys(self, *, anew: bool = False) -> KeySet:
        return KeySet.import_key_set(self._fetched(self._metadata()["jwks_uri"], anew=anew))  # type: ignore[arg-type]

    def _fetched(self, address: str, *, anew: bool = False) -> dict[str, Any]:
        with self._lock:
            at, known = self._kept.get(address, (0.0, {}))
        if known and not anew and time.monotonic() - at < _KEPT:
            return known
        if not _is_safe(address):
            raise OidcFailed("https")
        try:
            answer = requests.get(address, timeout=_TIMEOUT, allow_redirects=False)
            answer.raise_for_status()
            found = answer.json()
        except (requests.RequestException, ValueError) as error:
            raise OidcFailed(type(error).__name__) from None
        if not isinstance(found, dict):
            raise OidcFailed("metadata")
        with self._lock:
            self._kept[address] = (time.monotonic(), found)
        return found


def _is_safe(address: str) -> bool:
    parts = urlsplit(address)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost"))
