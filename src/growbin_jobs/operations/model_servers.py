"""What is known of the model servers: by the catalogue, and learnt while they were asked."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from growbin_jobs.adapters.llm.facts import Facts
from growbin_jobs.engine.central.database import Database
from growbin_jobs.errors import NotFound
from growbin_jobs.models.server_facts import ServerFacts


@dataclass(frozen=True, slots=True)
class KnownServer:
    """What was learnt of one model of one server.

    Attributes:
      url: Of the server.
      model: Its name there.
      refused: What is no longer sent, each with what the server said.
      efforts: Reasoning efforts that it takes; None: all that were tried.
      most_tokens: The largest cap on an answer that it takes; None: not known.
      said: What it said when it last refused a request for good; empty after an answer.
    """

    url: str
    model: str
    refused: Mapping[str, str] = field(default_factory=dict)
    efforts: tuple[str, ...] | None = None
    most_tokens: int | None = None
    said: str = ""


def known_servers(database: Database) -> list[KnownServer]:
    """Return what was learnt, by server and model.

    Raises:
      Deferred: The database is away.
    """
    found = []
    for kept in ServerFacts(database).all():
        facts = Facts.from_json(kept.facts)
        found.append(
            KnownServer(kept.url, kept.model, dict(facts.refused), facts.efforts, facts.most_tokens, facts.said or "")
        )
    return found


def forget_servers(database: Database, model: str | None) -> int:
    """Forget what was learnt, after a server was upgraded: the next request finds out anew.

    Parameters:
      database: The central one.
      model: None: of all models.

    Returns:
      Of how many models on servers.

    Raises:
      NotFound: Nothing is known of that model.
      Deferred: The database is away.
    """
    forgotten = ServerFacts(database).forget(model)
    if model is not None and not forgotten:
        raise NotFound(f"Nothing was learnt of {model}. See growbin-jobs models servers.")
    return forgotten


def said_by_breaker(servers: Iterable[KnownServer]) -> dict[str, str]:
    """Return what servers said, by the name of their breaker."""
    return {f"model:{one.model}@{urlsplit(one.url).netloc}": one.said for one in servers if one.said}
