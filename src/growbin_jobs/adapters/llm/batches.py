"""The calls of a model server that make batches: files and batches, as OpenAI's API has them.

A batch is known by our own id in its metadata, so that one which was made and not recorded is found again.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Final, TypeVar

from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from growbin_jobs.adapters.llm.batch_lines import ENDPOINT
from growbin_jobs.adapters.llm.bounded import allowing
from growbin_jobs.adapters.llm.errors import from_exception
from growbin_jobs.errors import GrowbinError, Transient

if TYPE_CHECKING:
    import httpx2
    import openai
    from openai._types import RequestOptions

T = TypeVar("T", bound=BaseModel)

#: Bytes of one input file at most (https://developers.openai.com/api/docs/guides/batch).
MOST_BYTES: Final = 200_000_000

#: Seconds for one short call, and for a file to be sent or fetched.
_SHORT, _FILE = 30.0, 900.0

#: In a batch's metadata: our own id of it.
OUR_ID: Final = "growbin_batch"

#: Bytes of a file of results.
_LARGEST_FILE: Final = 1_000_000_000

#: Batches that are looked through for one that was not recorded, a page at a time.
_PAGE, _MOST_PAGES = 100, 50

#: HTTP statuses of a server that has no such page.
_NO_PAGE: Final = frozenset({404, 405, 501})


class Missing(GrowbinError):
    """The server has no such page, file or batch.

    Parameters:
      words: What it said.
    """


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


_Text = Annotated[str | None, BeforeValidator(_text)]
_Dict = Annotated[dict[str, Any], BeforeValidator(_dict)]


class ServerBatch(BaseModel):
    """A batch as the server tells of it."""

    id: str
    status: str
    created_at: float = 0.0
    output_file_id: _Text = None
    error_file_id: _Text = None
    metadata: _Dict = Field(default_factory=dict)
    errors: _Dict = Field(default_factory=dict)

    @property
    def problem(self) -> str | None:
        """The codes of why it failed as a whole."""
        data = self.errors.get("data")
        codes = [str(each.get("code")) for each in data if isinstance(each, dict)] if isinstance(data, list) else []
        return ",".join(dict.fromkeys(codes))[:200] or None


class _Batches(BaseModel):
    data: list[ServerBatch]
    has_more: bool = False


class _File(BaseModel):
    id: str


class BatchServer:
    """Files and batches of a model server. Its errors are those of :mod:`growbin_jobs.adapters.llm.errors`.

    Parameters:
      http: Returns this process's HTTP client.
      secret: The key, which is quoted nowhere.
    """

    def __init__(self, http: "Callable[[], openai.OpenAI]", secret: str) -> None:
        self._http = http
        self._secret = secret

    def upload(self, name: str, file: BinaryIO) -> str:
        """Send an input file, piece by piece, and return its id.

        Raises:
          Missing: The server takes no files.
        """

        def send(http: "openai.OpenAI", limit: "httpx2.Timeout") -> "httpx2.Response":
            files = http.files.with_raw_response
            return files.create(file=(name, file, "application/jsonl"), purpose="batch", timeout=limit).http_response

        return self._asked(_File, send, _FILE).id

    def create(self, our_id: str, file_id: str, *, begin: Callable[[], None]) -> ServerBatch:
        """Make a batch of an input file.

        Parameters:
          our_id: Goes into its metadata.
          file_id: The input file.
          begin: Called before the first byte is written; what it raises ends the call, and nothing was sent.

        Raises:
          Missing: The server has no batches.
        """
        from growbin_jobs.adapters.llm.first_byte import before_first_byte

        body = {
            "input_file_id": file_id,
            "endpoint": ENDPOINT,
            "completion_window": "24h",
            "metadata": {OUR_ID: our_id},
        }
        with before_first_byte(begin):
            return self._asked(ServerBatch, _posting("/batches", body), _SHORT)

    def retrieve(self, batch_id: str) -> ServerBatch:
        """Return how far a batch is.

        Raises:
          Missing: The server does not know it.
        """
        return self._asked(ServerBatch, _getting(f"/batches/{batch_id}"), _SHORT)

    def cancel(self, batch_id: str) -> ServerBatch:
        """Let the server go on with no more of a batch; what it has answered is paid for.

        Raises:
          Missing: The server does not know it.
        """
        return self._asked(ServerBatch, _posting(f"/batches/{batch_id}/cancel", {}), _SHORT)

    def find(self, our_id: str, *, since: float) -> list[ServerBatch]:
        """Return the batches that have our id in their metadata, the oldest first; there should be one at most.

        Parameters:
          our_id: As :meth:`create` was given it.
          since: No batch made before is looked at, in seconds since 1970 on the server's clock.

        Raises:
          Missing: The server has no batches.
        """
        found: list[ServerBatch] = []
        after = ""
        for _ in range(_MOST_PAGES):
            query = {"limit": str(_PAGE)} | ({"after": after} if after else {})
            page = self._asked(_Batches, _getting("/batches", query), _SHORT)
            found += [one for one in page.data if one.metadata.get(OUR_ID) == our_id]
            if not page.data or not page.has_more or page.data[-1].created_at < since:
                break
            after = page.data[-1].id
        return sorted(found, key=lambda one: one.created_at)

    @contextmanager
    def reading(self, file_id: str) -> Iterator[Iterator[bytes]]:
        """Fetch a file piece by piece.

        Yields:
          Its pieces.

        Raises:
          Missing: The server does not have it any more.
        """
        from growbin_jobs.adapters.llm.connection import timeouts
        from growbin_jobs.adapters.llm.deadline import deadline

        http = self._http()
        with self._translated(), deadline(_FILE), allowing(_LARGEST_FILE):
            files = http.files.with_streaming_response
            with files.content(file_id, timeout=timeouts(_FILE)) as response:
                yield response.iter_bytes()

    def delete(self, file_id: str) -> None:
        """Delete a file; one that is gone is fine."""
        try:
            self._asked(_File, lambda http, limit: http.delete(
                f"/files/{file_id}", cast_to=_response_type(), options={"timeout": limit}
            ), _SHORT)  # fmt: skip
        except Missing:
            return

    def _asked(
        self, form: type[T], request: "Callable[[openai.OpenAI, httpx2.Timeout], httpx2.Response]", seconds: float
    ) -> T:
        from growbin_jobs.adapters.llm.connection import timeouts
        from growbin_jobs.adapters.llm.deadline import deadline

        http = self._http()
        with self._translated(), deadline(seconds):
            content = request(http, timeouts(seconds)).content
        try:
            return form.model_validate_json(content)
        except ValidationError:
            pass
        raise Transient("The model's server did not answer as one that has batches.")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn the SDK's errors into ours, outside of their handler: they hold the request and the key."""
        import httpx2
        import openai

        failure: GrowbinError | None = None
        try:
            yield
        except (openai.OpenAIError, httpx2.HTTPError) as error:
            refusal = error.__cause__
            failure = refusal if isinstance(refusal, GrowbinError) else from_exception(error, secret=self._secret)
            if isinstance(error, openai.APIStatusError) and error.status_code in _NO_PAGE:
                failure = Missing(f"HTTP {error.status_code}: {failure}"[:200])
        if failure is not None:
            raise failure


def _getting(
    path: str, query: dict[str, str] | None = None
) -> "Callable[[openai.OpenAI, httpx2.Timeout], httpx2.Response]":
    def get(http: "openai.OpenAI", limit: "httpx2.Timeout") -> "httpx2.Response":
        options: RequestOptions = {"timeout": limit} | ({"params": query} if query else {})  # type: ignore[assignment]
        return http.get(path, cast_to=_response_type(), options=options)

    return get


def _posting(path: str, body: dict[str, Any]) -> "Callable[[openai.OpenAI, httpx2.Timeout], httpx2.Response]":
    def post(http: "openai.OpenAI", limit: "httpx2.Timeout") -> "httpx2.Response":
        return http.post(path, cast_to=_response_type(), body=body, options={"timeout": limit})

    return post


def _response_type() -> "type[httpx2.Response]":
    import httpx2

    return httpx2.Response
