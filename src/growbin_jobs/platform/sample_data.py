"""Makes up a platform's facts, always the same for the same seed: for tests, demonstrations and measurements."""

import math
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from growbin_jobs.platform.tables.facts import ApiCall, Facts, Log, Login, Session, User
from growbin_jobs.platform.tables.registry import AgentRow, ModelRow, StageRow

#: Models, with the share of calls that ask them, micro-dollars a call and the median latency in milliseconds.
_MODELS: Final = (("gpt-6-luna", 0.6, 900, 1800), ("gpt-4o-mini", 0.3, 120, 900), (None, 0.1, 0, 40))

_LEVELS: Final = ("info",) * 90 + ("warning",) * 8 + ("error",) * 2


class SampleData:
    """Makes facts up.

    Parameters:
      seed: The same one makes the same facts.
      users, agents: How many.
      begin: The first day's midnight.
      days: How many.
      calls_a_day: API calls of one day, on average.
    """

    def __init__(
        self, seed: int, *, begin: datetime, days: int, users: int = 200, agents: int = 20, calls_a_day: int = 1000
    ) -> None:
        self._seed = seed
        self._begin = begin
        self._days = days
        self._users = users
        self._agents = agents
        self._calls = calls_a_day

    def write(self, facts: Facts) -> dict[str, int]:
        """Write all of them; a second time changes nothing. Returns the number of rows by table."""
        written = {"users": self._users}
        chance = random.Random(self._seed)  # noqa: S311 - nothing secret
        names = [f"sample-{self._seed}-user-{number}" for number in range(self._users)]
        facts.record(User, [{"id": name, "created_at": self._begin, "deleted_at": None} for name in names])
        for day in range(self._days):
            start = self._begin + timedelta(days=day)
            weekday = 0.6 if start.weekday() >= 5 else 1.0
            for model, rows in self._day(chance, start, day, names, weekday):
                facts.record(model, rows)
                table = model._meta.table_name
                written[table] = written.get(table, 0) + len(rows)
        return written

    def agents(self) -> Iterator[tuple[AgentRow, StageRow]]:
        """Yield agents with the stage that each is in from the begin on: two thirds in production."""
        for number in range(self._agents):
            name = f"sample-{self._seed}-agent-{number}"
            stage = "production" if number % 3 else "draft"
            yield (
                AgentRow(name, name, f"https://{name}.example.com", self._begin),
                StageRow(f"{name}-stage", name, stage, self._begin),
            )

    def models(self) -> Iterator[ModelRow]:
        """Yield the models that calls ask, on a server that does not exist."""
        for name, *_ in _MODELS:
            if name:
                yield ModelRow(f"sample-{self._seed}-{name}", name, "https://models.example.com/v1", self._begin)

    def _day(
        self, chance: random.Random, start: datetime, day: int, names: list[str], weekday: float
    ) -> Iterator[tuple[Any, list[dict[str, Any]]]]:
        active = chance.sample(names, max(1, round(len(names) * 0.3 * weekday)))
        moments = {name: _moment(chance, start) for name in active}
        key = f"sample-{self._seed}-{day}"
        yield Login, [{"id": f"{key}-l-{name}", "user_id": name, "at": at} for name, at in moments.items()]
        yield Session, [
            {"id": f"{key}-s-{name}", "user_id": name, "started_at": at,
             "ended_at": at + timedelta(minutes=chance.randint(1, 90))}
            for name, at in moments.items()
        ]  # fmt: skip
        yield ApiCall, [self._call(chance, f"{key}-c-{number}", start, active)
                        for number in range(round(self._calls * weekday))]  # fmt: skip
        yield Log, [
            {"id": f"{key}-g-{number}", "at": _moment(chance, start), "level": chance.choice(_LEVELS), "source": "api",
             "message": "request handled", "user_id": chance.choice(active)}
            for number in range(round(self._calls * weekday / 4))
        ]  # fmt: skip

    def _call(self, chance: random.Random, call_id: str, start: datetime, active: list[str]) -> dict[str, Any]:
        [(model, _, cost, median)] = chance.choices(_MODELS, [share for _, share, _, _ in _MODELS])
        tokens = (chance.randint(50, 2000), chance.randint(20, 400)) if model else (None, None)
        return {
            "id": call_id,
            "at": _moment(chance, start),
            "user_id": chance.choice(active),
            "model": model,
            "purpose": "chat" if model else "api",
            "status": chance.choices((200, 429, 500), (97, 2, 1))[0],
            "latency_ms": max(1, round(median * math.exp(chance.gauss(0, 0.6)))),
            "tokens_in": tokens[0],
            "tokens_out": tokens[1],
            "cost": cost if model else None,
        }


def _moment(chance: random.Random, start: datetime) -> datetime:
    """A time of the day, most often in the evening."""
    return start + timedelta(seconds=min(86_399, max(0, round(chance.gauss(64_800, 14_400)))))
