"""Settings of the web monitor and its audit."""

from typing import Annotated

from pydantic import BaseModel, Field, SecretStr

from growbin_jobs.engine.settings import LONGEST_DAYS
from growbin_jobs.settings.kinds import HomePath, Names, ProxyNetworks, Site


class MonitorSettings(BaseModel):
    """Part of :class:`growbin_jobs.settings.Settings`."""

    monitor_users: SecretStr | None = Field(
        default=None,
        description="Who may sign in to the monitor: name:role:hash, several separated by blanks; "
        "`growbin-jobs monitor hash-password` makes one. Roles: viewer, operator, admin; with +personal they "
        "see personal data.",
    )
    monitor_users_file: HomePath | None = Field(
        default=None, description="File with more of them, one a line; lines that begin with # say nothing."
    )
    monitor_hosts: Names = Field(
        default_factory=list,
        description="Names by which browsers reach the monitor, separated by commas; localhost and IP addresses need "
        "not be named. A request for another name is refused.",
    )
    monitor_public_url: Site | None = Field(
        default=None, description="Address of the monitor as browsers see it, without a path. Needed for OIDC."
    )
    monitor_session_hours: Annotated[float, Field(gt=0, le=24 * 31)] = Field(
        default=12.0, description="Hours that a sign-in to the monitor lasts."
    )
    monitor_allow: Names = Field(
        default_factory=list,
        description="Whom OIDC or a proxy lets in, separated by commas, each name exactly: "
        "email:kim@example.com=admin, domain:example.com=viewer, group:ops=operator, user:kim=admin.",
    )
    monitor_oidc_issuer: Site | None = Field(
        default=None, description="OpenID Connect provider of the monitor, such as https://accounts.google.com."
    )
    monitor_oidc_client_id: str | None = Field(default=None, description="The monitor's client id at that provider.")
    monitor_oidc_client_secret: SecretStr | None = Field(
        default=None, description="The client secret that belongs to it."
    )
    monitor_proxy_header: str | None = Field(
        default=None,
        description="Header in which a proxy says who is signed in, such as X-Forwarded-User; believed from "
        "GROWBIN_MONITOR_PROXY_NETWORKS only.",
    )
    monitor_proxy_networks: ProxyNetworks = Field(
        default_factory=list,
        description="Networks of the proxies before the monitor, separated by commas, such as 10.1.0.0/16; unix for "
        "who comes by the unix socket. They are believed about address, scheme and user.",
    )
    monitor_environment: str = Field(
        default="", description="Shown on every page of the monitor, such as production (which is red) or staging."
    )
    keep_audit_days: Annotated[float, Field(ge=730, le=LONGEST_DAYS)] = Field(
        default=1096.0,
        description="Days that the audit keeps who did and saw what; at least 730 (개인정보의 안전성 확보조치 기준 "
        "제8조).",
    )
