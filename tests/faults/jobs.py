"""What the workload is made of: each kind of job, and the effects that it must have. No imports of the product."""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of job.

    Attributes:
      keys: The effects that it is done with.
      dies: It must end as a dead letter.
      about: For people.
    """

    keys: frozenset[str]
    about: str
    dies: bool = False


LEAVES = 6
STEPS = 4

KINDS: dict[str, Kind] = {
    "one": Kind(frozenset({"one"}), "one stage"),
    "chain": Kind(frozenset(f"chain-{n}" for n in range(1, STEPS + 1)), "a chain of four stages"),
    "fan": Kind(frozenset({"fan", *(f"leaf-{n}" for n in range(LEAVES))}), "six follow-ups at once"),
    "fickle": Kind(frozenset({"fickle"}), "fails twice, then works"),
    "waiting": Kind(frozenset({"waiting"}), "is put off twice, then works"),
    "slow": Kind(frozenset({"slow"}), "works for a second"),
    "limited": Kind(frozenset({"limited", "limited-next"}), "has a time limit that its bookkeeping exceeds"),
    "computing": Kind(frozenset({"computing"}), "computes for a second without a pause"),
    "stumbling": Kind(frozenset({"stumbling"}), "stores an object, and its first run kills its process then"),
    "new": Kind(frozenset({"new"}), "of an actor that only the next release has"),
    "killer": Kind(frozenset(), "kills its process, each time", dies=True),
    "refusing": Kind(frozenset(), "refuses for good", dies=True),
}

#: What a load is made of unless a fault says otherwise: each kind that harms nobody.
MIX = ("one", "chain", "fan", "fickle", "waiting", "one", "chain", "refusing")


class Request(NamedTuple):
    """A job to be handed in."""

    job: str
    kind: str


def requests(kinds: dict[str, int], dice: random.Random) -> list[Request]:
    """Return so many requests of each kind, shuffled, with ids that the dice decide."""
    drawn = [
        Request(str(uuid.UUID(int=dice.getrandbits(128), version=4)), kind)
        for kind, number in kinds.items()
        for _ in range(number)
    ]
    dice.shuffle(drawn)
    return drawn


def mixed(number: int) -> dict[str, int]:
    """Return how many of each kind of :data:`MIX` make so many jobs."""
    load: dict[str, int] = {}
    for n in range(number):
        kind = MIX[n % len(MIX)]
        load[kind] = load.get(kind, 0) + 1
    return load
