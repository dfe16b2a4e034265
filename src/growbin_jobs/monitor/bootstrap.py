"""Reads the settings into the monitor's configuration, and builds its services."""

from contextlib import suppress
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from growbin_jobs import names
from growbin_jobs import settings as _settings
from growbin_jobs.another_engine import config_of_another
from growbin_jobs.engine.central.upgrade import require_current
from growbin_jobs.engine.engine import Engine
from growbin_jobs.engine.groups import Route
from growbin_jobs.engine.opening import open_broker, open_current, upgrade_command
from growbin_jobs.engine.tcp_listener import read_host
from growbin_jobs.errors import ConfigurationError, Deferred
from growbin_jobs.monitor.config import MonitorConfig, Oidc, TrustedProxy
from growbin_jobs.monitor.people import AllowList, User, users_of
from growbin_jobs.monitor.services import Services
from growbin_jobs.operating import function_of
from growbin_jobs.scheduler.schedule import schedule_of
from growbin_jobs.scheduler.table import JOBS
from growbin_jobs.settings import Settings
from growbin_jobs.wiring import central_database, engine_config, object_store

_LOOPBACK = ("127.0.0.1", "::1", "localhost")

_CLOSED = (
    "The monitor has no credentials, so it does not start. Either give it users: GROWBIN_MONITOR_USERS with a line of "
    "`growbin-jobs monitor hash-password`; or a provider: GROWBIN_MONITOR_OIDC_ISSUER; or start it with "
    "--sign-in-link, which prints a link for one sign-in; or with --insecure, on this machine only."
)


def make_services(settings: Settings | None = None, another: Engine | None = None) -> Services:
    """Return the services.

    Parameters:
      settings: None: this process's.
      another: The engine that is shown; None: Growbin's.

    Raises:
      ConfigurationError: The database of another engine lacks tables, and only ``growbin-jobs db upgrade`` makes them.
    """
    settings = settings or _settings.current()
    if another is not None:
        return _of_another(settings, another)
    engine = engine_config(settings)
    return Services(
        settings=settings,
        engine=engine,
        database=central_database(settings),
        open_broker=lambda: open_broker(engine, []),
        objects=object_store(settings),
        function_of=function_of,
        routes=_routes(),
        jobs=JOBS,
    )


def _of_another(settings: Settings, engine: Engine) -> Services:
    schedule, config = schedule_of(engine), config_of_another(engine)
    database = open_current(config)
    with suppress(Deferred):  # it is away: pages say so, and ask again
        require_current(database, config.schema, upgrade_command(config))
    actors = engine.broker.actors
    return Services(
        settings=settings,
        engine=config,
        database=database,
        open_broker=lambda: open_broker(config, []),
        objects=object_store(settings),
        function_of=lambda name: actors[name].fn if name in actors else None,
        routes={name: Route(name, actor.queue_name) for name, actor in actors.items()},
        jobs=() if schedule is None else schedule.jobs,
        growbin=False,
    )


def _routes() -> dict[str, Route]:
    """Return where messages of Growbin's actors go: of each its ordinary queue, not the one for bulk."""
    routes = [value for value in vars(names).values() if isinstance(value, Route)]
    return {route.actor: route for route in reversed(routes)}


def make_config(settings: Settings, *, growbin: bool = True, **options: Any) -> MonitorConfig:
    """Return the monitor's configuration.

    Parameters:
      settings: Of this process.
      growbin: It is Growbin's monitor, whose people read Korean where their browser asks for nothing that there is.
      options: Fields of :class:`MonitorConfig` that the command line says; those that are None are left out.

    Raises:
      ConfigurationError: Something is wrong, or nobody could sign in; the sentence says what to do.
    """
    config = MonitorConfig(
        hosts=tuple(settings.monitor_hosts),
        public_url=settings.monitor_public_url,
        users=_users(settings),
        allow=AllowList.parse(settings.monitor_allow),
        oidc=_oidc(settings),
        proxy=_proxy(settings),
        session_hours=settings.monitor_session_hours,
        language=settings.language if growbin or "language" in settings.model_fields_set else "en",
        environment=settings.monitor_environment,
    )
    config = replace(config, **{name: value for name, value in options.items() if value is not None})
    # A connection without an address is believed only where nobody can come by TCP and hide theirs.
    proxy = replace(config.proxy, unix_socket=config.proxy.unix_socket and config.unix_socket is not None)
    try:
        host = read_host(config.host)
    except ValueError as error:
        raise ConfigurationError(f"--host {error}.") from None
    return _checked(replace(config, host=host, url_prefix=clean_prefix(config.url_prefix), proxy=proxy))


