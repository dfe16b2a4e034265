"""Until when the models in use are offered: by their server's list, else by the catalogue."""

import logging
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final

from growbin_jobs.engine.central.database import Database
from growbin_jobs.model_catalog import Server, find_model
from growbin_jobs.models.model_ends import ModelEnd, ModelEnds
from growbin_jobs.settings import Settings

logger = logging.getLogger(__name__)

#: Days before a model's end from which on it is an error, and a warning.
ERROR_DAYS: Final = 14
WARN_DAYS: Final = 60


def models_in_use(settings: Settings) -> list[str]:
    """Return the models that the settings name, without successors, which are asked only where one is gone."""
    return list(dict.fromkeys((settings.vision_model, settings.text_model)))


def is_offered(model: str, listed: Mapping[str, date | None], server: Server) -> bool:
    """Return whether a server has a model by its list; where it lists others (Azure's deployments) nobody can tell."""
    return not listed or server.name == "azure" or bool({model, f"{model}:latest"} & listed.keys())


def end_of(model: str, listed: Mapping[str, date | None]) -> date | None:
    """Return the day on which a model leaves the API: as the server announces it, else as the catalogue knows it.

    Parameters:
      model: Its name, an alias, or a snapshot's name.
      listed: What the server says of each model that it has.
    """
    known = find_model(model)
    return _announced(model, listed) or (known.shutdown if known else None)


def look_at_ends(
    database: Database, models: Sequence[str], listed: Mapping[str, date | None], server: Server, today: date
) -> list[ModelEnd]:
    """Keep until when models are offered, and tell of those that end soon; return what was found.

    Raises:
      Deferred: The database is away.
    """
    found = [ModelEnd(model, end_of(model, listed), is_offered(model, listed, server)) for model in models]
    ModelEnds(database).replace(found)
    for one in found:
        _tell(one, today)
    return found


def _tell(one: ModelEnd, today: date) -> None:
    known = find_model(one.model)
    successors = ",".join(known.successors) if known else ""
    if not one.offered:
        logger.error("model.not_offered model=%s successors=%s", one.model, successors)
        return
    days = (one.ends - today).days if one.ends else None
    if days is not None and days <= WARN_DAYS:
        level = logging.ERROR if days <= ERROR_DAYS else logging.WARNING
        logger.log(level, "model.ends model=%s on=%s days=%d successors=%s", one.model, one.ends, days, successors)


def _announced(model: str, listed: Mapping[str, date | None]) -> date | None:
    """Return the day of a model's end as the server announces it, for the name itself or else for its snapshots."""
    if listed.get(model) is not None:
        return listed[model]
    known = find_model(model)
    others = {name: end for name, end in listed.items() if name != model}
    snapshots = [end for name, end in others.items() if known is not None and find_model(name) is known]
    # An alias lives as long as its last snapshot.
    return max((end for end in snapshots if end), default=None) if all(snapshots) else None
