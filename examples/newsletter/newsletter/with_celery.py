"""Before: Celery."""

import os
from typing import Any

from celery import Celery, chord
from celery.schedules import crontab

from newsletter import letters

app = Celery(
    "newsletter",
    broker=os.environ.get("CELERY_BROKER_URL", "amqp://localhost//"),
    backend=os.environ.get("CELERY_RESULT_BACKEND", "redis://localhost"),
)
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    timezone="Asia/Seoul",
    beat_schedule={"monday": {"task": "newsletter.send_weekly", "schedule": crontab(hour=9, minute=0, day_of_week=1)}},
)


@app.task(name="newsletter.write_letter", bind=True, max_retries=5)
def write_letter(self: Any, issue: int, reader: str) -> str:
    try:
        letters.print_letter(issue, reader)
    except letters.PrinterBusy as error:
        raise self.retry(exc=error, countdown=30) from error
    return reader


@app.task(name="newsletter.close_issue")
def close_issue(written: list[str], issue: int) -> int:
    assert len(written) == len(set(written))
    return letters.close(issue)


@app.task(name="newsletter.send_issue")
def send_issue(issue: int, readers: list[str]) -> None:
    chord([write_letter.s(issue, reader) for reader in readers])(close_issue.s(issue))


@app.task(name="newsletter.send_weekly")
def send_weekly(issue: int = 1) -> None:
    send_issue.delay(issue, list(letters.READERS))
