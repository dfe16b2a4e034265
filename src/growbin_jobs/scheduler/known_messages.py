"""Watches workers for messages of due times that their node does not run again, since they have ended there.

After a restore of the central database the ledger does not know of what came to an end since the backup. It sends that
under the same ids, and the nodes know those. Then the due time is sent anew, so that its effect comes into the database
again; nothing of it is there.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection
from contextlib import closing
from typing import TYPE_CHECKING, Any

from growbin_jobs.engine import events
from growbin_jobs.errors import Deferred

if TYPE_CHECKING:
    from growbin_jobs.engine.config import EngineConfig

logger = logging.getLogger(__name__)


class KnownMessages:
    """The observer; an engine has it among ``EngineConfig.observers``.

    Parameters:
      jobs: Returns the names of the jobs that schedulers fire, which are those of their actors.
    """

    def __init__(self, jobs: Callable[[], Collection[str]]) -> None:
        self._jobs = jobs

    def in_worker(self, config: EngineConfig, _journal: Any) -> Callable[[], None]:
        """Watch a worker process."""
        actors = self._jobs()

        def told(_event: events.Event, fields: Any) -> None:
            if fields["actor"] in actors:  # a listener must not wait for a database
                threading.Thread(
                    target=_send_anew, args=(config, fields["actor"], fields["id"]), name="due-time", daemon=True
                ).start()

        return events.listen(told, events.KNOWN)

    def in_keeper(self, _config: EngineConfig, _keeper: Any) -> Callable[[], None]:
        """Do nothing: a keeper runs no messages."""
        return lambda: None


def _send_anew(config: EngineConfig, job: str, message_id: str) -> None:
    from growbin_jobs.engine.opening import open_central
    from growbin_jobs.scheduler.ledger import Ledger

    with closing(open_central(config)) as database:
        try:
            anew = Ledger(database, config.node).ended_elsewhere(job, message_id)
        except Deferred as error:
            logger.warning("schedule.not_sent_anew job=%s id=%s error=%s", job, message_id, error)
            return
    if anew:
        logger.warning(
            "schedule.sent_anew job=%s id=%s: it has ended on this node, and the database knows no effect; was it "
            "restored to an earlier moment?", job, message_id,
        )  # fmt: skip
