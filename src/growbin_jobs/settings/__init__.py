"""The settings: name, type, default and help of each, read from the environment.

Nothing set means the embedded default: one machine, no server, no key. Variables carry the prefix ``GROWBIN_``;
the few that other tools know too keep their usual names (``DATABASE_URL``, ``WORKER_TYPE``, ``OPENAI_API_KEY``,
``OPENAI_BASE_URL``). ``growbin-jobs settings`` lists them with the origin of each value; ``docs/settings.md`` is
checked against this package. Each module has those of one part.
"""

from functools import cache
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from pydantic import AliasChoices, Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from growbin_jobs.engine.data_folder import data_folder
from growbin_jobs.engine.settings import Days, EngineSettings
from growbin_jobs.names import GROUPS
from growbin_jobs.settings.models import ModelSettings
from growbin_jobs.settings.money import MoneySettings
from growbin_jobs.settings.monitor import MonitorSettings
from growbin_jobs.settings.pipeline import PipelineSettings
from growbin_jobs.settings.platform import PlatformSettings
from growbin_jobs.settings.webhooks import WebhookSettings

PREFIX = "GROWBIN_"


class Settings(
    WebhookSettings, MonitorSettings, PlatformSettings, MoneySettings, ModelSettings, PipelineSettings, EngineSettings
):
    """All settings, validated; those of the engine too. See :func:`load`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX)

    # What the engine has too, under other names or with other defaults.
    data_dir: Path = Field(
        default_factory=lambda: data_folder("growbin"),
        description="Folder of everything embedded: queue, database, pictures, journal; an absolute path, or one that "
        "begins with ~. Default: /var/lib/growbin where that is writable, else ~/.local/share/growbin, and for a user "
        "without a home /var/tmp/growbin-<user id>.",
    )
    worker_type: str | None = Field(
        default=None,
        validation_alias=AliasChoices("WORKER_TYPE", "worker_type"),
        description="Worker group that `growbin-jobs worker` runs when none is named.",
    )
    database_url: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("DATABASE_URL", "database_url"),
        description="postgresql://user:password@host:5432/name. Unset: a SQLite file in the data folder.",
    )
    timezone: str = Field(default="Asia/Seoul", description="Time zone of everything that is due at a time of day.")
    keep_dead_letters_days: Days = Field(
        default=90.0,
        description="Days that the journal keeps dead letters, and the spool the pictures that they need.",
    )

    @field_validator("worker_type")
    @classmethod
    def _group_exists(cls, value: str | None) -> str | None:
        if value is not None and value not in GROUPS:
            raise ValueError(f"there is no worker group {value!r}; there are: {', '.join(GROUPS)}")
        return value

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.object_store_url and not self.object_store_url.startswith(("s3://", "file:///")):
            raise ValueError("GROWBIN_OBJECT_STORE_URL must be s3://bucket or file:///folder")
        if self.vision_transport == "presigned_url" and not (self.object_store_url or "").startswith("s3://"):
            raise ValueError("GROWBIN_VISION_TRANSPORT=presigned_url needs GROWBIN_OBJECT_STORE_URL=s3://…")
        if self.vision_timeout >= self.vision_time_limit or self.text_timeout >= self.response_time_limit:
            raise ValueError("a model call's timeout must be shorter than the time limit of its stage")
        return self

    @property
    def spool_folders(self) -> list[Path]:
        """Folders that ``image_path`` may point into."""
        return self.spool_dirs or [self.data_dir / "spool"]

    @property
    def folders_of_all_users(self) -> list[Path]:
        """Folders with pictures of all users, which no ``image_path`` may name: of the object store, of this node."""
        url = urlsplit(self.object_store_url or "")
        objects = Path(unquote(url.path)) if url.scheme == "file" else self.data_dir / "objects"
        return [objects, self.file_cache_folder]

    @property
    def file_cache_folder(self) -> Path:
        """Folder of the pictures that this node has fetched or made."""
        return self.node_dir / "file_cache"


def load(**overrides: Any) -> Settings:
    """Read and check all settings.

    Parameters:
      overrides: Values that win over the environment, by field name (tests, command-line options).

    Raises:
      ConfigurationError: With one line for each wrong setting.
    """
    return Settings.load(**overrides)


@cache
def current() -> Settings:
    """Return this process's settings, read at the first call."""
    return load()
