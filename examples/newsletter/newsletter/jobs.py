"""After: the same service on the engine."""

import dramatiq

from growbin_jobs.engine import Deferred, Engine, EngineConfig, Permanent
from growbin_jobs.scheduler.schedule import Schedule
from newsletter import letters

engine = Engine(EngineConfig.from_env("NEWSLETTER_", source="newsletter.jobs:engine", timezone="Asia/Seoul")).install()
schedule = Schedule(engine)


@dramatiq.actor(max_retries=5, min_backoff=1_000)
def write_letter(issue: int, reader: str) -> str:
    try:
        letters.print_letter(issue, reader)
    except letters.UnknownReader:
        raise Permanent("There is no such reader.") from None  # a dead letter at once, which a person can retry
    except letters.PrinterBusy:
        raise Deferred("the printer is busy", wait=30) from None  # waits, and spends no retry
    return reader


@dramatiq.actor(store_results=True)
def close_issue(issue: int) -> int:
    return letters.close(issue)


@dramatiq.actor
def send_issue(issue: int, readers: list[str]) -> None:
    letters_of_issue = dramatiq.group([write_letter.message(issue, reader) for reader in readers])
    letters_of_issue.add_completion_callback(close_issue.message(issue))
    letters_of_issue.run()


@schedule.job("0 9 * * mon", again=True)  # its effect is to send a message
def send_weekly() -> None:
    send_issue.send(1, list(letters.READERS))
