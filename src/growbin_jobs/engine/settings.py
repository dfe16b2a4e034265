"""The engine's settings: environment variables with an application's own prefix. The engine's only reader of them.

An application with more settings derives its class from :class:`EngineSettings`; one without calls
:meth:`growbin_jobs.engine.config.EngineConfig.from_env`.
"""

from __future__ import annotations

import difflib
import os
import socket
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, AliasChoices, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from growbin_jobs.engine.data_folder import data_folder, from_the_root
from growbin_jobs.engine.errors import ConfigurationError
from growbin_jobs.engine.layout import Layout, check_node
from growbin_jobs.engine.secret_files import folder_of_secrets
from growbin_jobs.engine.tcp_listener import read_host

#: What is longer is a slip of the hand, and neither dates nor the numbers of a database reach as far.
LONGEST_SECONDS: Final = 10 * 365 * 86_400.0
LONGEST_DAYS: Final = 100 * 365.0
LARGEST_COUNT: Final = 1_000_000_000

Seconds = Annotated[float, Field(gt=0, le=LONGEST_SECONDS)]
Count = Annotated[int, Field(ge=1, le=LARGEST_COUNT)]
Retries = Annotated[int, Field(ge=0, le=LARGEST_COUNT)]
Days = Annotated[float, Field(gt=0, le=LONGEST_DAYS)]

#: Bytes. Less than 10 MB would not leave the journal room to end what runs; more than 1 TB is a slip of the hand.
FreeDisk = Annotated[int, Field(ge=10_000_000, le=1_000_000_000_000)]


