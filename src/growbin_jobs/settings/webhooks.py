"""Settings of those who are told: the completion hook, and webhooks of alerts."""

from pydantic import BaseModel, Field

from growbin_jobs.engine.errors import ConfigurationError
from growbin_jobs.settings.kinds import HomePath, Networks, SecretAddress
from growbin_jobs.settings.references import referenced


class WebhookSettings(BaseModel):
    """Part of :class:`growbin_jobs.settings.Settings`."""

    completion_url: SecretAddress | None = Field(
        default=None,
        description="Web address that is told of each analysis that has ended, by a signed POST. Unset: nobody is. "
        "Set it for both groups.",
    )
    completion_secret: str = Field(
        default="env:WEBHOOK_SECRET",
        description="Where the secret is that signs it: env:WEBHOOK_SECRET, env:WEBHOOK_SECRET_NAME, or file:NAME in "
        "GROWBIN_WEBHOOK_SECRETS_DIR.",
    )
    webhook_networks: Networks = Field(
        default_factory=list,
        description="Private networks, separated by commas, that webhooks may be sent to, such as 10.1.0.0/16. Unset: "
        "public addresses only.",
    )
    webhook_secrets_dir: HomePath | None = Field(
        default=None, description="Folder of files with secrets that a webhook may name as file:NAME."
    )

    def webhook_secret(self, reference: str) -> str:
        """Return the secret that a webhook names. Rows are data: they reach no other secret.

        Parameters:
          reference: ``env:WEBHOOK_SECRET``, ``env:WEBHOOK_SECRET_…`` or ``file:NAME`` in
            ``webhook_secrets_dir``.

        Raises:
          ConfigurationError: It names none on this node.
        """
        value = referenced(reference, r"WEBHOOK_SECRET(_[A-Z0-9_]+)?", self.webhook_secrets_dir)
        if value is None:
            raise ConfigurationError(f"this node has no secret {reference}")
        return value
