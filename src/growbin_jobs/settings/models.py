"""Settings of models: which server, which models, how they are asked, what is kept of their answers."""

from typing import Annotated, Literal

from pydantic import AliasChoices, BaseModel, Field, SecretStr, field_validator

from growbin_jobs.engine.settings import Count, Seconds
from growbin_jobs.model_catalog import AUTO, Tier, default_model, known_servers
from growbin_jobs.settings.kinds import Names


class ModelSettings(BaseModel):
    """Part of :class:`growbin_jobs.settings.Settings`."""

    openai_api_key: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("OPENAI_API_KEY", "openai_api_key"),
        description="Key for the models. Unset, and no OPENAI_BASE_URL: the offline classifier and the rule's own "
        "sentences.",
    )
    openai_admin_key: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("OPENAI_ADMIN_KEY", "openai_admin_key"),
        description="Admin key of the OpenAI organization, for `growbin-jobs usage --billed` alone; workers need none.",
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
    vision_successors: Names = Field(
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
    text_successors: Names = Field(
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
        description="Megabytes of pictures that a node keeps for stage 2, which then need not fetch them from S3. "
        "0: none.",
    )
    file_cache_ttl: Seconds = Field(default=3600.0, description="Seconds that such a picture is kept.")
    offline_runtime: Literal["auto", "onnxruntime", "numpy"] = Field(
        default="auto", description="What runs the offline classifier; auto takes onnxruntime where it is installed."
    )

    @field_validator("model_server")
    @classmethod
    def _know_server(cls, value: str) -> str:
        if value not in (known := ["auto", *(server.name for server in known_servers())]):
            raise ValueError(f"GROWBIN_MODEL_SERVER must be one of {', '.join(known)}")
        return value

    @property
    def models_online(self) -> bool:
        """True when a model server is to be asked; False means the offline models."""
        return bool(self.openai_api_key or self.openai_base_url)