class EngineSettings(Layout, BaseSettings):
    """What the engine can be told by the environment, validated. See :meth:`load`."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True)

    # --- this node
    node: str = Field(
        default_factory=socket.gethostname, description="Name of this node; its journal lies in a folder of this name."
    )
    data_dir: Path = Field(description="Folder of everything embedded: queue, database, journal.")
    worker_type: str | None = Field(
        default=None, description="Worker group that `growbin-jobs worker` runs when none is named."
    )
    secrets_dir: Path | None = Field(
        default=None,
        description="Folder of files, each named like a setting (such as DATABASE_URL) and holding its value: secrets "
        "that are mounted and not in the environment, which wins over them. Read when a process starts.",
    )

    # --- broker
    broker_url: SecretStr | None = Field(
        default=None,
        description="amqp://user:password@host:5672/vhost for RabbitMQ; several, separated by ';', for a cluster. "
        "amqps:// for TLS, with ?cacertfile=/path/ca.pem for an authority of your own. "
        "Unset: the embedded broker, a SQLite file in the data folder.",
    )
    queue_type: Literal["quorum", "classic"] = Field(
        default="quorum", description="Kind of queue that is declared on RabbitMQ."
    )
    publisher_connections: Annotated[int, Field(ge=1, le=2)] = Field(
        default=1,
        description="Publishing connections to RabbitMQ of each process (1 or 2), shared by all its threads and "
        "greenlets.",
    )
    publish_timeout: Seconds = Field(
        default=30.0, description="Seconds to wait until RabbitMQ has confirmed a message."
    )
    send_patience: Annotated[float, Field(ge=0, le=LONGEST_SECONDS)] = Field(
        default=0.5,
        description="Seconds in which RabbitMQ confirms nothing until a message is kept in this node's journal, to be "
        "sent when RabbitMQ is back. 0: messages are not kept, sending fails after the publish timeout.",
    )

    # --- central database
    database_url: SecretStr | None = Field(
        default=None,
        description="postgresql://user:password@host:5432/name. Unset: a SQLite file in the data folder.",
    )
    database_pool_size: Count = Field(default=20, description="Most connections to PostgreSQL of one process.")
    database_timeout: Seconds = Field(
        default=10.0, description="Seconds to wait for a connection or for one statement."
    )
    database_auto_upgrade: bool | None = Field(
        default=None,
        description="Bring the database to the current schema when a process starts. Default: only the embedded one; "
        "run `growbin-jobs db upgrade` for PostgreSQL.",
    )

    # --- waiting and stopping
    deferral_wait: Seconds = Field(
        default=5.0, description="Seconds to wait before asking again for a service that is away."
    )
    deferral_max_age: Seconds = Field(
        default=86_400.0, description="Seconds that a message may wait in all before it is given up."
    )
    shutdown_timeout: Seconds = Field(
        default=60.0,
        description="Seconds that a stopping worker lets running messages finish; keep it below the pod's grace "
        "period.",
    )

    # --- journal and keeper
    journal_free_floor: FreeDisk = Field(
        default=256_000_000,
        description="Bytes that must be free on the journal's disk. With less a worker takes no new messages, and goes "
        "on by itself when there is room again.",
    )
    timezone: str = Field(default="UTC", description="Time zone of everything that is due at a time of day.")
    sync_interval: Seconds = Field(
        default=0.5, description="Seconds between two copies of the node's journal to the central database."
    )
    sync_batch: Count = Field(default=5000, description="Journal rows that are copied in one transaction.")
    relay_after: Seconds = Field(
        default=30.0, description="Seconds after which the keeper sends a task's messages that nobody else has sent."
    )
    final_sync_timeout: Seconds = Field(
        default=10.0,
        description="Seconds that the keeper of a stopping node tries to copy the rest of the journal; add it to the "
        "shutdown timeout when you choose the pod's grace period.",
    )
    keep_tasks_days: Days = Field(
        default=7.0, description="Days that the node's journal keeps tasks which the central database has."
    )
    keep_dead_letters_days: Days = Field(default=90.0, description="Days that the journal keeps dead letters.")
    keep_minutes_days: Days = Field(
        default=31.0, description="Days that the central database keeps the figures of each minute, which charts read."
    )

    # --- what others see of it
    metrics_port: Annotated[int, Field(ge=0, le=65535)] = Field(
        default=9090,
        description="Port at which the node's keeper serves /metrics, /startupz, /livez and /readyz. 0: none. Where "
        "another process has it, the keeper says so and goes on without.",
    )
    scheduler_metrics_port: Annotated[int, Field(ge=0, le=65535)] = Field(
        default=9091,
        description="Port at which a scheduler serves /metrics, /startupz, /livez and /readyz. 0: none.",
    )
    metrics_host: Annotated[str, AfterValidator(read_host)] = Field(
        default="127.0.0.1",
        description="Address that metrics and health are served at; `::`, which is all addresses of IPv4 and IPv6, in "
        "a container, so that others reach it.",
    )
    log_format: Literal["text", "json"] = Field(
        default="text", description="Form of the log of workers and keepers: text, or json with one object a line."
    )
    traces: bool = Field(
        default=False,
        description="Make spans of OpenTelemetry of all runs; needs the extra otel. Where they go say OpenTelemetry's "
        "own variables, such as OTEL_EXPORTER_OTLP_ENDPOINT.",
    )

    # --- for tests
    crashpoint: str | None = Field(
        default=None,
        description="For tests only: kill the process at a named point of a message's life "
        "(growbin_jobs.engine.crashpoints). Never set it where real messages are.",
    )

    @field_validator("*", mode="before")
    @classmethod
    def _empty_is_unset(cls, value: Any, info: Any) -> Any:
        if isinstance(value, str):
            value = value.rstrip("\r\n")  # of a secret that comes from a file
            if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
                raise ValueError("is in quotes, which count: write it without them (Docker's env files keep them)")
        # An empty variable is how a manifest or a shell switches a setting off.
        if value == "":
            field = cls.model_fields[info.field_name]
            return field.get_default(call_default_factory=True) if not _allows_none(field.annotation) else None
        return value

    @field_validator("node")
    @classmethod
    def _node_is_a_folder_s_name(cls, name: str) -> str:
        return check_node(name)

    @field_validator("data_dir")
    @classmethod
    def _from_the_root(cls, value: Path) -> Path:
        return from_the_root(value)

    @field_validator("timezone")
    @classmethod
    def _zone_exists(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ValueError, ZoneInfoNotFoundError):
            raise ValueError(f"there is no time zone {value!r}; names are such as Asia/Seoul or UTC") from None
        return value

    @model_validator(mode="after")
    def _check_addresses(self) -> Self:
        if self.broker_url and not self.broker_url.get_secret_value().startswith(("amqp://", "amqps://")):
            raise ValueError(f"{self.variable('broker_url')} must start with amqp:// or amqps://")
        if self.database_url and not self.database_url.get_secret_value().startswith(
            ("postgres://", "postgresql://", "sqlite:///")
        ):
            raise ValueError(f"{self.variable('database_url')} must start with postgresql:// or sqlite:///")
        return self

    @classmethod
    def variable(cls, field_name: str) -> str:
        """Return the name of the environment variable of a setting."""
        alias = cls.model_fields[field_name].validation_alias
        if isinstance(alias, AliasChoices):
            return str(alias.choices[0])
        return str(cls.model_config.get("env_prefix", "")) + field_name.upper()

    def origin(self, field_name: str) -> str:
        """Return where a setting's value comes from: environment, secret file or default."""
        if field_name not in self.model_fields_set:
            return "default"
        in_environment = self.secrets_dir is None or os.environ.get(self.variable(field_name))
        return "environment" if in_environment else "secret file"

    @classmethod
    def unknown_variables(cls) -> list[tuple[str, str | None]]:
        """Return variables with this prefix that are no settings, and for each the name that was meant, if any.

        Those of tests, ``…TEST_…``, are left out. One without this prefix counts where it is nearly the name of a
        setting that is not set.
        """
        prefix = str(cls.model_config.get("env_prefix", ""))
        known = [cls.variable(name) for name in cls.model_fields]
        # Compared without the prefix, which would make all names alike; PREFIX_DATABASE_URL is DATABASE_URL.
        by_word = {name.removeprefix(prefix): name for name in known}
        found: list[tuple[str, str | None]] = []
        spelled = {_letters(name): name for name in known if name not in os.environ}
        for name in sorted(os.environ):
            word = name.upper().removeprefix(prefix)
            if name.upper() in known:
                continue
            if not name.upper().startswith(prefix):
                found += [
                    (name, spelled[letters]) for letters in difflib.get_close_matches(_letters(name), spelled, 1, 0.9)
                ]
                continue
            if word.startswith("TEST_"):
                continue
            meant = difflib.get_close_matches(word, by_word, n=1, cutoff=0.7)
            found.append((name, by_word[meant[0]] if meant else None))
        return found

    @classmethod
    def load(cls, **overrides: Any) -> Self:
        """Read and check all settings.

        Parameters:
          overrides: Values that win over the environment, by field name (tests, command-line options).

        Raises:
          ConfigurationError: With one line for each wrong setting.
        """
        variable = cls.variable("secrets_dir")  # before all others: their values may lie there
        secrets = folder_of_secrets(variable, overrides.get("secrets_dir") or os.environ.get(variable))
        try:
            return cls(_secrets_dir=secrets, **overrides)
        except ValidationError as error:
            found = error.errors(include_input=False, include_url=False)
            lines = [cls._sentence(part["loc"], part["msg"]) for part in found]
            raise ConfigurationError("Wrong settings.\n  " + "\n  ".join(lines)) from None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Name where settings come from, for pydantic-settings; a file ``.env`` where one is asked for.

        Without one the library would examine the types of all fields once more, for half of the time that it takes.
        """
        dotenv = [dotenv_settings] if settings_cls.model_config.get("env_file") else []
        return (init_settings, env_settings, *dotenv, file_secret_settings)

    @classmethod
    def _sentence(cls, location: tuple[int | str, ...], message: str) -> str:
        """What is wrong, after the variable's name; a rule between several settings names them itself."""
        message = message.removeprefix("Value error, ")
        if not location:
            return message
        name = str(location[0])
        return f"{cls.variable(name) if name in cls.model_fields else name}: {message}"

    def engine_values(self) -> dict[str, Any]:
        """Return these settings as :class:`~growbin_jobs.engine.config.EngineConfig` takes them."""
        values = {name: getattr(self, name) for name in EngineSettings.model_fields}
        values["group"] = values.pop("worker_type")
        del values["secrets_dir"]  # what lay there is in the other values
        secrets = {name: each.get_secret_value() for name, each in values.items() if isinstance(each, SecretStr)}
        variables = {name: self.variable(name) for name in EngineSettings.model_fields}
        return values | secrets | {"variables": variables}


def with_prefix(prefix: str) -> type[EngineSettings]:
    """Return the engine's settings under a prefix.

    Parameters:
      prefix: Of the variables' names, such as ``ORDERS_``. The data folder is named after it unless it is set.
    """
    application = prefix.strip("_").lower() or "jobs"

    class Settings(EngineSettings):
        model_config = SettingsConfigDict(env_prefix=prefix)

        data_dir: Path = Field(
            default_factory=lambda: data_folder(application),
            description="Folder of everything embedded: queue, database, journal.",
        )

    return Settings


def environment() -> dict[str, str]:
    """Return this process's environment, for a child that is to have the same settings."""
    return dict(os.environ)


def _allows_none(annotation: Any) -> bool:
    return type(None) in getattr(annotation, "__args__", ())


def _letters(name: str) -> str:
    """Return what is left of a variable's name where its words were put together in another way."""
    return "".join(char for char in name.upper() if char.isalnum())
