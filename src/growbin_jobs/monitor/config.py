"""What the monitor must be told, as plain values; :mod:`growbin_jobs.monitor.bootstrap` reads the settings."""

from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

from growbin_jobs.monitor.people import AllowList, User

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Oidc:
    """An OpenID Connect provider.

    Attributes:
      issuer: Its address; ``/.well-known/openid-configuration`` lies below it.
    """

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedProxy:
    """A proxy in front of the monitor that is believed.

    Attributes:
      networks: Whose addresses it has.
      unix_socket: Believe whoever connects by the unix socket.
      user_header: The header in which it says who is signed in; None: it only forwards.
    """

    networks: tuple[Network, ...] = ()
    unix_socket: bool = False
    user_header: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorConfig:
    """All that one monitor needs to know besides the services.

    Attributes:
      host, port: Where it listens; unused with ``unix_socket``.
      url_prefix: Path below which it lives, such as ``/monitor``; empty or beginning with a slash, without one at
        its end.
      read_only: Nothing can be changed, whoever asks.
      insecure: Everybody who can connect is an administrator; listens on the loopback only.
      hosts: Names by which browsers may reach it, besides loopback names and IP addresses.
      public_url: Its address as browsers see it, without the prefix; needed for OIDC.
      users: People with passwords.
      allow: Who may enter through OIDC or a proxy.
      sign_in_links: Accept links of ``growbin-jobs monitor link``.
      session_hours: How long a sign-in lasts.
      language: Of people whose browser asks for none of ours.
      environment: Shown on every page, such as ``production``.
    """

    host: str = "127.0.0.1"
    port: int = 5555
    unix_socket: Path | None = None
    url_prefix: str = ""
    read_only: bool = False
    insecure: bool = False
    hosts: tuple[str, ...] = ()
    public_url: str | None = None
    users: tuple[User, ...] = ()
    allow: AllowList = field(default_factory=AllowList)
    oidc: Oidc | None = None
    proxy: TrustedProxy = field(default_factory=TrustedProxy)
    sign_in_links: bool = False
    session_hours: float = 12.0
    language: str = "ko"
    environment: str = ""
