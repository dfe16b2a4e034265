"""Makes batches: collects what waits into one file, sends it, and has the server create a batch of it, once."""

from __future__ import annotations

import logging
import uuid
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Final

from growbin_jobs.adapters.llm.batches import BatchServer, Missing, ServerBatch
from growbin_jobs.adapters.llm.client import ModelClient
from growbin_jobs.ai.batch_ending import EndBatches
from growbin_jobs.ai.batch_input_file import InputFile
from growbin_jobs.ai.batch_lease import Kept
from growbin_jobs.engine.crashpoints import crashpoint
from growbin_jobs.errors import GrowbinError, Permanent
from growbin_jobs.models.batch_life import LOST_AFTER, MADE_IN, Sizes, State, Why
from growbin_jobs.models.batch_questions import PAGE, BatchQuestions
from growbin_jobs.models.batch_row import Batch
from growbin_jobs.models.batch_settling import BatchSettling
from growbin_jobs.models.batch_waiting import BatchWaiting, Waiting
from growbin_jobs.models.batches import Batches, LeaseLost

logger = logging.getLogger(__name__)

#: Codes of refusals that an operator has to mend, and seconds until it is tried again.
_OPERATOR: Final = frozenset({"model_quota_exhausted", "model_access_denied"})
_OPERATOR_WAIT: Final = 300.0

#: Seconds until it is tried again after a failure. A batch that the server has made all the same must be in its list
#: by then.
_WAIT: Final = 60.0

#: Seconds after which a batch that could not be made, and surely was not, is asked in the standard tier.
_GIVEN_UP_AFTER: Final = 2 * 3_600.0

#: Times that a file is built anew since somebody asks a question of it otherwise meanwhile: it may hold thousands.
_BUILT_ANEW: Final = 3

#: Seconds by which the server's clock may differ from ours.
_CLOCKS: Final = 3_600.0


