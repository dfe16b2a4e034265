"""What the tests of the monitor's pages show: some hours of an ordinary cluster, and what is hostile in every name."""

import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any

from growbin_jobs.engine.broker.port import Depth
from growbin_jobs.engine.central.attempts import AttemptRow
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.dead_letter_rows import DeadLetterRow
from growbin_jobs.engine.central.minutes import Minutes
from growbin_jobs.engine.central.minutes_due import touch
from growbin_jobs.engine.central.queue_minutes import QueueMinutes
from growbin_jobs.engine.central.sql_words import SqlWords
from growbin_jobs.engine.central.tasks import TaskRow
from growbin_jobs.engine.central.workers import WorkerGroup, Workers
from growbin_jobs.engine.delivery.codec import follow_up_id
from growbin_jobs.limits.usage import LlmUsage
from growbin_jobs.models.analysis import WasteAnalysis

STAGES = (
    ("upload_image", "user_input", 0.4),
    ("analyze_image", "vision_analysis", 6.0),
    ("retrieve_rule", "rule_retrieval", 0.05),
    ("generate_response", "response_generation", 3.0),
)
ERRORS = (
    ("analyze_image", "RateLimited", "failed"),
    ("analyze_image", "APITimeoutError", "dead"),
    ("upload_image", "The picture is too small (320×12). Each side needs at least 64 pixels.", "dead"),
    ("generate_response", "KeyError", "failed"),
)

#: Names that pages must show as they are.
XSS = '"><svg onload=alert(1)>'
ODD_NAMES = (
    XSS,
    "foo/bar.baz?x#y %2F 한글 🧪",
    "<script>x</script>",
    "\u202eevil\u2066",
    "' autofocus onfocus=alert(1) x='",
)

#: Messages that no page may break on.
ODD_PAYLOADS = (
    '{"args": ["\\u0000", "\\ud83d"], "kwargs": {"": 1, "a\\"b": 2}}',
    '{"args": [NaN, Infinity], "kwargs": {"id": 1970670598291982290}}',
    '{"args": ' + "[" * 10_000 + "]" * 10_000 + "}",
    '{"args": ["<img src=x onerror=alert(1)>"], "kwargs": {}}',
    "no json at all \\",
    json.dumps({"args": ["x" * 2_000_000], "kwargs": {}}),
)


