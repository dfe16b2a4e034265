"""Health of models: real traffic first, then a request that costs nothing, a paid one only where asked for."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, Literal, Protocol
from urllib.parse import quote, urlsplit

from growbin_jobs.adapters.llm.call import Call
from growbin_jobs.adapters.llm.estimate import input_tokens
from growbin_jobs.adapters.llm.facts import Facts
from growbin_jobs.adapters.llm.fitting import Fitted, Wish, fitted
from growbin_jobs.adapters.llm.guards import ModelAway, PlannedRequest
from growbin_jobs.adapters.llm.refusals import learnt_from
from growbin_jobs.adapters.llm.said import read_said
from growbin_jobs.adapters.probing.probe import Answer
from growbin_jobs.errors import Deferred, GrowbinError, NotFound, Permanent
from growbin_jobs.model_catalog import AUTO, find_server
from growbin_jobs.platform.health.agents import FAILURES, PERHAPS_US
from growbin_jobs.platform.health.checks import Checked, Checks
from growbin_jobs.platform.health.connectivity import Connectivity
from growbin_jobs.platform.health.paid_probes import PaidSend
from growbin_jobs.platform.health.words import Finding, Source, Status
from growbin_jobs.platform.tables.dirty import Clock, utc_now
from growbin_jobs.platform.tables.registry import CheckedModel

#: Most tokens of a paid probe: a model that reasons refuses a cap below what its reasoning needs.
PROBE_TOKENS: Final = 256

#: What a paid probe is for, in rows of ``llm_usage``; the gate lets all that somebody waits for go before it.
PURPOSE: Final = "probe"


class Send(Protocol):
    """Sends one request."""

    def __call__(
        self,
        method: Literal["GET", "POST"],
        url: str,
        *,
        seconds: float,
        headers: dict[str, str] | None = None,
        json: Any = None,
    ) -> Answer: ...


class ModelHealth:
    """Checks models.

    Parameters:
      find: Returns a model, or None.
      send: Sends a request.
      checks: Decides and stores the state.
      connectivity: Says whether we are offline ourselves.
      succeeded_since: Returns whether real traffic of a model (by name) has succeeded since a time.
      key: Returns the key that a reference names. Raises ConfigurationError.
      paid: Sends a request that costs money: through the gate for paid calls.
      every: Time between two checks: traffic so fresh makes a probe needless.
      seconds: For one check in all.
      clock: Returns the time, aware.
    """

    def __init__(
        self,
        find: Callable[[str], CheckedModel | None],
        send: Send,
        checks: Checks,
        connectivity: Connectivity,
        *,
        succeeded_since: Callable[[str, datetime], bool],
        key: Callable[[str], str],
        paid: PaidSend,
        every: timedelta,
        seconds: float,
        clock: Clock = utc_now,
    ) -> None:
        self._find = find
        self._send = send
        self._checks = checks
        self._connectivity = connectivity
        self._succeeded_since = succeeded_since
        self._key = key
        self._paid = paid
        self._every = every
        self._seconds = seconds
        self._clock = clock

    def check(self, model_id: str, *, due: datetime | None = None, expires: datetime | None = None) -> Checked:
        """Check one model.

        Raises:
          NotFound: It is not in use.
          Deferred: The database is away, or the gate asks to wait for a paid request.
        """
        model = self._find(model_id)
        if model is None:
            raise NotFound(f"There is no model {model_id}.")
        return self._checks.run(f"model:{model.id}", lambda: self._look(model), due=due, expires=expires)

    def _look(self, model: CheckedModel) -> Finding | None:
        if self._succeeded_since(model.name, self._clock() - self._every):
            return Finding("healthy", "real traffic succeeds", source="traffic")
        try:
            headers = self._headers(model)
        except GrowbinError as error:
            return Finding("misconfigured", str(error))
        answer, status, reason = self._ask(model, headers)
        source: Source = "probe"
        if model.paid_probe and status == "healthy":
            try:
                answer, status, reason = self._chat(model, headers)
                source = "paid probe"
            except ModelAway as error:
                status, reason = "unhealthy", f"its breaker is open: {error.reason}"
            except (Permanent, Deferred) as error:
                if isinstance(error, Deferred) and not error.pauses_queue:
                    raise  # its turn comes soon
                reason = f"no paid probe: {error}"
        if answer.failure in PERHAPS_US and not self._connectivity.online(but=model.base_url):
            return None
        return Finding(
            status,
            reason,
            http_status=answer.http_status,
            latency_ms=answer.latency_ms,
            phases=tuple(answer.phases.items()),
            tls_expires_at=answer.tls_expires_at,
            source=source,
        )

    def _headers(self, model: CheckedModel) -> dict[str, str]:
        """Return the header with the key. It goes to the host that it was entered for, and to no other."""
        if model.key_ref is None:
            return {}
        if not model.key_host or urlsplit(model.base_url).hostname != model.key_host.lower():
            raise NotFound("the key belongs to another host: set key_host and base_url to the same one")
        key, header = self._key(model.key_ref), find_server(AUTO, model.base_url).key_header
        return {"authorization": f"Bearer {key}"} if header is None else {header: key}

    def _ask(self, model: CheckedModel, headers: dict[str, str]) -> tuple[Answer, Status, str]:
        """Ask the server for the model's description, which costs nothing; where it has none, for its list."""
        base = model.base_url.rstrip("/")
        half = self._seconds / 2  # both requests together keep to the limit
        answer = self._send("GET", f"{base}/models/{quote(model.name, safe='')}", seconds=half, headers=headers)
        if answer.http_status != 404:
            return answer, *judged(answer, _secret(headers))
        listed = self._send("GET", f"{base}/models", seconds=half, headers=headers)
        if listed.http_status == 200 and model.name in _names(listed.body):
            return listed, "healthy", ""
        return answer, "misconfigured", "the server does not offer this model (HTTP 404)"

    def _chat(self, model: CheckedModel, headers: dict[str, str]) -> tuple[Answer, Status, str]:
        wish = Wish(Call(model.name, self._seconds, PROBE_TOKENS), [{"role": "user", "content": "Say ok."}])
        facts = Facts.of_server(find_server(AUTO, model.base_url)) | Facts(refused={"store": ""})
        url = f"{model.base_url.rstrip('/')}/chat/completions"
        half = self._seconds / 2  # both requests together keep to the limit

        def send(asked: Fitted) -> Answer:
            planned = PlannedRequest(model.name, PURPOSE, input_tokens(asked.body["messages"]), asked.cap)
            post = partial(self._send, "POST", url, seconds=half, headers=headers, json=asked.body)
            return self._paid(model, planned, post)

        asked = fitted(wish, facts)
        answer = send(asked)
        taught = learnt_from(answer.http_status or 0, read_said(_document(answer.body)), asked)
        if not taught.is_empty:
            answer = send(fitted(wish, facts | taught))
        return answer, *judged(answer, _secret(headers))


