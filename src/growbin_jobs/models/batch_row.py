"""A row of the table ``model_batch``, as it is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from growbin_jobs.models.batch_life import State

#: What is read of a row, for :func:`batch_of`.
COLUMNS: Final = (
    "id, model, state, outcome, problem, server_id, server_status, input_file, output_file, error_file, requests,"
    " tokens, answered, standard, cancelled_by, looks, fence, next_at, made_at, sent_at, ended_at, reserved, settled,"
    " unknown, $now"
)


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch. Moments are in seconds since 1970, of the database's clock.

    Attributes:
      id: Our own, which the server has in the batch's metadata.
      outcome: How it ended, in the server's word or ``no_batches``, ``lost``; None before.
      problem: What kept it from being made, or why it failed.
      server_id, server_status: The server's id of it, and how far it says that it is.
      requests: How many it asks for.
      tokens: Estimate of the tokens that it sends.
      answered, standard: How many of them were answered, and how many were asked in the standard tier.
      cancelled_by: Who wants it to end.
      looks: How often the server was asked how far it is.
      next_at: When it is worked on again.
      made_at, sent_at, ended_at: When it was begun, created at the server, and done.
      reserved, settled, unknown: What became of its money once it is done, in micro-dollars; None before.
      now: When this was read. A node's own clock is another one.
    """

    id: str
    model: str
    state: State
    outcome: str | None
    problem: str | None
    server_id: str | None
    server_status: str | None
    input_file: str | None
    output_file: str | None
    error_file: str | None
    requests: int
    tokens: int
    answered: int
    standard: int
    cancelled_by: str | None
    looks: int
    fence: int
    next_at: float
    made_at: float
    sent_at: float | None
    ended_at: float | None
    reserved: int | None = None
    settled: int | None = None
    unknown: int | None = None
    now: float = 0.0

    @property
    def age(self) -> float:
        """Return the seconds since it was begun."""
        return self.now - self.made_at


def batch_of(row: Sequence[Any]) -> Batch:
    """Return the batch of a row of :data:`COLUMNS`."""
    batch_id, model, state, *others = row
    return Batch(batch_id, model, State(state), *others)
