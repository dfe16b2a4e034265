"""The settings: name, type, default and help of each, read from the environment.

Nothing set means the embedded default: one machine, no server, no key. Variables carry the prefix ``GROWBIN_``;
the few that other tools know too keep their usual names (``DATABASE_URL``, ``WORKER_TYPE``, ``OPENAI_API_KEY``,
``OPENAI_BASE_URL``). ``growbin-jobs settings`` lists them with the origin of each value; ``docs/settings.md`` is
checked against this file.
"""

import os
import re
from contextlib import suppress
from decimal import Decimal
from functools import cache
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AliasChoices, Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from growbin_jobs.engine.data_folder import data_folder, expanded
from growbin_jobs.engine.errors import ConfigurationError
from growbin_jobs.engine.settings import Count, EngineSettings, Retries, Seconds
from growbin_jobs.model_catalog import AUTO, Tier, default_model, known_servers
from growbin_jobs.names import GROUPS
from growbin_jobs.rates import Rate, parse_rates
from growbin_jobs.reasons import Language

PREFIX = "GROWBIN_"

#: An amount of money in dollars, to a micro-dollar.
Dollars = Annotated[Decimal, Field(ge=0, le=1_000_000_000, decimal_places=6)]
Days = Annotated[float, Field(gt=0)]


