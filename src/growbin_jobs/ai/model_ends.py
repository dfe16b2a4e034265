"""Asks the models' server until when it offers the models of the settings; the job that does it runs in a worker."""

from datetime import datetime
from zoneinfo import ZoneInfo

from growbin_jobs import settings as _settings
from growbin_jobs.ai.model_clients import bare_client
from growbin_jobs.models.model_ends import ModelEnd
from growbin_jobs.operations.model_ends import look_at_ends, models_in_use
from growbin_jobs.wiring import central_database


def look_at_model_ends() -> list[ModelEnd]:
    """Ask the models' server until when it offers those of the settings, and keep and tell that.

    Raises:
      GrowbinError: The server or the database is away, or the server refuses the key.
    """
    settings = _settings.current()
    if not settings.models_online:
        return []
    client = bare_client(settings)
    listed, today = client.models(timeout=30.0), datetime.now(ZoneInfo(settings.timezone)).date()
    return look_at_ends(central_database(settings), models_in_use(settings), listed, client.server, today)
