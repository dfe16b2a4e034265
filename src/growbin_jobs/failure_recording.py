"""Tell the central database when a stage was given up."""

import inspect
import logging
from typing import Any

from dramatiq import Message, Middleware
from dramatiq.broker import Broker

from growbin_jobs.engine.delivery.ids import follow_up_id
from growbin_jobs.engine.delivery.routes import message_for
from growbin_jobs.engine.delivery.runs import counted
from growbin_jobs.names import RECORD_FAILURE

logger = logging.getLogger(__name__)


class FailureRecording(Middleware):
    """Send :data:`~growbin_jobs.names.RECORD_FAILURE` for a stage that ``Retries`` gave up.

    By message and not by writing the row here: the database may be what is down, and then the record waits in its
    queue like any other work. Actors say with ``stage="…"`` that they are a stage of an analysis. When the record
    cannot be sent the failed message goes back to its queue: a failure that nobody is told of counts as a loss.
    """

    @property
    def actor_options(self) -> set[str]:
        return {"stage"}

    def after_process_message(
        self, broker: Broker, message: Any, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        record = self._record(broker, message) if message.failed else None
        if record is None:
            return
        try:
            broker.enqueue(record)
        except Exception:
            logger.exception("failure.publish_failed actor=%s id=%s", message.actor_name, message.message_id)
            message.failed = False
            message.give_back()

    def _record(self, broker: Broker, message: Any) -> Message[Any] | None:
        actor = broker.get_actor(message.actor_name)
        stage = actor.options.get("stage")
        given_up = getattr(message, "given_up", None)
        if stage is None or given_up is None:
            return None
        try:
            call = inspect.signature(actor.fn).bind_partial(*message.args, **message.kwargs)
        except TypeError:
            return None
        analysis_id = call.arguments.get("analysis_id")
        if not isinstance(analysis_id, str):
            return None
        code, params = given_up
        record = message_for(RECORD_FAILURE, analysis_id=analysis_id, stage=stage, code=code, params=params)
        # Its usual id would be that of the first death: after a person's retry, which counts as put off once more, a
        # second one with another reason would pass for told already.
        run = counted(message.options, "deferrals")
        return record.copy(message_id=follow_up_id(message.message_id, RECORD_FAILURE.actor, run))
