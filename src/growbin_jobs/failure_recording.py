"""The hook for a stage that was given up: sends the message that records the failure."""

import inspect
from collections.abc import Callable
from typing import Any

from dramatiq import Actor, Message

from growbin_jobs import names
from growbin_jobs.engine.actors import OnGiveUp
from growbin_jobs.engine.delivery.by_name import message_for
from growbin_jobs.messages import FAILED_USER
from growbin_jobs.picture_keys import owner_of_stored


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
        speaks_for = _user(actor.fn, message)
        params = {**params} if speaks_for is None else {**params, FAILED_USER: speaks_for}
        return message_for(names.RECORD_FAILURE, analysis_id=analysis_id, stage=stage, code=code, params=params)

    return record


def _user(function: Callable[..., Any], message: Any) -> str | None:
    """Return the user that a message names; empty where it should and does not; None where no argument would."""
    takes = inspect.signature(function).parameters
    if "user_id" in takes:
        user = _argument(function, message, "user_id")
        return user if isinstance(user, str) else ""
    if "s3_path" in takes:
        owner = owner_of_stored(_argument(function, message, "s3_path"))
        return owner.user_id if owner else ""
    return None


def _argument(function: Callable[..., Any], message: Any, name: str) -> Any:
    try:
        return inspect.signature(function).bind_partial(*message.args, **message.kwargs).arguments.get(name)
    except TypeError:
        return None