def clean_prefix(prefix: str) -> str:
    """Return a prefix that is empty or begins with a slash, without one at its end.

    Raises:
      ConfigurationError: It cannot be one.
    """
    parts = [part for part in prefix.split("/") if part]
    if any(
        part in (".", "..") or not part.replace("-", "").replace("_", "").replace(".", "").isalnum() for part in parts
    ):
        raise ConfigurationError("The prefix may have letters, digits, '-', '_', '.' and '/', such as /monitor.")
    return "".join(f"/{part}" for part in parts)


def _checked(config: MonitorConfig) -> MonitorConfig:
    if config.insecure:
        if config.unix_socket is None and config.host not in _LOOPBACK:
            raise ConfigurationError("--insecure works on this machine only: leave --host out, or say 127.0.0.1.")
        if config.users or config.oidc or config.proxy.user_header:
            raise ConfigurationError("There are credentials in the settings: leave --insecure out.")
        return config
    if config.oidc and not config.public_url:
        raise ConfigurationError("OIDC needs GROWBIN_MONITOR_PUBLIC_URL, the address that browsers see.")
    if config.oidc and not config.allow.entries:
        raise ConfigurationError(
            "Say whom the provider's word lets in: GROWBIN_MONITOR_ALLOW=domain:example.com=viewer"
        )
    lets_in = any(kind in ("user", "email") for kind, _ in config.allow.entries)
    if config.proxy.user_header and not config.oidc and not lets_in:
        # It names one person and no group, and nobody has verified that an address in it is theirs.
        raise ConfigurationError("Say whom the proxy's word lets in: GROWBIN_MONITOR_ALLOW=user:kim=viewer")
    if config.proxy.user_header and not (config.proxy.networks or config.proxy.unix_socket):
        raise ConfigurationError("Say whose word GROWBIN_MONITOR_PROXY_HEADER is: GROWBIN_MONITOR_PROXY_NETWORKS.")
    if not (config.users or config.oidc or config.proxy.user_header or config.sign_in_links):
        raise ConfigurationError(_CLOSED)
    return config


def _users(settings: Settings) -> tuple[User, ...]:
    texts = [settings.monitor_users.get_secret_value()] if settings.monitor_users else []
    if settings.monitor_users_file:
        texts.append(_read(settings.monitor_users_file))
    return users_of("\n".join(texts))


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8"
        raise ConfigurationError(f"GROWBIN_MONITOR_USERS_FILE {path} cannot be read: {why}.") from None


def _oidc(settings: Settings) -> Oidc | None:
    if settings.monitor_oidc_issuer is None:
        return None
    if not settings.monitor_oidc_client_id or not settings.monitor_oidc_client_secret:
        raise ConfigurationError(
            "OIDC needs GROWBIN_MONITOR_OIDC_CLIENT_ID and GROWBIN_MONITOR_OIDC_CLIENT_SECRET of the provider."
        )
    return Oidc(
        issuer=settings.monitor_oidc_issuer,
        client_id=settings.monitor_oidc_client_id,
        client_secret=settings.monitor_oidc_client_secret.get_secret_value(),
    )


def _proxy(settings: Settings) -> TrustedProxy:
    names = settings.monitor_proxy_networks
    return TrustedProxy(
        networks=tuple(ip_network(name) for name in names if name != "unix"),
        unix_socket="unix" in names,
        user_header=settings.monitor_proxy_header,
    )