class Settings(EngineSettings):
    """All settings, validated; those of the engine too. See :func:`load`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX)

    # --- what the engine has too, under other names or with other defaults
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
    keep_dead_letters_days: Annotated[float, Field(gt=0)] = Field(
        default=90.0,
        description="Days that the journal keeps dead letters, and the spool the pictures that they need.",
    )

    # --- schedule
    schedule_ping_url: SecretStr | None = Field(
        default=None,
        description="Address that each scheduler asks for every minute while nothing that is due waits, such as a "
        "check of healthchecks.io: it alarms when it hears nothing. Unset: none.",
    )

    scheduler_metrics_port: Annotated[int, Field(ge=0, le=65535)] = Field(
        default=9091,
        description="Port at which a scheduler serves /metrics, /startupz, /livez and /readyz. 0: none.",
    )

    # --- what people read
    language: Language = Field(
        default="ko", description="Language of the advice and of the reasons for a failure: ko or en."
    )
    rules_dir: Path | None = Field(
        default=None, description="Folder with your own rules instead of those that are installed."
    )

    # --- object store
    object_store_url: str | None = Field(
        default=None,
        description="s3://bucket for S3 (credentials from the usual AWS chain). Unset: a folder in the data folder; "
        "file:///path: that folder.",
    )
    s3_endpoint_url: str | None = Field(default=None, description="Address of an S3-compatible server. Unset: AWS.")
    s3_pool_size: Count = Field(
        default=200, description="HTTP connections to S3 that one process keeps and uses at most."
    )
    s3_timeout: Seconds = Field(
        default=20.0, description="Seconds to wait for S3 to connect or to send the next bytes."
    )
    spool_dirs: Annotated[list[Path], NoDecode] = Field(
        default_factory=list,
        description="Folders, separated by ':', that image_path may point into. Default: spool in the data folder.",
    )

    # --- pictures
    upload_max_bytes: Count = Field(default=25_000_000, description="Largest accepted picture file, in bytes.")
    upload_max_pixels: Count = Field(default=100_000_000, description="Largest accepted JPEG, in pixels.")
    upload_max_pixels_lossless: Count = Field(
        default=36_000_000,
        description="Largest accepted PNG, WebP, HEIC or progressive JPEG, in pixels: they are held in memory whole.",
    )
    picture_side: Annotated[int, Field(ge=1, le=8192)] = Field(
        default=2048, description="Largest side of the stored picture, in pixels."
    )
    picture_quality: Annotated[int, Field(ge=1, le=95)] = Field(
        default=85, description="JPEG quality of the stored pictures."
    )
    thumbnail_side: Count = Field(default=300, description="Largest side of the thumbnail, in pixels.")
    picture_threads: Count = Field(default=2, description="Pictures that one gevent process decodes at the same time.")

    # --- models
    openai_api_key: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("OPENAI_API_KEY", "openai_api_key"),
        description="Key for the models. Unset, and no OPENAI_BASE_URL: the offline classifier and the rule's own "
        "sentences.",
    )
    openai_base_url: str | None = Field(
        default=None,
        validation_alias=AliasChoices("OPENAI_BASE_URL", "openai_base_url"),
        description="Address of an OpenAI-compatible server. Unset: OpenAI.",
    )
    model_server: str = Field(
        default="auto",
        description="Kind of the models' server: auto (by its address), "
        + ", ".join(server.name for server in known_servers())
        + ". It decides what is sent before anything is learnt; `docs/models.md` has the table.",
    )
    vision_model: str = Field(default=default_model("vision"), description="Model that looks at the picture.")
    vision_successors: Annotated[list[str], NoDecode] = Field(
        default_factory=list,
        description="Models, separated by ',', to ask instead when the server no longer offers the vision model, the "
        "first of them first. Unset: the work waits until somebody sets another model.",
    )
    vision_service_tier: Tier | None = Field(
        default=None,
        description="Price tier of the vision call: auto, default, flex or priority; where it is not to be had, the "
        "standard one at once. Unset: the server's default.",
    )
    vision_reasoning_effort: str | None = Field(
        default=AUTO,
        description="Reasoning effort sent with the vision call. auto: the least that the model knows, nothing to a "
        "model that is not in the catalogue; empty: nothing.",
    )
    vision_temperature: Annotated[float, Field(ge=0, le=2)] | None = Field(
        default=None,
        description="Temperature of the vision call. Unset: not sent, nor to a model that is known to refuse it.",
    )
    vision_max_tokens: Count = Field(default=1000, description="Most tokens of a vision answer, reasoning included.")
    vision_timeout: Seconds = Field(default=50.0, description="Seconds for the whole vision call.")
    vision_side: Annotated[int, Field(ge=64, le=2048)] = Field(
        default=1024, description="Largest side of the picture that the model sees, in pixels."
    )
    vision_detail: Literal["low", "high", "auto", "original"] = Field(
        default="high", description="How closely the model looks (OpenAI's image detail)."
    )
    vision_transport: Literal["data_url", "presigned_url"] = Field(
        default="data_url",
        description="Picture inside the request, or a presigned https address (S3 only, and the model's server must "
        "reach it).",
    )
    text_model: str = Field(default=default_model("text"), description="Model that phrases the advice.")
    text_successors: Annotated[list[str], NoDecode] = Field(
        default_factory=list, description="Successors of the text model; as those of the vision model."
    )
    text_service_tier: Tier | None = Field(
        default=None, description="Price tier of the text call; as that of the vision call."
    )
    text_reasoning_effort: str | None = Field(
        default=AUTO, description="Reasoning effort sent with the text call; as that of the vision call."
    )
    text_temperature: Annotated[float, Field(ge=0, le=2)] | None = Field(
        default=None, description="Temperature of the text call; as that of the vision call."
    )
    text_max_tokens: Count = Field(default=800, description="Most tokens of the advice, reasoning included.")
    text_timeout: Seconds = Field(default=25.0, description="Seconds for the whole text call.")
    answer_ttl: Seconds = Field(
        default=3600.0,
        description="Seconds that a vision answer is kept, so that the same picture is not paid for twice.",
    )
    file_cache_megabytes: Annotated[int, Field(ge=0, le=100_000)] = Field(
        default=256,
        description="Megabytes of pictures from S3 that a node keeps for runs of stage 2 that come again. 0: none.",
    )
    file_cache_ttl: Seconds = Field(default=3600.0, description="Seconds that such a picture is kept.")
    offline_runtime: Literal["auto", "onnxruntime", "numpy"] = Field(
        default="auto", description="What runs the offline classifier; auto takes onnxruntime where it is installed."
    )

    # --- money
    prices_file: Path | None = Field(
        default=None,
        description="File with your own prices of models, in the form of the one that is installed "
        "(`growbin_jobs/limits/prices.json`). Unset: that one.",
    )

    usage_days: Count = Field(
        default=400,
        description="Days that single requests to models are kept (`llm_usage`); the sums of each day stay.",
    )
    budget_per_day: Dollars | None = Field(
        default=None,
        description="Dollars that all requests to models may cost in a day of GROWBIN_TIMEZONE; 0: nothing. "
        "`growbin-jobs budgets set total` wins over it. Unset: no limit.",
    )
    budget_per_user_day: Dollars | None = Field(
        default=None,
        description="Dollars that one user's requests may cost in a day. `growbin-jobs budgets set each-user` wins "
        "over it. Unset: no limit.",
    )
    budget_spent: Literal["defer", "refuse"] = Field(
        default="defer",
        description="What becomes of a message whose budget is spent: defer waits for the next day or a higher cap, "
        "refuse gives it up.",
    )
    unknown_price: Literal["warn", "refuse"] = Field(
        default="warn",
        description="What becomes of a request to a model without a price: warn sends it, in no budget and with "
        "unknown cost; refuse waits until it has one.",
    )

    # --- limits of paid calls, for the whole cluster
    vision_limit: Annotated[int, Field(ge=0)] = Field(
        default=100, description="Most vision requests in any minute, of all nodes together. 0: no limit."
    )
    text_limit: Annotated[int, Field(ge=0)] = Field(
        default=200, description="Most text requests in any minute, of all nodes together. 0: no limit."
    )
    limits: Annotated[dict[str, Rate], NoDecode] = Field(
        default_factory=dict,
        description="More limits, separated by ',': NAME=RATE, such as project=500/min,model:gpt-6-luna=300/min,"
        "user:*=20/min,tokens:vision=200000/min. Units: s, min, h, day.",
    )

    limit_patience: Annotated[float, Field(gt=0, le=1500)] = Field(
        default=600.0,
        description="Seconds that a message keeps its worker thread while it waits for its turn under a limit. A "
        "longer wait is the queue's. RabbitMQ takes a message back after 30 minutes.",
    )
    limit_timeout: Seconds = Field(
        default=1.0,
        description="Seconds after which a central database that has not answered about a limit counts as away "
        "(PostgreSQL): paid calls wait.",
    )

    bulk_after: Count = Field(
        default=20,
        description="Analyses that one user may have under way; more pictures of that user wait in a queue of their "
        "own, behind everybody else's.",
    )

    # --- limits of the stages
    upload_retries: Retries = Field(default=3, description="Retries of stage 1, upload.")
    upload_backoff: Seconds = Field(
        default=10.0, description="Seconds before the first retry of stage 1; doubles, with jitter."
    )
    upload_time_limit: Seconds = Field(default=300.0, description="Seconds that stage 1 may run.")
    vision_retries: Retries = Field(default=5, description="Retries of stage 2, vision.")
    vision_backoff: Seconds = Field(
        default=30.0, description="Seconds before the first retry of stage 2; doubles, with jitter."
    )
    vision_time_limit: Seconds = Field(default=60.0, description="Seconds that stage 2 may run.")
    rule_retries: Retries = Field(default=3, description="Retries of stage 3, rules.")
    rule_backoff: Seconds = Field(
        default=5.0, description="Seconds before the first retry of stage 3; doubles, with jitter."
    )
    rule_time_limit: Seconds = Field(default=10.0, description="Seconds that stage 3 may run.")
    response_retries: Retries = Field(default=3, description="Retries of stage 4, response.")
    response_backoff: Seconds = Field(
        default=20.0, description="Seconds before the first retry of stage 4; doubles, with jitter."
    )
    response_time_limit: Seconds = Field(default=30.0, description="Seconds that stage 4 may run.")

    # --- the agent platform
    health_networks: Annotated[list[str], NoDecode] = Field(
        default_factory=list,
        description="Private networks, separated by commas, whose agents and models may be checked, such as "
        "10.1.0.0/16. Unset: public addresses only.",
    )
    health_controls: Annotated[list[str], NoDecode] = Field(
        default_factory=list,
        description="http:// or https:// addresses, separated by commas, that answer unless this node itself is "
        "offline; asked before a target is called unreachable. Unset: up to three other agents that were well.",
    )
    llm_keys_dir: Path | None = Field(
        default=None, description="Folder of files with keys that llm_models.key_ref may name as file:NAME."
    )
    keep_logs_days: Days = Field(default=30.0, description="Days that rows of logs are kept.")
    keep_central_tasks_days: Days = Field(
        default=90.0, description="Days after its end that a task stays in the central database; more than in journals."
    )
    keep_api_calls_days: Days = Field(
        default=400.0, description="Days until api_calls and logins are archived; older periods cannot be recounted."
    )
    keep_sessions_days: Days = Field(default=90.0, description="Days after its end until a session is archived.")
    keep_statistics_days: Days = Field(
        default=365.0, description="Days until daily statistics are archived; weeks and months stay."
    )

    keep_health_days: Days = Field(default=365.0, description="Days that changes of health are kept.")
    keep_ledger_days: Annotated[float, Field(ge=96)] = Field(
        default=100.0,
        description="Days that settled due times are kept: longer than the 95 days after which a message of a due time "
        "is not run any more.",
    )

    # --- monitor
    monitor_users: SecretStr | None = Field(
        default=None,
        description="Who may sign in to the monitor: name:role:hash, several separated by blanks; "
        "`growbin-jobs monitor hash-password` makes one. Roles: viewer, operator, admin; with +personal they "
        "see personal data.",
    )
    monitor_users_file: Path | None = Field(
        default=None, description="File with more of them, one a line; lines that begin with # say nothing."
    )
    monitor_hosts: Annotated[list[str], NoDecode] = Field(
        default_factory=list,
        description="Names by which browsers reach the monitor, separated by commas; localhost and IP addresses need "
        "not be named. A request for another name is refused.",
    )
    monitor_public_url: str | None = Field(
        default=None, description="Address of the monitor as browsers see it, without a path. Needed for OIDC."
    )
    monitor_session_hours: Annotated[float, Field(gt=0, le=24 * 31)] = Field(
        default=12.0, description="Hours that a sign-in to the monitor lasts."
    )
    monitor_allow: Annotated[list[str], NoDecode] = Field(
        default_factory=list,
        description="Whom OIDC or a proxy lets in, separated by commas, each name exactly: "
        "email:kim@example.com=admin, domain:example.com=viewer, group:ops=operator, user:kim=admin.",
    )
    monitor_oidc_issuer: str | None = Field(
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
    monitor_proxy_networks: Annotated[list[str], NoDecode] = Field(
        default_factory=list,
        description="Networks of the proxies before the monitor, separated by commas, such as 10.1.0.0/16; unix for "
        "who comes by the unix socket. They are believed about address, scheme and user.",
    )
    monitor_environment: str = Field(
        default="", description="Shown on every page of the monitor, such as production (which is red) or staging."
    )
    completion_url: SecretStr | None = Field(
        default=None,
        description="Web address that is told of each analysis that has ended, by a signed POST. Unset: nobody is. "
        "Set it for both groups.",
    )
    completion_secret: str = Field(
        default="env:WEBHOOK_SECRET",
        description="Where the secret is that signs it: env:WEBHOOK_SECRET, env:WEBHOOK_SECRET_NAME, or file:NAME in "
        "GROWBIN_WEBHOOK_SECRETS_DIR.",
    )
    webhook_networks: Annotated[list[str], NoDecode] = Field(
        default_factory=list,
        description="Private networks, separated by commas, that webhooks may be sent to, such as 10.1.0.0/16. Unset: "
        "public addresses only.",
    )
    webhook_secrets_dir: Path | None = Field(
        default=None, description="Folder of files with secrets that a webhook may name as file:NAME."
    )
    keep_audit_days: Annotated[float, Field(ge=730)] = Field(
        default=1096.0,
        description="Days that the audit keeps who did and saw what; at least 730 (개인정보의 안전성 확보조치 기준 "
        "제8조).",
    )

    @field_validator(
        "health_networks",
        "health_controls",
        "monitor_hosts",
        "monitor_allow",
        "monitor_proxy_networks",
        "webhook_networks",
        mode="before",
    )
    @classmethod
    def _split_commas(cls, value: Any) -> Any:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("health_networks", "webhook_networks")
    @classmethod
    def _are_networks(cls, value: list[str]) -> list[str]:
        for text in value:
            ip_network(text)  # its ValueError says what is wrong
        return value

    @field_validator("monitor_proxy_networks")
    @classmethod
    def _are_networks_or_the_socket(cls, value: list[str]) -> list[str]:
        for text in value:
            if text != "unix":
                ip_network(text)  # its ValueError says what is wrong
        return value

    @field_validator("monitor_public_url", "monitor_oidc_issuer")
    @classmethod
    def _web_address_without_end(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("https://", "http://")):
            raise ValueError("must start with https:// or http://")
        return value.rstrip("/") if value else None

    @field_validator("rules_dir", "spool_dirs", "prices_file", "monitor_users_file", "webhook_secrets_dir")
    @classmethod
    def _at_home(cls, value: Any) -> Any:
        """Replace ``~`` by this user's home, as a shell does."""
        return [expanded(part) for part in value] if isinstance(value, list) else value and expanded(value)

    @field_validator("schedule_ping_url", "completion_url")
    @classmethod
    def _web_address(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(("https://", "http://")):
            raise ValueError("must start with https:// or http://")
        return value

    @field_validator("worker_type")
    @classmethod
    def _group_exists(cls, value: str | None) -> str | None:
        if value is not None and value not in GROUPS:
            raise ValueError(f"there is no worker group {value!r}; there are: {', '.join(GROUPS)}")
        return value

    @field_validator("spool_dirs", mode="before")
    @classmethod
    def _split_paths(cls, value: Any) -> Any:
        return [Path(part) for part in value.split(os.pathsep) if part] if isinstance(value, str) else value

    @field_validator("vision_successors", "text_successors", mode="before")
    @classmethod
    def _split_names(cls, value: Any) -> Any:
        return [name.strip() for name in value.split(",") if name.strip()] if isinstance(value, str) else value

    @field_validator("model_server")
    @classmethod
    def _know_server(cls, value: str) -> str:
        if value not in (known := ["auto", *(server.name for server in known_servers())]):
            raise ValueError(f"GROWBIN_MODEL_SERVER must be one of {', '.join(known)}")
        return value

    @field_validator("limits", mode="before")
    @classmethod
    def _read_rates(cls, value: Any) -> Any:
        return parse_rates(value) if isinstance(value, str) else value

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
    def models_online(self) -> bool:
        """True when a model server is to be asked; False means the offline models."""
        return bool(self.openai_api_key or self.openai_base_url)

    def secret_of(self, reference: str) -> str:
        """Return the key that a reference in ``llm_models`` names. Rows are data: they reach no other secret.

        Parameters:
          reference: ``env:OPENAI_API_KEY``, ``env:LLM_KEY_…`` or ``file:NAME`` in ``llm_keys_dir``.

        Raises:
          ConfigurationError: It names none.
        """
        value = _referenced(reference, r"OPENAI_API_KEY|LLM_KEY_[A-Z0-9_]+", self.llm_keys_dir)
        if value is None:
            raise ConfigurationError(
                "key_ref names no key: it must be env:OPENAI_API_KEY, env:LLM_KEY_… or file:NAME in "
                "GROWBIN_LLM_KEYS_DIR, and the key must be there."
            )
        return value

    def webhook_secret(self, reference: str) -> str:
        """Return the secret that a webhook names. Rows are data: they reach no other secret.

        Parameters:
          reference: ``env:WEBHOOK_SECRET``, ``env:WEBHOOK_SECRET_…`` or ``file:NAME`` in
            ``webhook_secrets_dir``.

        Raises:
          ConfigurationError: It names none on this node.
        """
        value = _referenced(reference, r"WEBHOOK_SECRET(_[A-Z0-9_]+)?", self.webhook_secrets_dir)
        if value is None:
            raise ConfigurationError(f"this node has no secret {reference}")
        return value

    @property
    def spool_folders(self) -> list[Path]:
        """Folders that ``image_path`` may point into."""
        return self.spool_dirs or [self.data_dir / "spool"]


def _referenced(reference: str, variables: str, folder: Path | None) -> str | None:
    """Return a secret by its reference; None: it names none.

    Parameters:
      reference: ``env:NAME`` or ``file:NAME``.
      variables: Pattern of the variables that may be named.
      folder: Of the files that may be named.
    """
    kind, _, name = reference.partition(":")
    value = ""
    if kind == "env" and re.fullmatch(variables, name):
        value = os.environ.get(name, "").strip()
    elif kind == "file" and folder is not None and re.fullmatch(r"\w[\w.-]*", name, re.ASCII):
        with suppress(OSError, UnicodeDecodeError):
            value = (folder / name).read_text().strip()
    return value if value and value.isascii() and value.isprintable() else None


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
