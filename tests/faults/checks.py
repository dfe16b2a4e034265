"""What must hold after some of the faults, beyond what always does."""

from __future__ import annotations

from faults.history import Disposition
from faults.installation import Installation

#: Starts after which a message counts as what has killed its worker: fewer where it shows that it was itself.
STARTS = (4, 5)


def no_more(_: Installation, __: Disposition) -> None:
    """Nothing beyond what always holds."""


def all_came_to_an_end(installation: Installation, verdict: Disposition) -> None:
    """Also what its producer was killed over is done or dead."""
    absent = verdict.absent - installation.earlier
    assert not absent, f"never sent: {sorted(absent)}"


def ended_stays_ended(installation: Installation, _: Disposition) -> None:
    """What was on record as completed when the worker died was not run again."""
    runs = installation.effects.runs("end")
    assert installation.ended
    assert {message: runs[message] for message, before in installation.ended.items() if runs[message] != before} == {}


def one_object_each(installation: Installation, verdict: Disposition) -> None:
    """Each job that stores an object has one."""
    jobs = installation.history().jobs
    stored = sorted(path.name for path in installation.objects.iterdir())
    assert stored == sorted(name for name, job in jobs.items() if "stumbling" in job.keys and name in verdict.done)


def given_up_within_five_starts(installation: Installation, _: Disposition) -> None:
    """The poisonous message was started twice beside others, and then alone; five times at most."""
    begun = installation.effects.runs("begin")
    assert [begun[job] in STARTS for job in installation.handed_in("killer")] == [True]