class MakeBatches:
    """The job that makes batches.

    Parameters:
      batches, questions: The tables.
      waiting: Reads how many questions wait.
      settling: Settles those that no batch is to ask.
      client: Whom to ask.
      file: Builds input files.
      ending: Ends batches that are not made.
      sizes: How large they are.
      folder: For files that are built.
    """

    def __init__(
        self,
        batches: Batches,
        questions: BatchQuestions,
        waiting: BatchWaiting,
        settling: BatchSettling,
        client: ModelClient,
        file: InputFile,
        ending: EndBatches,
        *,
        sizes: Sizes,
        folder: Path,
    ) -> None:
        self._batches = batches
        self._questions = questions
        self._waiting = waiting
        self._settling = settling
        self._client = client
        self._file = file
        self._ending = ending
        self._sizes = sizes
        self._folder = folder

    @property
    def _server(self) -> BatchServer:
        return self._client.in_batches.server

    def run_once(self) -> dict[str, int]:
        """Go on with what was begun, and make batches of what waits.

        Raises:
          Deferred: The database is away.
        """
        answered, made = self._settling.answered_meanwhile(), 0
        while batch := self._batches.take(MADE_IN):
            made += self._go_on(batch)
        for waiting in self._waiting.by_model():
            if not self._client.in_batches.are_offered(waiting.model):
                self._refuse(waiting.model)
                continue
            made += self._make_of(waiting)
        return {"answered_meanwhile": answered, "made": made}

    def _make_of(self, waiting: Waiting) -> int:
        """Make batches of what waits for one model, and return how many; after a failure the rest waits."""
        made, left, most = 0, waiting.number, self._sizes.requests
        while left > 0 and (left >= most or waiting.seconds >= self._sizes.gather) and self._has_room:
            batch = self._begin(waiting.model)
            if batch is None or not self._go_on(batch):
                break
            made, left = made + 1, left - most
        return made

    @property
    def _has_room(self) -> bool:
        return not self._sizes.tokens or self._batches.tokens_at_the_server() < self._sizes.tokens

    def _begin(self, model: str) -> Batch | None:
        batch_id = uuid.uuid4().hex

        def work(connection: Any) -> Batch | None:
            if not self._questions.give_to(connection, batch_id, model, most=self._sizes.requests):
                return None
            return self._batches.begin(connection, batch_id, model)

        return self._batches.database.transaction(work)

    def _refuse(self, model: str) -> None:
        while keys := self._questions.waiting_for(model, limit=PAGE):
            self._settling.settle(dict.fromkeys(keys, Why.NO_BATCHES), states=("waiting",))

    def _go_on(self, batch: Batch) -> int:
        """Bring a batch as far as it goes; return 1 once the server has it."""
        try:
            with Kept(self._batches, batch) as kept:
                return self._make(batch, kept)
        except LeaseLost as error:
            logger.warning("batch.lease_lost id=%s: %s", batch.id, error)
        return 0

    def _make(self, batch: Batch, kept: Kept) -> int:
        if batch.state is State.CREATING:
            try:
                found = self._found(batch)
            except LeaseLost:
                raise
            except GrowbinError as error:
                self._not_known(batch, error)
                return 0
            if found is not None:
                return self._sent(batch, found)
            if batch.age > _GIVEN_UP_AFTER:
                self._ending.end(batch, "not_made", Why.NOT_TAKEN)
                return 0
            batch = self._batches.change(batch, state=State.UPLOADED.value)
        if batch.cancelled_by is not None:
            self._ending.end(batch, "cancelled", Why.CANCELLED)
            return 0
        try:
            uploaded = self._uploaded(batch, kept)
            if uploaded is None:
                return 0
            batch = self._batches.change(uploaded, state=State.CREATING.value)
            crashpoint("batch.creating")
            assert batch.input_file is not None
            created = self._server.create(batch.id, batch.input_file, begin=kept.check)
            crashpoint("batch.created")
            return self._sent(batch, created)
        except LeaseLost:
            raise
        except GrowbinError as error:
            self._failed(batch, error)
        return 0

    def _uploaded(self, batch: Batch, kept: Kept) -> Batch | None:
        """Return a batch whose file is at the server, without what somebody asks otherwise; None: nothing is left."""
        uploaded: Batch | None = batch
        if batch.state is State.COLLECTING:
            uploaded = self._upload(batch, kept)
        for _ in range(_BUILT_ANEW):
            if uploaded is None or not self._questions.any_asked_elsewhere(uploaded.id):
                break
            uploaded = self._upload(self._batches.change(uploaded, state=State.COLLECTING.value), kept)
        return uploaded

    def _upload(self, batch: Batch, kept: Kept) -> Batch | None:
        """Build the file and send it; None where nothing is left to be asked."""
        if batch.input_file is not None:
            self._ending.delete(batch, batch.input_file)
        room = float("inf")
        if self._sizes.tokens:
            room = self._sizes.tokens - self._batches.tokens_at_the_server()
        self._folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=self._folder) as file:  # it has no name: nothing is left of it, whatever happens
            number, tokens = self._file.write(batch.id, file, most_tokens=room, check=kept.check)
            size = file.tell()
            if not number:
                self._batches.discard(batch)
                return None
            batch = self._batches.change(batch, requests=number, tokens=tokens)
            crashpoint("batch.built")
            file.seek(0)
            file_id = self._server.upload(f"growbin-{batch.id}.jsonl", file)
        crashpoint("batch.uploaded")
        logger.info("batch.uploaded id=%s requests=%d bytes=%d tokens=%d", batch.id, number, size, tokens)
        return self._batches.change(batch, state=State.UPLOADED.value, input_file=file_id)

    def _found(self, batch: Batch) -> ServerBatch | None:
        """Look for a batch that was perhaps created and not recorded; what is there more than once is cancelled."""
        found = self._server.find(batch.id, since=batch.made_at - _CLOCKS)
        for another in found[1:]:
            logger.error("batch.twice id=%s server_ids=%s", batch.id, ",".join(one.id for one in found))
            self._server.cancel(another.id)
        return found[0] if found else None

    def _sent(self, batch: Batch, created: ServerBatch) -> int:
        batch = self._batches.sent(batch, created.id, created.status, self._sizes.first_look)
        logger.info("batch.sent id=%s server_id=%s requests=%d", batch.id, created.id, batch.requests)
        return 1

    def _not_known(self, batch: Batch, error: GrowbinError) -> None:
        """Decide what becomes of a batch of which the server does not say whether it was created."""
        logger.warning("batch.not_found id=%s: %s", batch.id, error)
        if _needs_an_operator(error):
            self._batches.rest(batch, _OPERATOR_WAIT, problem=str(error))
        # A server without a list of its batches, or one that has not answered for longer than any batch takes.
        elif isinstance(error, Missing) or batch.age > LOST_AFTER:
            self._ending.end(batch, "lost", Why.LOST, cost_is_known=False)
        else:
            self._batches.rest(batch, max(_WAIT, getattr(error, "wait", 0.0)), problem=str(error))

    def _failed(self, batch: Batch, error: GrowbinError) -> None:
        """Decide what becomes of a batch that could not be made."""
        logger.warning("batch.not_made id=%s state=%s: %s", batch.id, batch.state, error)
        if isinstance(error, Missing):
            self._client.in_batches.learn_none(batch.model, str(error))
            self._ending.end(batch, "no_batches", Why.NO_BATCHES)
        elif _needs_an_operator(error):
            if batch.state is State.CREATING:  # it was refused, so it was not created
                batch = self._batches.change(batch, state=State.UPLOADED.value)
            self._batches.rest(batch, _OPERATOR_WAIT, problem=str(error))
        elif isinstance(error, Permanent):
            self._ending.end(batch, "not_taken", Why.NOT_TAKEN)
        elif batch.state is not State.CREATING and batch.age > _GIVEN_UP_AFTER:
            self._ending.end(batch, "not_made", Why.NOT_TAKEN)
        else:
            self._batches.rest(batch, max(_WAIT, getattr(error, "wait", 0.0)), problem=str(error))


def _needs_an_operator(error: GrowbinError) -> bool:
    return isinstance(error, Permanent) and error.code in _OPERATOR
