"""Names of spans and attributes, as OpenTelemetry's conventions have them; the one place where they are written.

Those of messaging are of the semantic conventions 1.44.0 (status: development). Those of generative models moved out of
them in 1.42.0 to the conventions of their own, which had no release when this was written: ``gen_ai.provider.name``
takes the place of ``gen_ai.system``.
"""

from __future__ import annotations

from typing import Final

VERSION: Final = "1.44.0"
SCHEMA_URL: Final = f"https://opentelemetry.io/schemas/{VERSION}"

#: Spans: the operation and where; operations of messages.
SEND, PROCESS = "send", "process"

SYSTEM: Final = "messaging.system"
OPERATION_NAME: Final = "messaging.operation.name"
OPERATION_TYPE: Final = "messaging.operation.type"
DESTINATION: Final = "messaging.destination.name"
MESSAGE_ID: Final = "messaging.message.id"

RABBITMQ, EMBEDDED = "rabbitmq", "growbin"

ERROR_TYPE: Final = "error.type"

GEN_AI_OPERATION: Final = "gen_ai.operation.name"
GEN_AI_PROVIDER: Final = "gen_ai.provider.name"
GEN_AI_MODEL: Final = "gen_ai.request.model"
GEN_AI_SERVED_MODEL: Final = "gen_ai.response.model"
GEN_AI_TOKENS_IN: Final = "gen_ai.usage.input_tokens"
GEN_AI_TOKENS_OUT: Final = "gen_ai.usage.output_tokens"
CHAT, OPENAI = "chat", "openai"

#: Our own.
ACTOR: Final = "growbin.actor"
ATTEMPT: Final = "growbin.attempt"
SUBJECT: Final = "growbin.subject"
OUTCOME: Final = "growbin.outcome"
PURPOSE: Final = "growbin.purpose"
