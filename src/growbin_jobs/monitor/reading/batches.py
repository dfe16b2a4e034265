"""Batches of paid calls for one request."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from growbin_jobs.models.batch_life import Sizes, State
from growbin_jobs.monitor.services import Services
from growbin_jobs.operations import batch_states
from growbin_jobs.operations.batch_states import BatchDetail, BatchPage


class Which(StrEnum):
    """Which batches are listed."""

    under_way = "under_way"
    done = "done"


_STATES: Final = {
    Which.under_way: tuple(state for state in State if state is not State.DONE),
    Which.done: (State.DONE,),
}


def batches_of(services: Services, which: Which | None, cursor: str | None, limit: int = 50) -> BatchPage:
    """Return batches; see :func:`growbin_jobs.operations.batch_states.batch_page`.

    Parameters:
      which: None: all.
    """
    sizes = Sizes.of(services.settings)
    states = _STATES[which] if which is not None else ()
    return batch_states.batch_page(services.database, sizes, states=states, cursor=cursor or None, limit=limit)


def batch_of(services: Services, batch_id: str, cursor: str | None, limit: int = 50) -> BatchDetail:
    """Return one batch; see :func:`growbin_jobs.operations.batch_states.batch_detail`."""
    return batch_states.batch_detail(services.database, batch_id, cursor=cursor or None, limit=limit)
