"""Lets the central database know, by message, that a stage of an analysis was given up."""

import inspect
from collections.abc import Callable
from typing import Any

from dramatiq import Actor, Message

from growbin_jobs import names
from growbin_jobs.engine.actors import OnGiveUp
from growbin_jobs.engine.delivery.by_name import message_for


def record_failure_of(stage: str) -> OnGiveUp:
    """Return the hook that lets the central database know that a stage of an analysis was given up.

    Parameters:
      stage: What the analysis says has failed.
    """

    def record(actor: Actor[Any, Any], message: Any) -> Message[Any] | None:
        analysis_id = _argument(actor.fn, message, "analysis_id")
        if not isinstance(analysis_id, str):
            return None
        code, params = message.given_up
        return message_for(names.RECORD_FAILURE, analysis_id=analysis_id, stage=stage, code=code, params=params)

    return record


def _argument(function: Callable[..., Any], message: Any, name: str) -> Any:
    try:
        return inspect.signature(function).bind_partial(*message.args, **message.kwargs).arguments.get(name)
    except TypeError:
        return None
