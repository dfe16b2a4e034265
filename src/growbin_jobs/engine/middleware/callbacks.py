"""Sends to other actors what has become of a message: ``on_success`` and ``on_failure``."""

from __future__ import annotations

from typing import Any

from dramatiq import Actor
from dramatiq.broker import Broker
from dramatiq.middleware import Callbacks as DramatiqCallbacks

from growbin_jobs.engine.errors import Deferred
from growbin_jobs.engine.foreign_errors import describe
from growbin_jobs.engine.middleware.follow_ups import as_data, owed_by
from growbin_jobs.engine.middleware.in_place_of import InPlaceOf
from growbin_jobs.engine.reasons import reason


class Callbacks(InPlaceOf, DramatiqCallbacks):
    """Sends the callbacks of an actor or a message, as follow-ups of its run: none is lost, none is sent twice.

    As Dramatiq's ``Callbacks``, and: ``on_failure`` is also told of a message that is given up without a run; it is not
    told of one that is put off, since waiting is not failing; the text of a foreign error does not travel.
    """

    stock = DramatiqCallbacks

    def concerns(self, actor: Actor[Any, Any]) -> bool:
        """Return whether messages without options of this actor need it (:mod:`growbin_jobs.engine.fast.hooks`)."""
        return bool(actor.options.get("on_success") or actor.options.get("on_failure"))

    def after_process_message(
        self, broker: Broker, message: Any, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        actor = broker.actors.get(message.actor_name)
        if actor is None or (not message.options and not actor.options):
            return
        failed = exception is not None or message.failed
        name = "on_failure" if failed else "on_success"
        target = message.options.get(name) or actor.options.get(name)
        if not target or getattr(message, "stale", False):
            return
        if isinstance(exception, Deferred) or (message.failed and target not in broker.actors):
            return  # the second one is a dead letter for that very reason
        with owed_by(message, name):
            broker.get_actor(target).send(as_data(message), _failure(message, exception) if failed else result)


def _failure(message: Any, exception: BaseException | None) -> dict[str, str]:
    if exception is not None:
        return {"type": type(exception).__name__, "message": describe(exception)}
    code, params = getattr(message, "given_up", None) or ("skipped", {})
    return {"type": code, "message": reason(code, "en", params)}
