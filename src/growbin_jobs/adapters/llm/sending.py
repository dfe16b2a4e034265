"""Sends one HTTP request to a model server, in a process's connection to it, and says in our errors how it failed."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from growbin_jobs.adapters.llm.errors import document_of, from_exception
from growbin_jobs.adapters.llm.guards import Ending
from growbin_jobs.adapters.llm.meter import ModelRequest
from growbin_jobs.adapters.llm.recording import note_response
from growbin_jobs.engine.processes import once_a_process
from growbin_jobs.errors import GrowbinError

if TYPE_CHECKING:
    import httpx2
    import openai

#: Returns what is raised for a refusal: called with the failure, the status of HTTP and the error's document.
Refused = Callable[[GrowbinError, int, object], GrowbinError]


class Sender:
    """The way to one server. The SDK is loaded and its HTTP client built at the first request of each process.

    Parameters:
      url: Address of the server.
      key: Empty for a server that wants none.
      query: Of every request.
      key_header: Where the server wants the key; None: as a bearer token.
    """

    def __init__(self, url: str, key: str, *, query: Mapping[str, str], key_header: str | None) -> None:
        self._url = url
        self._key = key
        self._query = query
        self._key_header = key_header
        self.http = once_a_process(self._connect)

    def send(
        self,
        timeout: float,
        request: Callable[["openai.OpenAI", "httpx2.Timeout"], "httpx2.Response"],
        *,
        record: ModelRequest | None = None,
        ending: Ending | None = None,
        sent: Sequence[str] = (),
        refused: Refused | None = None,
    ) -> "httpx2.Response":
        """Send one HTTP request and return the response as it came.

        Parameters:
          timeout: Seconds of each step.
          request: Sends it with the SDK's client.
          record: Gets the response's status and id.
          ending: Is asked once more before the first byte.
          sent: Texts of the request, which no error may quote.
          refused: Returns what is raised for a refusal; None: the failure itself.

        Raises:
          Permanent, Transient, Deferred: See :mod:`growbin_jobs.adapters.llm.errors`.
        """
        http = self.http()
        import httpx2
        import openai

        from growbin_jobs.adapters.llm.connection import timeouts
        from growbin_jobs.adapters.llm.first_byte import admitted_again

        begun = nullcontext() if record is None or ending is None else admitted_again(record, ending, postpone)
        try:
            with begun:
                response = request(http, timeouts(timeout))
        except (openai.OpenAIError, httpx2.HTTPError) as error:
            if ending is not None and isinstance(ending.refusal, GrowbinError):
                raise ending.refusal from None
            note_response(record, getattr(error, "response", None))
            if record is not None:
                unconnected = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
                record.reached = not isinstance(error.__cause__, unconnected)
            failure = from_exception(error, secret=self._key, model=record.model if record else None, sent=sent)
            if refused is not None and isinstance(error, openai.APIStatusError):
                failure = refused(failure, error.status_code, document_of(error))
        else:
            note_response(record, response)
            return response
        # Out here, so that our error does not hold on to the SDK's as its context: that has the request and the key.
        raise failure

    def deadline(self, seconds: float) -> AbstractContextManager[None]:
        """Return what ends the requests inside after so many seconds in all."""
        self.http()  # loading the SDK is not the server's time
        from growbin_jobs.adapters.llm.deadline import deadline

        return deadline(seconds)

    def _connect(self) -> "openai.OpenAI":
        from growbin_jobs.adapters.llm.connection import connect

        return connect(self._url, self._key, query=self._query, key_header=self._key_header)


def postpone(seconds: float) -> None:
    """Leave the time out of the call's deadline that the guards took: its server had nothing to do with it."""
    from growbin_jobs.adapters.llm.deadline import postpone

    postpone(seconds)
