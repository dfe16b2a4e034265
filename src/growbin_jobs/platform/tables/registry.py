"""Agents, the stages they went through, and models: what is checked and counted."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import peewee

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.fields import IdField, UtcField, WordsField

PRODUCTION = "production"


class Agent(peewee.Model):
    """Table ``agents``."""

    id = IdField(primary_key=True)
    name = WordsField()
    endpoint = WordsField()
    created_at = UtcField()
    deleted_at = UtcField(null=True)

    class Meta:
        table_name = "agents"


class AgentStage(peewee.Model):
    """Table ``agent_stages``: append-only; ``stage`` is ``production``, ``draft`` or another word of the platform."""

    id = IdField(primary_key=True)
    agent_id = IdField()
    stage = peewee.TextField()
    at = UtcField()

    class Meta:
        table_name = "agent_stages"
        indexes = ((("agent_id", "at"), False),)


class LlmModel(peewee.Model):
    """Table ``llm_models``. ``key_ref`` says where a key is (``env:NAME``, ``file:NAME``); it is never the key."""

    id = IdField(primary_key=True)
    name = WordsField()
    base_url = WordsField()
    key_ref = peewee.TextField(null=True)
    key_host = peewee.TextField(null=True)
    paid_probe = peewee.BigIntegerField()
    created_at = UtcField()
    deleted_at = UtcField(null=True)

    class Meta:
        table_name = "llm_models"


class AgentRow(NamedTuple):
    """A new agent."""

    id: str
    name: str
    endpoint: str
    created_at: datetime


class StageRow(NamedTuple):
    """The stage that an agent comes into."""

    id: str
    agent_id: str
    stage: str
    at: datetime


class ModelRow(NamedTuple):
    """A new model."""

    id: str
    name: str
    base_url: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class CheckedAgent:
    """An agent as its health check needs it."""

    id: str
    name: str
    endpoint: str


@dataclass(frozen=True, slots=True)
class CheckedModel:
    """A model as its health check needs it.

    Attributes:
      name: As its server knows it.
      base_url: Of the server, with ``/v1`` where it has that.
      key_ref: Where its key is; None: it needs none.
      key_host: The only host that gets the key.
      paid_probe: Whether a chat that costs money may be sent.
    """

    id: str
    name: str
    base_url: str
    key_ref: str | None
    key_host: str | None
    paid_probe: bool


class Registry:
    """Reads agents and models.

    Parameters:
      database: Where the tables are; every method raises Deferred when it is away.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, agent: AgentRow, stage: StageRow) -> None:
        """Write an agent and the stage that it is in; those that are there stay as they are."""

        def work(connection: Any) -> None:
            Agent.insert({**agent._asdict(), "deleted_at": None}).on_conflict_ignore().execute(connection)
            AgentStage.insert(stage._asdict()).on_conflict_ignore().execute(connection)

        self._database.transaction(work)

    def add_model(self, model: ModelRow) -> None:
        """Write a model that needs no key and is asked only what costs nothing; one that is there stays as it is."""
        row = {**model._asdict(), "key_ref": None, "key_host": None, "paid_probe": 0, "deleted_at": None}
        self._database.run(lambda connection: LlmModel.insert(row).on_conflict_ignore().execute(connection))

    def agent_ids(self) -> list[str]:
        """Return the ids of all agents that exist, in order."""
        query = Agent.select(Agent.id).where(Agent.deleted_at.is_null()).order_by(Agent.id)
        return [row["id"] for row in self._database.rows(query)]

    def agent(self, agent_id: str) -> CheckedAgent | None:
        """Return one agent, or None where there is none any more."""
        query = Agent.select().where((Agent.id == agent_id) & Agent.deleted_at.is_null())
        rows = self._database.rows(query)
        return CheckedAgent(rows[0]["id"], rows[0]["name"], rows[0]["endpoint"]) if rows else None

    def model_ids(self) -> list[str]:
        """Return the ids of all models that are in use, in order."""
        query = LlmModel.select(LlmModel.id).where(LlmModel.deleted_at.is_null()).order_by(LlmModel.id)
        return [row["id"] for row in self._database.rows(query)]

    def model(self, model_id: str) -> CheckedModel | None:
        """Return one model, or None where it is not in use any more."""
        query = LlmModel.select().where((LlmModel.id == model_id) & LlmModel.deleted_at.is_null())
        for row in self._database.rows(query):
            names = ("id", "name", "base_url", "key_ref", "key_host")
            return CheckedModel(**{name: row[name] for name in names}, paid_probe=bool(row["paid_probe"]))
        return None


def agents_at(connection: peewee.Database, moment: datetime) -> tuple[int, int]:
    """Return how many agents there were at a moment, and how many of them were in production."""
    exists = (Agent.created_at < moment) & (Agent.deleted_at.is_null() | (Agent.deleted_at >= moment))
    total = Agent.select().where(exists).count(connection)
    later = AgentStage.alias()
    # The latest row before the moment; of two at the same time the one with the greater id.
    superseded = later.select().where(
        (later.agent_id == AgentStage.agent_id)
        & (later.at < moment)
        & ((later.at > AgentStage.at) | ((later.at == AgentStage.at) & (later.id > AgentStage.id)))
    )
    productive = (
        AgentStage.select()
        .join(Agent, on=(Agent.id == AgentStage.agent_id))
        .where(exists & (AgentStage.at < moment) & (AgentStage.stage == PRODUCTION) & ~peewee.fn.EXISTS(superseded))
    )
    return total, productive.count(connection)
