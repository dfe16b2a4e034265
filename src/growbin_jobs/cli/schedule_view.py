"""The schedule on a terminal."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from rich.text import Text

from growbin_jobs.cli.console import one_line, out, print_line, say
from growbin_jobs.cli.recorded import shown
from growbin_jobs.cli.spoken import spoken
from growbin_jobs.reasons import Language
from growbin_jobs.scheduler.overview import JobView, Outcome, Trouble
from growbin_jobs.scheduler.registry import Change
from growbin_jobs.scheduler.verify import Verdict

_STYLES: Final = {Trouble.NONE: "", Trouble.LATE: "yellow", Trouble.FAILED: "bold red"}

#: Width of the longest name of a job.
_NAME: Final = 28

#: Findings of a verification that are shown.
_MOST_FINDINGS: Final = 100


def print_jobs(jobs: Sequence[JobView], zone: ZoneInfo, language: Language) -> None:
    """Print all jobs."""
    for job in jobs:
        last = (
            Text(spoken("by the keeper of every node"), "dim")
            if job.where == "every node"
            else _words(job.last, language)
        )
        next_due = _local(job.next_due, zone) if job.next_due else _why_not(job)
        line = Text.assemble((f"{job.job:{_NAME}}", "bold"), f"  {job.rule:12}  {next_due:23}  ")
        if job.last is not None:
            line.append(f"{_local(job.last.due, zone)}  ")
        out.print(line.append_text(last), soft_wrap=True)
    for job in jobs:
        if job.paused_by is not None:
            say(_paused(job, zone), "yellow")
        for warning in job.warnings:
            say(f"{job.job}: {warning}", "yellow")
    if any(not job.registered for job in jobs):
        differs = spoken(
            "The table differs from what schedulers fire: see `growbin-jobs schedule plan`; start a scheduler."
        )
        say(differs, "yellow")
    say(spoken("Times in {zone}.", zone=zone.key), "dim")


def print_preview(found: Iterable[tuple[datetime, str]], zone: ZoneInfo) -> None:
    """Print due times to come."""
    number = 0
    for due, job in found:
        print_line(f"{_local(due, zone)}  {job}")
        number += 1
    say(spoken("{number} due times, in {zone}.", number=number, zone=zone.key), "dim")


def print_asked(job: str, due: datetime, zone: ZoneInfo) -> None:
    """Print which due time a person has asked for."""
    print_line(spoken("{job} runs for {due}, in {zone}.", job=job, due=_local(due, zone), zone=zone.key))


def print_history(found: Sequence[Outcome], zone: ZoneInfo, language: Language) -> None:
    """Print what became of due times, one a line."""
    for each in found:
        line = Text.assemble((_local(each.due, zone), "dim"), f"  {one_line(each.job)}  ", _words(each, language))
        out.print(line, soft_wrap=True)
    say(spoken("Times in {zone}.", zone=zone.key) if found else spoken("Nothing has been due so far."), "dim")


def print_plan(changes: Sequence[Change], zone: ZoneInfo) -> None:
    """Print what registering the table changes."""
    for change in changes:
        sign, style = {"new": ("+", "green"), "edited": ("~", "yellow"), "removed": ("-", "red")}[change.kind]
        rules = " → ".join(" in ".join(rule) for rule in (change.before, change.after) if rule is not None)
        line = Text.assemble((f"{sign} {one_line(change.job)}", style), f"  {rules}")
        times = [_local(each, zone) for each in (change.next_before, change.next_after) if each is not None]
        line.append(f"; next run {' → '.join(times)}" if change.kind != "removed" else f"; next run was {times[0]}")
        if change.dropped:
            line.append(f"; {change.dropped} due times that were not sent are skipped", "yellow")
        out.print(line, soft_wrap=True)
    if changes:
        say(spoken("{number} changes, 0 replays. Times in {zone}.", number=len(changes), zone=zone.key))
    else:
        say(spoken("Nothing changes."))


def print_verdict(verdict: Verdict, zone: ZoneInfo) -> None:
    """Print the outcome of a verification."""
    for finding in verdict.findings[:_MOST_FINDINGS]:
        line = Text.assemble(
            (f"{finding.kind:6}", "bold red"), f"  {_local(finding.due, zone)}  {one_line(finding.job)}  "
        )
        out.print(line.append(one_line(finding.detail)), soft_wrap=True)
    if len(verdict.findings) > _MOST_FINDINGS:
        say(spoken("… and {number} more; --json shows all.", number=len(verdict.findings) - _MOST_FINDINGS))
    counted = {
        "checked": verdict.checked, "wrong": len(verdict.findings), "settled": verdict.settled,
        "pending": verdict.pending, "zone": zone.key,
    }  # fmt: skip
    words = spoken(
        "{checked} due times, {wrong} holes and doubles; {settled} were not run for a recorded reason, {pending} are "
        "on their way. Times in {zone}.",
        **counted,
    )
    style = "bold red" if verdict.findings else "bold green"
    say(words, style)


def _words(outcome: Outcome | None, language: Language) -> Text:
    if outcome is None:
        return Text("–")
    words = outcome.outcome if outcome.covers == 1 else f"{outcome.outcome} {outcome.covers}"
    if outcome.outcome == "late" and outcome.state != "done":
        words += f" ({outcome.state})"
    if outcome.late_by >= 1:
        words += f" by {_lateness(outcome.late_by)}"
    if outcome.reason:
        words += f": {one_line(shown(outcome.reason, language))}"
    return Text(words, _STYLES[outcome.trouble])


def _why_not(job: JobView) -> str:
    return spoken("paused") if job.paused_by else spoken("not registered")


def _paused(job: JobView, zone: ZoneInfo) -> str:
    values = {"job": job.job, "person": job.paused_by, "reason": job.pause_reason}
    if job.paused_until is None:
        return spoken("{job} is paused by {person}: {reason}", **values)
    until = _local(job.paused_until, zone)
    return spoken("{job} is paused by {person} until {until}: {reason}", until=until, **values)


def _lateness(seconds: float) -> str:
    """Return seconds as people read them: ``42 s``, ``1:05:00``, ``2 days, 3:00:00``."""
    return f"{seconds:.0f} s" if seconds < 120 else str(timedelta(seconds=round(seconds)))


def _local(moment: datetime | None, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%a %Y-%m-%d %H:%M:%S}" if moment is not None else "–"
