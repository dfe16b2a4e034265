"""Settings of the service: those of the engine under the prefix ``ORDERS_``, and where e-mail goes."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from growbin_jobs.engine.settings import EngineSettings, data_folder


class Settings(EngineSettings):
    """Read by ``Settings.load()``."""

    model_config = SettingsConfigDict(env_prefix="ORDERS_")

    data_dir: Path = Field(default_factory=lambda: data_folder("orders"), description="Folder of everything embedded.")
    mail_url: str = Field(
        default="",
        pattern=r"^(smtp://[^/:]+:\d+|)$",
        description="smtp://host:port. Unset: a folder in the data folder.",
    )
