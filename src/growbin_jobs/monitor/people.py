"""People and what they are: roles, identities, the users of the settings, and whom a provider's word lets in."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from growbin_jobs.errors import ConfigurationError


class Role(IntEnum):
    """What somebody may do; a greater role may all that a lesser one may."""

    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3

    @property
    def word(self) -> str:
        """Return its name as people write it."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Grant:
    """A role, with or without the right to see personal data. Written ``operator`` or ``operator+personal``."""

    role: Role
    personal: bool = False

    @classmethod
    def parse(cls, text: str) -> "Grant":
        """Read a grant.

        Raises:
          ConfigurationError: It is none.
        """
        word, _, extra = text.strip().partition("+")
        if word.upper() not in Role.__members__ or extra not in ("", "personal"):
            raise ConfigurationError(
                f"{text!r} is no role of the monitor. Say viewer, operator or admin; +personal behind it lets see "
                "personal data."
            )
        return cls(Role[word.upper()], extra == "personal")

    def __str__(self) -> str:
        return self.role.word + ("+personal" if self.personal else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Somebody who asks.

    Attributes:
      name: Who, for records; personal data, so it stays out of logs.
      grant: What they may do.
      kind: How they were recognised: password, oidc, link, token, basic, proxy, insecure, mcp (this machine's user).
      session: Id of the session in the table; None for those who prove themselves with each request.
    """

    name: str
    grant: Grant
    kind: str
    session: str | None = None

    @property
    def role(self) -> Role:
        """Return the role."""
        return self.grant.role


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Somebody with a password.

    Attributes:
      password_hash: By argon2.
    """

    name: str
    grant: Grant
    password_hash: str = field(repr=False)

    @classmethod
    def parse(cls, line: str) -> "User":
        """Read ``name:role:hash``.

        Raises:
          ConfigurationError: The line is none; it is not repeated, for it may hold a password.
        """
        name, _, rest = line.strip().partition(":")
        role, _, hashed = rest.partition(":")
        if not name or not name.isprintable() or not hashed.startswith("$argon2id$"):
            raise ConfigurationError(
                "A user of the monitor is written name:role:hash, and the hash begins with $argon2id$. "
                "`growbin-jobs monitor hash-password` makes such a line."
            )
        return cls(name=name, grant=Grant.parse(role), password_hash=hashed)


def users_of(text: str) -> tuple[User, ...]:
    """Return the users of a text: one a line or separated by blanks; lines that begin with # say nothing.

    Raises:
      ConfigurationError: One is wrong, or two have one name.
    """
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    users = tuple(User.parse(word) for line in lines for word in line.split())
    if len({user.name for user in users}) < len(users):
        raise ConfigurationError("Two users of the monitor have the same name.")
    return users


_ENTRY = re.compile(r"(email|domain|group|user):([^=\s]+)=(\S+)")


@dataclass(frozen=True, slots=True)
class AllowList:
    """Whom another one's word lets in, each name exactly: no patterns (a pattern once let in a whole domain too much).

    Attributes:
      entries: Grants by kind (email, domain, group, user) and name.
    """

    entries: Mapping[tuple[str, str], Grant] = field(default_factory=dict)

    @classmethod
    def parse(cls, entries: Iterable[str]) -> "AllowList":
        """Read entries such as ``email:kim@example.com=admin`` or ``domain:example.com=viewer``.

        Raises:
          ConfigurationError: One is wrong.
        """
        found = {}
        for entry in entries:
            parts = _ENTRY.fullmatch(entry.strip())
            if parts is None:
                raise ConfigurationError(
                    f"{entry!r} lets nobody in. Write email:, domain:, group: or user:, a name, = and a role, such as "
                    "domain:example.com=viewer."
                )
            kind, name = parts[1], parts[2]
            found[kind, name.casefold() if kind in ("email", "domain") else name] = Grant.parse(parts[3])
        return cls(found)

    def by_email(self, email: str, groups: Iterable[str] = ()) -> Grant | None:
        """Return the widest grant of an address that its provider has verified; None lets nobody in."""
        address = email.casefold()
        name, _, domain = address.rpartition("@")
        keys = [("email", address)] if name and domain and "@" not in name else []
        keys += [("domain", domain)] if keys else []
        return self._widest([*keys, *(("group", group) for group in groups)] if keys else [])

    def by_user(self, name: str, groups: Iterable[str] = ()) -> Grant | None:
        """Return the widest grant of a user that a proxy names: by user, by e-mail address, by group."""
        keys = [("user", name), ("email", name.casefold()), *(("group", group) for group in groups)]
        return self._widest(keys)

    def _widest(self, keys: Iterable[tuple[str, str]]) -> Grant | None:
        grants = [self.entries[key] for key in keys if key in self.entries]
        if not grants:
            return None
        return Grant(max(grant.role for grant in grants), any(grant.personal for grant in grants))
