"""What a request costs, in whole micro-dollars, from a dated price file.

A price holds from its day until the next one of the same model, so a new price changes nothing of the past. A model or
a price tier that is not in the file has no price: None, never zero.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import ROUND_CEILING, Decimal
from functools import cache
from pathlib import Path
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from growbin_jobs.adapters.llm.usage import Usage
from growbin_jobs.errors import ConfigurationError
from growbin_jobs.model_catalog import find_model

#: Dollars for a million tokens: a price by the token (0.0000001), or by a thousand millions, is a slip of the unit.
LEAST, MOST = Decimal("0.001"), Decimal(1000)

#: The tier of a request whose response names none.
DEFAULT_TIER: Final = "default"

_FILE: Final = Path(__file__).with_suffix(".json")


def _has_the_right_unit(value: Decimal) -> Decimal:
    if value != 0 and not LEAST <= value <= MOST:
        raise ValueError(f"{value} is no price in USD per 1,000,000 tokens")
    return value


Dollars = Annotated[Decimal, Field(ge=0), AfterValidator(_has_the_right_unit)]
Factor = Annotated[Decimal, Field(gt=0, le=10)]


class Price(BaseModel):
    """Prices of one model from a day on, in dollars for a million tokens.

    Attributes:
      cached: Tokens read from the server's prompt cache; default: as the others.
      cache_write: Tokens written to it; default: as the others.
      long_above: Input tokens above which the whole request costs more, by the two factors.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    since: date = Field(alias="from")
    input: Dollars
    output: Dollars
    cached: Dollars | None = None
    cache_write: Dollars | None = None
    long_above: Annotated[int, Field(gt=0)] | None = None
    long_input: Factor = Decimal(1)
    long_output: Factor = Decimal(1)


class Cost(NamedTuple):
    """What a request costs.

    Attributes:
      micro_dollars: Rounded up.
      version: Of the price: model and day; None where none was needed.
    """

    micro_dollars: int
    version: str | None


class Prices(BaseModel):
    """A price file. See :func:`load_prices`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    unit: Literal["USD per 1,000,000 tokens"]
    sources: str = ""
    tiers: Mapping[str, Factor]
    regional: Factor = Decimal(1)
    models: Mapping[Annotated[str, Field(min_length=1)], tuple[Price, ...]]

    @model_validator(mode="after")
    def _has_a_default_tier(self) -> "Prices":
        if DEFAULT_TIER not in self.tiers:
            raise ValueError(f"tiers lacks {DEFAULT_TIER!r}: without it no request has a price")
        return self

    @model_validator(mode="after")
    def _days_differ(self) -> "Prices":
        for name, prices in self.models.items():
            if not prices:
                raise ValueError(f"{name} has no price: leave it out")
            if len({price.since for price in prices}) != len(prices):
                raise ValueError(f"{name} has two prices from the same day")
        return self

    def cost(
        self, model: str, usage: Usage, day: date, *, tier: str | None = None, regional: bool = False
    ) -> Cost | None:
        """Return what a request costs; None where its price is not known.

        Parameters:
          model: The one that answered: a name, an alias or a dated snapshot.
          usage: Tokens as the server counted them.
          day: On which it was sent.
          tier: The price tier that the server says it used; None: the default one.
          regional: Whether the data stays in one region, which costs more.
        """
        name, price = self._price(model, day)
        factor = self.tiers.get(tier or DEFAULT_TIER)
        if price is None or factor is None:
            return None
        if regional:
            factor *= self.regional
        is_long = price.long_above is not None and usage.prompt > price.long_above
        # Counts come from servers: cached and written ones never make the rest negative.
        cached = min(usage.cached, usage.prompt)
        written = min(usage.cache_written, usage.prompt - cached)
        spent = (
            (usage.prompt - cached - written) * price.input
            + cached * _or(price.cached, price.input)
            + written * _or(price.cache_write, price.input)
        ) * (price.long_input if is_long else 1)
        spent += usage.completion * price.output * (price.long_output if is_long else 1)
        # A dollar for a million tokens is a micro-dollar for one.
        return Cost(int((spent * factor).to_integral_value(ROUND_CEILING)), f"{name}@{price.since}")

    def most(
        self, model: str, input_tokens: int, output_tokens: int, day: date, *, tiers: Iterable[str | None] = ()
    ) -> int | None:
        """Return the most micro-dollars that a request can cost; None where its price is not known.

        Parameters:
          model: The one that is asked.
          input_tokens: Most tokens of the request, all of them written to the server's cache if that costs more.
          output_tokens: Most tokens of the answer.
          day: On which it is sent.
          tiers: Price tiers that may be charged; the dearest counts. One that the file does not know counts as the
            default.
        """
        known = (tier for tier in tiers if tier is not None and tier in self.tiers)
        dearest = max(known, key=lambda tier: self.tiers[tier], default=None)
        kinds = (Usage(input_tokens, 0, output_tokens, 0), Usage(input_tokens, 0, output_tokens, 0, input_tokens))
        costs = [self.cost(model, usage, day, tier=dearest) for usage in kinds]
        return max((cost.micro_dollars for cost in costs if cost), default=None)

    def _price(self, model: str, day: date) -> tuple[str, Price | None]:
        known = find_model(model)
        name = model if model in self.models or known is None else known.name
        valid = [price for price in self.models.get(name, ()) if price.since <= day]
        return name, max(valid, key=lambda price: price.since, default=None)


def load_prices(path: Path | None = None) -> Prices:
    """Read a price file.

    Parameters:
      path: None: the one that is installed.

    Raises:
      ConfigurationError: It cannot be read, or a price is not in dollars for a million tokens.
    """
    return _installed() if path is None else _read(path)


@cache
def _installed() -> Prices:
    return _read(_FILE)


def _read(path: Path) -> Prices:
    try:
        text = path.read_bytes()
        json.loads(text or "null", object_pairs_hook=_once)
        return Prices.model_validate_json(text)
    except OSError as error:
        raise ConfigurationError(f"The prices {path} (GROWBIN_PRICES_FILE) cannot be read: {error.strerror}.") from None
    except json.JSONDecodeError as error:
        problems = f"It is no JSON: {error}"
    except ValidationError as error:
        problems = "; ".join(
            ": ".join(filter(None, (".".join(map(str, problem["loc"])), problem["msg"]))) for problem in error.errors()
        )
    except ValueError as error:
        problems = str(error)
    raise ConfigurationError(f"The prices {path} (GROWBIN_PRICES_FILE) are wrong. {problems}")


def _once(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    """Refuse a name that is there twice: JSON takes the last one, and the prices of the first would be gone."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)} is there twice")
    return found


def _or(value: Decimal | None, other: Decimal) -> Decimal:
    return other if value is None else value
