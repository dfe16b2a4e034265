"""What is known of language models and their servers: capabilities, ends, successors. Read from ``model_catalog.json``.

A model that is not in the file (another vendor's, one of your own server) is asked with exactly what the settings say.
"""

import re
from collections.abc import Sequence
from datetime import date
from fnmatch import fnmatchcase
from functools import cache, lru_cache
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict

Purpose = Literal["vision", "text"]

#: Price tiers that may be asked for (``service_tier`` of OpenAI's API).
Tier = Literal["auto", "default", "flex", "priority"]

#: The value of a setting that leaves the reasoning effort to the catalogue.
AUTO: Final = "auto"

#: Reasoning efforts that exist somewhere, from the least; ``default`` is Groq's word for switched on.
EFFORTS: Final = ("none", "minimal", "low", "medium", "default", "high", "xhigh", "max")

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


class Server(BaseModel):
    """One kind of server: what it is known to refuse or to ignore before it has been asked anything.

    Attributes:
      name: For the setting ``GROWBIN_MODEL_SERVER``.
      title: For people.
      hosts: By which it is known; a leading ``*.`` stands for any name below.
      ports: By which a server of your own is known.
      base_url: An example of its address.
      key_header: Where it wants the key; None: as a bearer token.
      trusted: Takes all that OpenAI takes; only another model than the catalogue's is tried alone first.
      refuses: Names of features (:mod:`growbin_jobs.adapters.llm.fitting`) that are not sent to it.
      efforts: Reasoning efforts that it knows; None: that depends on the model.
      sources: Where these facts are from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    title: str
    hosts: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    base_url: str = ""
    key_header: str | None = None
    trusted: bool = False
    refuses: frozenset[str] = frozenset()
    efforts: tuple[str, ...] | None = None
    sources: tuple[str, ...] = ()


#: A server of which nothing is known: what it refuses is learnt.
UNKNOWN_SERVER: Final = Server(name="auto", title="any other")


class _Catalog(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    sources: str
    defaults: dict[Purpose, str]
    servers: tuple[Server, ...]
    models: tuple[Model, ...]


def default_model(purpose: Purpose) -> str:
    """Return the model that the settings name when nobody set one."""
    return _catalog().defaults[purpose]


def known_models() -> Sequence[Model]:
    """Return all models of the catalogue."""
    return _catalog().models


@lru_cache(maxsize=1000)  # proofs ask for the model of each request
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
    return asked if model is None or model.efforts is None else nearest_effort(asked, model.efforts)


def nearest_effort(asked: str, known: Sequence[str]) -> str | None:
    """Return the effort asked for where it is known, else the nearest that is; None where there is none.

    Parameters:
      asked: An effort; one that exists nowhere is nobody's neighbour and returned as it is.
      known: Those that a model or a server takes.
    """
    if asked in known or asked not in EFFORTS:
        return asked
    rank = EFFORTS.index(asked)
    return min(known, key=lambda effort: abs(EFFORTS.index(effort) - rank), default=None)


def temperature_for(name: str, asked: float | None) -> float | None:
    """Return the temperature to send to a model: the one asked for, or None where a known model refuses any."""
    model = find_model(name)
    return None if model is not None and not model.temperature else asked


def known_servers() -> Sequence[Server]:
    """Return all kinds of servers of the catalogue."""
    return _catalog().servers


def find_server(name: str, url: str) -> Server:
    """Return what is known of a server.

    Parameters:
      name: Of its kind, by the settings; ``auto``: look at the address.
      url: Its address.
    """
    if name != AUTO:
        return next((server for server in known_servers() if server.name == name), UNKNOWN_SERVER)
    address = urlsplit(url)
    host, port = address.hostname or "", address.port
    for server in known_servers():
        if port in server.ports or any(fnmatchcase(host, pattern) for pattern in server.hosts):
            return server
    return UNKNOWN_SERVER


@cache
def _catalog() -> _Catalog:
    return _Catalog.model_validate_json(Path(__file__).with_suffix(".json").read_bytes())
