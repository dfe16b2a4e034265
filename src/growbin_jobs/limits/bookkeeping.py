"""Double entry for reserved money: pure arithmetic, in whole micro-dollars.

What is reserved for a request ends in one of three ways, and no other: *settled* (it cost so much, the rest is
*released*), *released* (it was not sent), *unknown* (nobody can say what it cost: all of it stays spent). So for each
budget and day, at any time, ``reserved = settled + released + unknown + open``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

State = Literal["open", "settled", "released", "unknown"]

#: Percent of a cap that are told once a day: nearly spent, and spent.
NEARLY: Final = 80
SPENT: Final = 100


@dataclass(frozen=True, slots=True)
class Totals:
    """What became of the money of one budget on one day.

    Attributes:
      reserved: In all.
      settled: What requests cost.
      released: Given back.
      unknown: Of requests whose cost nobody knows.
    """

    reserved: int = 0
    settled: int = 0
    released: int = 0
    unknown: int = 0

    @property
    def open(self) -> int:
        """Reserved for requests that have not ended."""
        return self.reserved - self.settled - self.released - self.unknown

    @property
    def spent(self) -> int:
        """What counts against the cap: all but what was given back."""
        return self.reserved - self.released

    def plus(self, other: "Totals") -> "Totals":
        """Return the sum."""
        return Totals(
            self.reserved + other.reserved,
            self.settled + other.settled,
            self.released + other.released,
            self.unknown + other.unknown,
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """One reservation in one budget.

    Attributes:
      amount: Reserved.
      state: What became of it.
      settled: What the request cost, once that is known; it may be more than was reserved.
    """

    amount: int
    state: State = "open"
    settled: int = 0

    @property
    def totals(self) -> Totals:
        """Return what it adds to the totals. A cost above the reservation counts as reserved afterwards."""
        if self.state == "settled":
            reserved = max(self.amount, self.settled)
            return Totals(reserved, self.settled, reserved - self.settled, 0)
        return Totals(
            self.amount,
            released=self.amount if self.state == "released" else 0,
            unknown=self.amount if self.state == "unknown" else 0,
        )


def ended(entry: Entry, cost: int | None) -> Entry:
    """Return an entry whose request was sent and has ended.

    What is unknown can still be settled, by a cost that comes late; what is settled or released stays so.

    Parameters:
      entry: As it is.
      cost: None where nobody knows it.
    """
    if entry.state not in ("open", "unknown"):
        return entry
    return replace(entry, state="unknown") if cost is None else replace(entry, state="settled", settled=cost)


def released(entry: Entry) -> Entry:
    """Return an entry whose request was not sent."""
    return replace(entry, state="released") if entry.state == "open" else entry


def has_room(totals: Totals, amount: int, cap: int | None) -> bool:
    """Return True where an amount may be reserved. A cap of None is none; of 0, nothing may be spent."""
    return cap is None or totals.spent + amount <= cap


def to_tell(spent: int, cap: int | None, told: int) -> int | None:
    """Return the percentage that was reached and has not been told yet; None where there is none.

    Parameters:
      spent: Of the cap, refused amounts included.
      cap: None: there is none.
      told: The last percentage that was told; 0: none.
    """
    if cap is None:
        return None
    reached = SPENT if spent > cap else NEARLY if spent * 100 >= cap * NEARLY else 0
    return reached if reached > told else None


def day_of(moment: float, zone: ZoneInfo, latest: date | None = None) -> date:
    """Return the budget's day, which only goes forward.

    Parameters:
      moment: Seconds since 1970, on the database's clock.
      zone: Whose midnight begins a day, whatever a session or a machine is set to.
      latest: The latest day that has been used. A clock that went back over midnight stays on it; a day further
        ahead comes from a clock that was wrong, and counts for nothing.
    """
    today = datetime.fromtimestamp(moment, UTC).astimezone(zone).date()
    return latest if latest == today + timedelta(days=1) else today


def seconds_left(moment: float, zone: ZoneInfo, day: date) -> float:
    """Return the seconds until a day ends."""
    end = datetime.combine(day + timedelta(days=1), datetime.min.time(), zone)
    return max(0.0, end.timestamp() - moment)


def total(entries: Sequence[Entry]) -> Totals:
    """Return what entries add up to."""
    sums = Totals()
    for entry in entries:
        sums = sums.plus(entry.totals)
    return sums
