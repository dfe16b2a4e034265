"""Actors of the agent platform in the AI group: health of models, and until when they are offered."""

from typing import Any

from growbin_jobs import names
from growbin_jobs.actors import actor
from growbin_jobs.app import broker
from growbin_jobs.engine.delivery.by_name import message_for
from growbin_jobs.errors import NotFound
from growbin_jobs.periodic_actors import periodic
from growbin_jobs.scheduler.table import MODELS_EVERY


@periodic(names.CHECK_ALL_MODELS, again=True)
def check_all_models(due: str, since: str | None = None, until: str | None = None) -> dict[str, int]:  # noqa: ARG001
    """Send one check for each model in use, spread over the time until the next due time.

    Parameters:
      due: When the job was due.
      since: The begin of its data interval.
      until: Its end.
    """
    from growbin_jobs.platform import bootstrap

    models = bootstrap.registry().model_ids()
    bootstrap.send_checks(names.CHECK_MODEL, "model", models, due=due, every=MODELS_EVERY)
    return {"models": len(models)}


@periodic(names.CHECK_MODEL_ENDS)
def check_model_ends(due: str, since: str | None = None, until: str | None = None) -> dict[str, Any]:  # noqa: ARG001
    """Look until when the models in use are offered; it costs nothing. Offline models never end.

    Parameters:
      due: When the job was due.
      since: The begin of its data interval.
      until: Its end.
    """
    from growbin_jobs.ai.model_ends import look_at_model_ends

    found = look_at_model_ends()
    return {one.model: one.ends.isoformat() if one.ends else None for one in found}


@periodic(names.MAKE_BATCHES)
def make_batches(due: str, since: str | None = None, until: str | None = None) -> dict[str, int]:  # noqa: ARG001
    """Make batches of what waits for one, and have the server create them.

    Parameters:
      due: When the job was due.
      since: The begin of its data interval.
      until: Its end.
    """
    from growbin_jobs.ai import bootstrap

    work = bootstrap.batches()
    return {} if work is None else work.making.run_once()


@periodic(names.LOOK_AFTER_BATCHES)
def look_after_batches(due: str, since: str | None = None, until: str | None = None) -> dict[str, int]:  # noqa: ARG001
    """Ask how far batches are that are due, and read the results of those that have ended.

    Parameters:
      due: When the job was due.
      since: The begin of its data interval.
      until: Its end.
    """
    from growbin_jobs.ai import bootstrap

    work = bootstrap.batches()
    return {} if work is None else work.looking_after.run_once()


@actor(names.CHECK_MODEL)
def check_model_health(model_id: str | int, due: str | None = None, expires: str | None = None) -> dict[str, Any]:
    """Check one model, 30 s in all: real traffic first, then a request that costs nothing, a paid chat only if asked.

    Parameters:
      model_id: The model's row.
      due: When the check was due; it is made once for each due time. None: a person asks, or a recheck.
      expires: When the next check is due: a later start is left out.
    """
    from growbin_jobs.platform import bootstrap

    moments = {name: bootstrap.parsed(text) if text else None for name, text in (("due", due), ("expires", expires))}
    try:
        checked = bootstrap.model_health().check(str(model_id), **moments)
    except NotFound:
        if expires is None:
            raise
        return {"model_id": model_id, "status": "deleted"}  # since the checks were sent
    if checked.recheck_in is not None and expires is not None:
        recheck = message_for(names.CHECK_MODEL, model_id, expires=expires)
        broker.enqueue(recheck, delay=round(checked.recheck_in * 1000))
    return checked.as_dict("model_id", model_id)
