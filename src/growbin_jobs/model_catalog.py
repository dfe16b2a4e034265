"""What is known of language models: capabilities, the day of their end, successors. Read from ``model_catalog.json``.

A model that is not in the file (another vendor's, one of your own server) is asked with exactly what the settings say.
"""

import re
from collections.abc import Sequence
from datetime import date
from functools import cache
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

Purpose = Literal["vision", "text"]

#: Price tiers that may be asked for (``service_tier`` of OpenAI's API).
Tier = Literal["auto", "default", "flex", "priority"]

#: The value of a setting that leaves the reasoning effort to the catalogue.
AUTO: Final = "auto"

#: Reasoning efforts that exist somewhere, from the least.
_EFFORTS: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")

#: A vendor's prefix (gateways), a dated snapshot: ``openai/gpt-5-2025-08-07`` is gpt-5.
_VARIANT: Final = re.compile(r"(?:openai/)?(.+?)(?:-\d{4}-\d{2}-\d{2})?", re.ASCII)


class Model(BaseModel):
    """One model.

    Attributes:
      name: As the server knows it.
      aliases: Other names of the same model.
      images: Whether it looks at pictures.
      temperature: Whether it takes one.
      efforts: Reasoning efforts that it knows; none where it does not reason; None where that is not known.
      effort: The one to ask for when the settings name none.
      shutdown: The announced day on which it leaves the API.
      successors: What to use instead, the best for this program first.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    aliases: tuple[str, ...] = ()
    images: bool
    temperature: bool
    efforts: tuple[str, ...] | None = None
    effort: str | None = None
    shutdown: date | None = None
    successors: tuple[str, ...] = ()


class _Catalog(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    sources: str
    defaults: dict[Purpose, str]
    models: tuple[Model, ...]


def default_model(purpose: Purpose) -> str:
    """Return the model that the settings name when nobody set one."""
    return _catalog().defaults[purpose]


def known_models() -> Sequence[Model]:
    """Return all models of the catalogue."""
    return _catalog().models


def find_model(name: str) -> Model | None:
    """Return what is known of a model, by its name, an alias, a dated snapshot's name or a gateway's; else None."""
    variant = _VARIANT.fullmatch(name.strip())
    names = (name, variant.group(1) if variant else name)
    return next((model for model in known_models() if {model.name, *model.aliases} & set(names)), None)


def effort_for(name: str, asked: str | None) -> str | None:
    """Return the reasoning effort to send to a model.

    Parameters:
      name: The model's.
      asked: By the settings: an effort, ``auto``, or None to send none.

    Returns:
      The effort asked for; where a known model does not know it, the nearest that it knows (``none`` for ``minimal`` on
      gpt-6-luna), since it would refuse the request. None: send none.
    """
    model = find_model(name)
    if asked is None:
        return None
    if asked == AUTO:
        return model.effort if model else None
    if model is None or model.efforts is None or asked in model.efforts or asked not in _EFFORTS:
        return asked
    rank = _EFFORTS.index(asked)
    return min(model.efforts, key=lambda effort: abs(_EFFORTS.index(effort) - rank), default=None)


def temperature_for(name: str, asked: float | None) -> float | None:
    """Return the temperature to send to a model: the one asked for, or None where a known model refuses any."""
    model = find_model(name)
    return None if model is not None and not model.temperature else asked


@cache
def _catalog() -> _Catalog:
    return _Catalog.model_validate_json(Path(__file__).with_suffix(".json").read_bytes())
