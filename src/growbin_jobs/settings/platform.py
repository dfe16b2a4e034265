"""Settings of the schedule and of the agent platform."""

from typing import Annotated

from pydantic import BaseModel, Field

from growbin_jobs.engine.errors import ConfigurationError
from growbin_jobs.engine.settings import LONGEST_DAYS, Days
from growbin_jobs.settings.kinds import HomePath, Names, Networks, SecretAddress
from growbin_jobs.settings.references import referenced


class PlatformSettings(BaseModel):
    """Part of :class:`growbin_jobs.settings.Settings`."""

    schedule_ping_url: SecretAddress | None = Field(
        default=None,
        description="Address that each scheduler asks for every minute while nothing that is due waits, such as a "
        "check of healthchecks.io: it alarms when it hears nothing. Unset: none.",
    )

    health_networks: Networks = Field(
        default_factory=list,
        description="Private networks, separated by commas, whose agents and models may be checked, such as "
        "10.1.0.0/16. Unset: public addresses only.",
    )
    health_controls: Names = Field(
        default_factory=list,
        description="http:// or https:// addresses, separated by commas, that answer unless this node itself is "
        "offline; asked before a target is called unreachable. Unset: up to three other agents that were well.",
    )
    llm_keys_dir: HomePath | None = Field(
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
    keep_ledger_days: Annotated[float, Field(ge=96, le=LONGEST_DAYS)] = Field(
        default=100.0,
        description="Days that settled due times are kept: longer than the 95 days after which a message of a due time "
        "is not run any more.",
    )

    def secret_of(self, reference: str) -> str:
        """Return the key that a reference in ``llm_models`` names. Rows are data: they reach no other secret.

        Parameters:
          reference: ``env:OPENAI_API_KEY``, ``env:LLM_KEY_…`` or ``file:NAME`` in ``llm_keys_dir``.

        Raises:
          ConfigurationError: It names none.
        """
        value = referenced(reference, r"OPENAI_API_KEY|LLM_KEY_[A-Z0-9_]+", self.llm_keys_dir)
        if value is None:
            raise ConfigurationError(
                "key_ref names no key: it must be env:OPENAI_API_KEY, env:LLM_KEY_… or file:NAME in "
                "GROWBIN_LLM_KEYS_DIR, and the key must be there."
            )
        return value
