"""The limits that the settings name (:mod:`growbin_jobs.limit_names`), and which of them one request takes."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from growbin_jobs.adapters.llm.estimate import MOST_PATCHES, TOKENS_A_PATCH
from growbin_jobs.adapters.llm.guards import PlannedRequest
from growbin_jobs.errors import ConfigurationError
from growbin_jobs.limit_names import EACH_USER, MODEL, PROJECT, TOKENS, USER, common_name
from growbin_jobs.limits.gcra import Limit
from growbin_jobs.limits.parameters import SPREAD, VALIDITY, spacing, use
from growbin_jobs.model_catalog import find_model
from growbin_jobs.rates import Rate
from growbin_jobs.settings import Settings

#: Purposes that count under the limit of another: a rehearsal asks what the vision stage asks.
_COUNTS_AS: Final = {"rehearsal": "vision"}

#: Seconds by which the time from a grant to the server's count may vary.
COUNT_VARIES: Final = SPREAD + VALIDITY

#: Part of a token limit that may go at once, if no request needs more: it then uses 90 % of what is promised.
_TOKEN_BURST: Final = 0.07

#: A request that needs more than this part of a token limit is refused for good: a larger burst leaves too little use.
_LARGEST_BURST: Final = 0.5

#: Tokens of our prompts, with the list of items, at most.
_PROMPT: Final = 4000

#: By how much the client raises the cap of an answer that was cut off (``adapters/llm/fitting.py``).
_CAP_RAISE: Final = 4


@dataclass(frozen=True, slots=True)
class NamedLimit:
    """What is promised under one name.

    Attributes:
      name: See the table of this module.
      rate: At most so many requests or tokens, as the server counts them.
      burst: Units that may go at once.
    """

    name: str
    rate: Rate
    burst: float = 1.0

    @property
    def parameters(self) -> Limit:
        """The limit as a store keeps it.

        Raises:
          ConfigurationError: When nothing keeps the promise.
        """
        try:
            return Limit(
                self.name, spacing(self.rate.most, self.rate.window, burst=self.burst, spread=COUNT_VARIES), self.burst
            )
        except ValueError as error:
            raise ConfigurationError(f"The limit {self.name}={self.rate}: {error}") from None

    @property
    def use(self) -> float:
        """Part of the promise that is used under full load, 0.0–1.0."""
        return use(self.rate.most, self.rate.window, burst=self.burst, spread=COUNT_VARIES)

    @property
    def counts_tokens(self) -> bool:
        """Whether its unit is a token; else it is a request."""
        return self.name.startswith(TOKENS)


class NamedLimits:
    """All limits of a configuration.

    Parameters:
      rates: By name.
      largest_request: Tokens of the largest request that is sent; a token limit lets at least one go at once.
      answers: Tokens that an answer may take, by purpose: each request counts them.
    """

    def __init__(
        self, rates: Mapping[str, Rate], *, largest_request: int = 10_000, answers: Mapping[str, int] | None = None
    ) -> None:
        self._largest = largest_request
        self._answers = dict(answers or {})
        self._limits = {name: self.named(name, rate) for name, rate in rates.items()}

    def named(self, name: str, rate: Rate) -> NamedLimit:
        """Return the limit of a name and a rate, with the burst that its kind takes."""
        if not name.startswith(TOKENS):
            return NamedLimit(name, rate)
        wanted = max(rate.most * _TOKEN_BURST, min(self._largest, rate.most * _LARGEST_BURST))
        return NamedLimit(name, rate, float(max(1, math.floor(wanted))))

    def check(self, limit: NamedLimit) -> None:
        """Refuse a limit under which no request could ever be sent.

        Raises:
          ConfigurationError: It counts tokens, and fewer may go at once than an answer may take.
        """
        scope = limit.name.removeprefix(TOKENS)
        answer = self._answers.get(scope, min(self._answers.values(), default=0))
        if limit.counts_tokens and limit.burst <= answer:
            least = Rate(math.ceil((answer + 1) / _LARGEST_BURST), limit.rate.window)
            raise ConfigurationError(
                f"Under the limit {limit.name}={limit.rate} nothing could be sent: an answer alone may take {answer} "
                f"tokens, and what is asked comes to that. Write more than {least}, or lower "
                "GROWBIN_VISION_MAX_TOKENS and GROWBIN_TEXT_MAX_TOKENS."
            )

    @property
    def rates(self) -> dict[str, Rate]:
        """What the configuration promises, by name."""
        return {name: limit.rate for name, limit in self._limits.items()}

    def is_one_limit(self, name: str) -> bool:
        """Return False for ``user:*``, which stands for a limit of each user."""
        return name.removeprefix(TOKENS) != EACH_USER

    def configured(self) -> list[NamedLimit]:
        """Return all limits of the configuration by name; not those that are made for each user."""
        return [self._limits[name] for name in sorted(self._limits) if self.is_one_limit(name)]

    def find(self, name: str) -> NamedLimit | None:
        """Return what the configuration says of a name, that of one user included; None: nothing."""
        known = self._limits.get(name) or self._limits.get(common_name(name))
        return None if known is None else replace(known, name=name)

    def needed(self, request: PlannedRequest) -> list[NamedLimit]:
        """Return the limits that a request takes, by name; none where the configuration limits nothing of it."""
        names = names_of(request.purpose, request.model, request.attribution.user_id)
        return sorted(filter(None, map(self.find, names)), key=lambda limit: limit.name)


def named_limits(settings: Settings) -> NamedLimits:
    """Return the limits of the settings.

    Raises:
      ConfigurationError: When a name is wrong, or nothing could be sent under a limit.
    """
    rates = dict(settings.limits)
    for name, most in (("vision", settings.vision_limit), ("text", settings.text_limit)):
        if most:
            rates.setdefault(name, Rate(most))
    cap = max(settings.vision_max_tokens, settings.text_max_tokens) * _CAP_RAISE
    picture = math.ceil(MOST_PATCHES * TOKENS_A_PATCH)
    answers = {"vision": settings.vision_max_tokens, "text": settings.text_max_tokens}
    limits = NamedLimits(rates, largest_request=cap + picture + _PROMPT, answers=answers)
    for name, rate in rates.items():
        limits.check(limits.named(name, rate))
    return limits


def costs(request: PlannedRequest, limits: NamedLimits, *, input_tokens: float | None = None) -> dict[str, float]:
    """Return how many units a request takes of each of its limits.

    A request counts one, and all tokens that it may take: what is sent and the most that may be answered. That is what
    OpenAI counts too when a request comes in.

    Parameters:
      request: About to be sent.
      limits: The configuration.
      input_tokens: A better estimate than the request's own, such as one that was corrected by the past.

    Returns:
      Units by the limit's name; empty where nothing limits it.
    """
    sent = request.input_tokens if input_tokens is None else input_tokens
    tokens = max(1, math.ceil(sent + request.max_tokens))
    return {limit.name: float(tokens if limit.counts_tokens else 1) for limit in limits.needed(request)}


def names_of(purpose: str, model: str, user_id: str | None) -> list[str]:
    """Return the names of all limits that a request can take, whether they are configured or not."""
    known = find_model(model)
    scopes = [
        _COUNTS_AS.get(purpose, purpose),
        PROJECT,
        *{f"{MODEL}{name}" for name in (model, known.name if known else model)},
    ]
    if user_id:
        scopes.append(f"{USER}{user_id}")
    return [f"{prefix}{scope}" for prefix in ("", TOKENS) for scope in scopes]
