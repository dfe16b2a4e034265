"""From a URL to the central database: PostgreSQL, or a SQLite file."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.driver import UPGRADE_COMMAND
from growbin_jobs.engine.central.pool import GROWS_AFTER
from growbin_jobs.engine.errors import ConfigurationError


def open_database(
    url: str | None,
    *,
    default_path: Path,
    pool_size: int,
    timeout: float,
    deferral_wait: float = 5.0,
    setting: str = "DATABASE_URL",
    folder_setting: str = "GROWBIN_DATA_DIR",
    grows_after: float = GROWS_AFTER,
    upgrade_command: str = UPGRADE_COMMAND,
) -> Database:
    """Return the central database that a URL names, without connecting.

    Parameters:
      url: ``postgresql://user:password@host:port/name``, or ``sqlite:///path`` with an absolute path, or None for
        the SQLite file at ``default_path``.
      default_path: The embedded default.
      pool_size: Connections to PostgreSQL that this process uses at the same time, at most.
      timeout: Seconds to connect, to wait for a free connection, and for one statement (PostgreSQL).
      deferral_wait: Seconds until the next try that an error asks for.
      setting: Name of the setting that holds the URL, for sentences that say what to correct.
      folder_setting: Name of the one that moves the embedded default.
      grows_after: Seconds to wait for a connection in use before one more is opened (PostgreSQL).
      upgrade_command: What brings it to the current schema, for sentences that say what to do.

    Raises:
      ConfigurationError: When the URL cannot be read, or psycopg2 is not installed. It never quotes the URL.
    """
    scheme = url.partition(":")[0].lower() if url else "sqlite"
    if scheme in ("postgresql", "postgres"):
        from growbin_jobs.engine.central.postgres import PostgresDriver

        assert url is not None
        return Database(
            PostgresDriver(
                url,
                pool_size=pool_size,
                timeout=timeout,
                deferral_wait=deferral_wait,
                setting=setting,
                grows_after=grows_after,
                upgrade_command=upgrade_command,
            )
        )
    if scheme == "sqlite":
        from growbin_jobs.engine.central.sqlite import SqliteDriver

        return Database(
            SqliteDriver(
                _sqlite_path(url, setting) if url else default_path,
                deferral_wait=deferral_wait,
                setting=setting,
                folder_setting=folder_setting,
                upgrade_command=upgrade_command,
            )
        )
    raise ConfigurationError(f"{setting} must start with postgresql:// or sqlite:///")


def _sqlite_path(url: str, setting: str) -> Path:
    parts = urlsplit(url)
    if parts.netloc or parts.query or parts.fragment or len(parts.path) < 2:
        raise ConfigurationError(f"{setting} for SQLite must be sqlite:/// and an absolute path, and nothing more")
    if parts.path.endswith("/:memory:"):
        raise ConfigurationError(f"{setting} must name a file: in memory each process would have a database of its own")
    # Three slashes or four: always from the root. A path relative to a process's folder would make several databases.
    return Path("/" + unquote(parts.path).lstrip("/"))