def fill(database: Database, *, now: datetime | None = None, analyses: int = 300, seed: int = 1) -> None:
    """Put in some hours of work.

    Parameters:
      now: Aware; the end of these hours.
      analyses: How many, each with four tasks.
    """
    chance, end = random.Random(seed), now or datetime.now(UTC)
    tasks: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    usage: list[dict[str, Any]] = []
    for number in range(analyses):
        _analysis(chance, number, end - timedelta(seconds=chance.random() ** 2 * 7200), tasks, rows, usage)
    attempts: list[dict[str, Any]] = []
    letters: list[dict[str, Any]] = []
    for number in range(analyses // 6):
        actor, error, state = chance.choice(ERRORS)
        queue = next(queue for name, queue, _ in STAGES if name == actor)
        begun = end - timedelta(seconds=chance.random() * 3600 * 20)
        tasks.append(
            task(
                f"failed-{number:05}", begun, task_name=actor, queue_name=queue, status=state, error=error,
                started_at=begun + timedelta(seconds=1), completed_at=begun + timedelta(seconds=4), retry_count=3,
                due_at=end + timedelta(minutes=4) if state == "failed" else None,
            )
        )  # fmt: skip
    for row in tasks:
        if row["task_id"].startswith("failed-"):
            attempts += [attempt(row, try_) for try_ in range(3)]
            if row["status"] == "dead":
                letters.append(letter(row))
    put(database, AttemptRow, attempts)
    put(database, DeadLetterRow, letters)
    put(database, TaskRow, tasks)
    put(database, WasteAnalysis, rows)
    put(database, LlmUsage, usage)
    _workers(database, end)
    _figures(database, tasks, attempts, end)


def fill_with_oddities(database: Database, *, now: datetime | None = None) -> list[str]:
    """Put in tasks whose names and messages are hostile; return their ids."""
    end, rows = now or datetime.now(UTC), []
    for number, name in enumerate(ODD_NAMES):
        rows.append(
            task(
                f"odd-{name}", end - timedelta(seconds=number), task_name=name, queue_name=name, node=name, worker=name,
                error=f"{name}: broken", status="dead", payload=ODD_PAYLOADS[number], result='{"a": NaN}',
                started_at=end - timedelta(seconds=90), completed_at=end,
            )
        )  # fmt: skip
    rows += [task(f"payload-{number}", end, payload=payload) for number, payload in enumerate(ODD_PAYLOADS)]
    put(database, TaskRow, rows)
    dead = [row for row in rows if row["status"] == "dead"]
    put(database, AttemptRow, [attempt(row, 2) for row in dead])
    put(database, DeadLetterRow, [letter(row) for row in dead])
    Workers(database).report(
        XSS, [worker(XSS, end, group_name=XSS, queues=list(ODD_NAMES))], unsynced=0, owed=0, at=end
    )
    return [row["task_id"] for row in rows]


def fill_batches(database: Database, *, now: datetime | None = None, questions: int = 60) -> None:
    """Put in batches of paid calls: one that is done, one at the server, one with odd names, and what waits for one."""
    end = (now or datetime.now(UTC)).timestamp()
    words = SqlWords(database.dialect)
    batch = (
        "INSERT INTO model_batch (id, model, state, outcome, problem, server_id, server_status, requests, tokens,"
        " answered, standard, looks, fence, leased_until, next_at, made_at, sent_at, ended_at, reserved, settled,"
        " unknown) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 3, 1, 0, ?, ?, ?, ?, ?, ?, ?)"
    )
    asked = (
        "INSERT INTO model_batch_question (key, id, purpose, model, prompt, asks, state, batch_id, put_at)"
        " VALUES (?, ?, 'vision', ?, 'v7', '{}', ?, ?, ?)"
    )
    waits = (
        "INSERT INTO model_batch_waiter (message_id, key, analysis_id, user_id, body, put_at, back_at, batch_id, why)"
        " VALUES (?, ?, ?, 'secret-user', '{}', ?, ?, ?, ?)"
    )
    reserved = (
        "INSERT INTO budget_entry (id, name, day, state, amount, settled, expires_at)"
        " VALUES (?, 'total', '2026-11-28', ?, ?, ?, 0)"
    )

    def work(connection: Any) -> None:
        done = ("b-done", "gpt-6", "done", "completed", None, "batch_1", "completed", 2, 900, 1, 1)
        words.run(connection, batch, *done, 0, end - 9000, end - 8000, end - 100, 3000, 1000, 500)
        sent = ("b-sent", "gpt-6", "sent", None, None, "batch_2", "in_progress", questions, 900, 0, 0)
        words.run(connection, batch, *sent, end + 60, end - 4000, end - 3600, None, None, None, None)
        odd = (XSS, XSS, "uploaded", None, f"{XSS} broke.", None, None, 1, 1, 0, 0)
        words.run(connection, batch, *odd, end + 60, end - 50, None, None, None, None, None)
        for number in range(questions):
            key = f"key-{number:03}"
            words.run(connection, asked, key, f"request-{number:03}", "gpt-6", "batched", "b-sent", end - 5000)
            words.run(connection, reserved, f"request-{number:03}", "open", 70, 0)
            words.run(connection, waits, f"waits-{number:03}", key, f"an{number:06}", end - 5000, None, None, None)
        words.run(connection, asked, "key-done", "request-done", "gpt-6", "done", "b-done", end - 9100)
        for number in range(8):
            back = (end - 9100, end - 100, "b-done", "refused")
            words.run(connection, waits, f"back-{number}", "key-done", None, *back)
        words.run(connection, asked, "key-odd", XSS, XSS, "batched", XSS, end - 60)
        words.run(connection, waits, f"odd-{XSS}", "key-odd", XSS, end - 60, None, None, None)
        words.run(connection, asked, "key-next", "request-next", "gpt-6", "waiting", None, end - 20)
        words.run(connection, waits, "next", "key-next", "an-next", end - 20, None, None, None)

    database.transaction(work)


def task(task_id: str, created_at: datetime, **fields: Any) -> dict[str, Any]:
    """A row of ``tasks``."""
    row = {
        "task_id": task_id, "node": "storage-1", "task_name": "upload_image", "queue_name": "user_input",
        "worker": None, "payload": json.dumps({"args": ["u1", "s3://growbin/x", task_id], "kwargs": {}}),
        "status": "completed",
        "created_at": created_at, "started_at": None, "completed_at": None, "due_at": None, "error": None,
        "result": None, "retry_count": 0, "synced_at": created_at, "deferrals": 0, "crashes": 0, "seq": 1,
        "delivery_tag": None, "parent_id": None, "root_id": None,
    }  # fmt: skip
    return row | fields


def attempt(row: dict[str, Any], number: int) -> dict[str, Any]:
    """A run of a task that failed; the third one is that of its end."""
    dead = number == 2 and row["status"] == "dead"
    ended = row["completed_at"] - timedelta(seconds=60 * (2 - number))
    return {
        "task_id": row["task_id"], "node": row["node"], "ended_at": ended, "outcome": "dead" if dead else "failed",
        "task_name": row["task_name"], "queue_name": row["queue_name"], "started_at": ended - timedelta(seconds=3),
        "worker": row["worker"], "error": row["error"], "retry_count": number, "deferrals": 0,
        "due_at": None if dead else ended + timedelta(seconds=50), "waited": 1.0 if number == 0 else None,
    }  # fmt: skip


def letter(row: dict[str, Any]) -> dict[str, Any]:
    """The dead letter of a task."""
    name = row["task_name"]
    trace = f'  File "/srv/app/src/{name}.py", line 41, in {name}\n    await send(picture)\n{row["error"]}\n'
    return {
        "id": f"letter-{row['task_id']}", "node": row["node"], "letter": 1, "task_id": row["task_id"],
        "task_name": name, "queue_name": row["queue_name"], "body": row["payload"].encode("utf-8", "replace"),
        "code": "retries_exhausted", "params": json.dumps({"attempts": 3, "detail": row["error"]}),
        "error": row["error"], "traceback": trace, "died_at": row["completed_at"], "retried_at": None,
        "discarded_at": None, "seq": 1, "taken_by": None, "taken_at": None, "taken_to": None, "carried_by": None,
        "done_at": None,
    }  # fmt: skip


def worker(node: str, seen_at: datetime, **fields: Any) -> WorkerGroup:
    """A worker group."""
    values: dict[str, Any] = {
        "group_name": "storage", "version": "0.9.0", "pids": [71, 72], "processes": 1, "threads": 1000,
        "queues": ["user_input", "rule_retrieval", "failure_recording", "reports", "statistics", "cleanup"],
        "running": 12, "unsynced": 3, "owed": 0, "lag": 0.4, "started_at": seen_at - timedelta(hours=5),
        "seen_at": seen_at,
    }  # fmt: skip
    return WorkerGroup(node=node, **(values | fields))


def put(database: Database, model: Any, rows: list[dict[str, Any]]) -> None:
    """Insert rows; failed runs with the notes of their minutes, as a copy does."""
    for begin in range(0, len(rows), 200):
        part = rows[begin : begin + 200]
        database.transaction(lambda connection, part=part: model.insert_many(part).execute(connection))
    if model is AttemptRow:
        minutes = {int(row["ended_at"].timestamp()) // 60 for row in rows}
        database.transaction(lambda connection: touch(connection, database.dialect, minutes))


def _analysis(
    chance: random.Random, number: int, begun: datetime, tasks: list[Any], rows: list[Any], usage: list[Any]
) -> None:
    analysis_id, user = f"an{number:06}", f"user-{chance.randrange(40)}"
    reached = chance.choices(range(5), (3, 3, 1, 2, 91))[0]
    at, task_id = begun, f"root-{number:06}"
    for stage, (actor, queue, seconds) in enumerate(STAGES[: reached + 1]):
        parent = task_id if stage else None
        if parent:
            task_id = follow_up_id(parent, actor, 0)
        started = at + timedelta(seconds=chance.expovariate(1.5))
        ended = started + timedelta(seconds=seconds * (0.5 + chance.expovariate(1.2)))
        running = stage == reached
        retries = int(chance.random() < 0.08)
        tasks.append(
            task(
                task_id, at, parent_id=parent, root_id=f"root-{number:06}" if parent else None, task_name=actor,
                queue_name=queue, status="running" if running else "completed",
                node="storage-1" if stage % 2 == 0 else f"ai-{1 + number % 2}", worker=f"w/{stage}/{number % 4}",
                started_at=started, completed_at=None if running else ended, retry_count=retries,
                payload=json.dumps({"args": [user, "s3://growbin/spool/x", analysis_id], "kwargs": {}}),
                result=None if running else json.dumps({"ok": True, "confidence": round(chance.random(), 3)}),
            )
        )  # fmt: skip
        if stage in (1, 3) and not running:
            usage.append(_request(chance, analysis_id, task_id, user, started, "vision" if stage == 1 else "text"))
        at = ended
    status = ("pending", "uploaded", "classified", "rule_found", "completed")[reached]
    rows.append(
        {
            "id": analysis_id, "user_id": user, "status": status, "s3_path": None, "thumbnail_path": None,
            "category": "plastic" if reached >= 2 else None, "item": "pet_bottle" if reached >= 2 else None,
            "state": "dirty" if reached >= 2 else None, "confidence": 0.93 if reached >= 2 else None,
            "vision_model": "gpt-6-luna" if reached >= 2 else None, "rules": None,
            "response": "라벨을 떼고 헹군 뒤 압착해서 배출하세요." if reached == 4 else None,
            "response_source": "model" if reached == 4 else None,
            "response_model": "gpt-6-luna" if reached == 4 else None,
            "language": "ko", "failed_stage": None, "error_code": None, "error_params": None, "error": None,
            "created_at": begun, "updated_at": at, "completed_at": at if reached == 4 else None,
        }
    )  # fmt: skip


def _request(
    chance: random.Random, analysis_id: str, task_id: str, user: str, at: datetime, purpose: str
) -> dict[str, Any]:
    return {
        "id": f"req-{task_id}", "sent_at": at, "day": f"{at:%Y-%m-%d}", "node": "ai-1", "purpose": purpose,
        "analysis_id": analysis_id, "user_id": user, "message_id": task_id, "attempt": 1, "model": "gpt-6-luna",
        "outcome": "answered", "billed": "yes", "status": 200, "latency_ms": chance.randrange(800, 9000),
        "tokens_in": chance.randrange(900, 1600), "tokens_cached": 600, "tokens_reasoning": 120,
        "tokens_out": chance.randrange(40, 400), "cost": chance.randrange(700, 4200),
    }  # fmt: skip


def _figures(database: Database, tasks: list[Any], attempts: list[Any], end: datetime) -> None:
    """Make the figures of the minutes, as a keeper does; of the last ones there are none yet."""
    ends = [row["completed_at"] for row in tasks if row["completed_at"]] + [row["ended_at"] for row in attempts]
    over = {int(each.timestamp()) // 60 for each in ends if each < end - timedelta(minutes=2)}
    database.transaction(lambda connection: touch(connection, database.dialect, over))
    Minutes(database).compute_due(now=end, kept=timedelta(days=30), limit=10_000)
    chance, begin = random.Random(2), end.replace(second=0, microsecond=0)
    for minute in range(90):
        at = begin - timedelta(minutes=90 - minute)
        depths = {queue: Depth(int(abs(chance.gauss(20, 15)) * scale), 4, 2, 0) for _, queue, scale in STAGES}
        QueueMinutes(database).add(at, depths, now=at)


def _workers(database: Database, end: datetime) -> None:
    ai = ["vision_analysis", "vision_analysis_bulk", "response_generation", "llm_checks"]
    workers = Workers(database)
    groups = [
        worker("storage-1", end),
        worker("ai-1", end, group_name="ai", queues=ai, processes=3, threads=84, running=61),
        worker("ai-2", end - timedelta(minutes=3), group_name="ai", queues=ai, processes=3, threads=84, running=7),
    ]
    for group in groups:
        workers.report(group.node, [group], unsynced=group.unsynced, owed=0, at=group.seen_at)
    for number in range(6):
        node = f"storage-old-{number}"
        workers.report(node, [worker(node, end - timedelta(hours=2))], unsynced=0, owed=0, at=end)
        workers.report(node, [], unsynced=number % 2, owed=0, at=end - timedelta(hours=1))