def judged(answer: Answer, secret: str = "") -> tuple[Status, str]:
    """Return what an answer says of a model.

    An answer that is empty or was cut off is one. A server that limits the rate is up. A request that it refuses says
    nothing of the model and must be mended by a person; what it says is quoted without the key.
    """
    if answer.failure is not None:
        return FAILURES[answer.failure]
    assert answer.http_status is not None
    if 200 <= answer.http_status < 300:
        return "healthy", ""
    if answer.http_status == 429:
        return "healthy", "the server limits the rate (HTTP 429)"
    if answer.http_status in (401, 403):
        return "misconfigured", f"the key is denied (HTTP {answer.http_status})"
    if answer.http_status < 500:
        said = read_said(_document(answer.body)).quote(secret)
        return "misconfigured", f"the server refuses the request (HTTP {answer.http_status}, {said})"
    return "unhealthy", f"HTTP {answer.http_status}"


def _secret(headers: dict[str, str]) -> str:
    return next(iter(headers.values()), "").removeprefix("Bearer ")


def _document(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return body.decode("utf-8", "replace")


def _names(body: bytes) -> set[str]:
    try:
        found = json.loads(body)
    except ValueError:
        return set()
    rows = found.get("data") if isinstance(found, dict) else None
    return {row["id"] for row in rows or () if isinstance(row, dict) and isinstance(row.get("id"), str)}
