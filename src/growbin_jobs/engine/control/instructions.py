"""What a person tells the workers of all nodes, as values and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Target(StrEnum):
    """What an instruction is about."""

    QUEUE = "queue"
    ACTOR = "actor"
    MESSAGE = "message"


class Action(StrEnum):
    """What is to be done.

    ``pause``: no message of the queue or actor begins. ``revoke``: the message does not run, whenever it comes.
    ``abort``: the same, and where it runs it is interrupted.
    """

    PAUSE = "pause"
    REVOKE = "revoke"
    ABORT = "abort"


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """One thing that a person has told all workers.

    Attributes:
      target, name: What it is about: a queue's or an actor's name, or a message's id.
      action: What is to be done.
      by: Who said so.
      reason: Why, in that person's words.
      at: When, seconds since 1970, UTC.
      until: When it ends by itself, seconds since 1970, UTC; None: when it is withdrawn.
      version: Of the table when it was said.
    """

    target: Target
    name: str
    action: Action
    by: str
    reason: str
    at: float
    until: float | None = None
    version: int = 0

    @property
    def key(self) -> tuple[Target, str]:
        """What it is about: there is one instruction about each thing."""
        return self.target, self.name

    def lasts(self, now: float) -> bool:
        """Return whether it still holds at a time (seconds since 1970, UTC)."""
        return self.until is None or now < self.until


@dataclass(frozen=True, slots=True)
class Instructions:
    """All that is to be obeyed.

    Attributes:
      version: Of the table; 0: nobody has ever said anything.
      all: Each thing once.
    """

    version: int = 0
    all: tuple[Instruction, ...] = ()


def to_json(instructions: Instructions) -> str:
    """Return instructions as JSON."""
    rows = [asdict(each) for each in instructions.all]
    return json.dumps({"version": instructions.version, "instructions": rows}, ensure_ascii=False)


def from_json(text: str | bytes) -> Instructions:
    """Return the instructions of a JSON text.

    What a newer version of this program has added is left out: fields that are not known, and whole instructions with
    an action or target that is not known.

    Raises:
      ValueError: If it is none.
    """
    try:
        read = json.loads(text)
        return Instructions(int(read["version"]), tuple(_known(read["instructions"])))
    except (TypeError, KeyError) as error:
        raise ValueError(f"no instructions: {error}") from None


def _known(rows: Iterable[dict[str, Any]]) -> Iterable[Instruction]:
    targets, actions = set(Target), set(Action)
    for row in rows:
        if row["target"] in targets and row["action"] in actions:
            values = {name: row[name] for name in Instruction.__dataclass_fields__ if name in row}
            yield Instruction(**values | {"target": Target(row["target"]), "action": Action(row["action"])})
