"""A task in Flower's shape: 31 keys, times as seconds since 1970, arguments and results as Python writes them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from growbin_jobs.engine.central.search.lines import TaskLine
from growbin_jobs.engine.central.search.task_detail import Preview
from growbin_jobs.engine.groups import Group
from growbin_jobs.monitor.api.flower.states import PENDING, RECEIVED, celery_state
from growbin_jobs.monitor.api.flower.task_texts import Texts
from growbin_jobs.monitor.api.flower.worker_names import worker_of
from growbin_jobs.operations.readable_json import parsed

#: Characters of arguments and results in a list, as Celery cuts them.
CUT: Final = 1024

_ENDS: Final = {"SUCCESS": "succeeded", "FAILURE": "failed", "RETRY": "retried", "REVOKED": "revoked"}


def task_object(line: TaskLine, texts: Texts, groups: Sequence[Group], *, cut: int = CUT) -> dict[str, Any]:
    """Return a task with all keys, in Flower's order.

    Parameters:
      line: The task.
      texts: What belongs to it; without messages where the asker may not see them.
      groups: Of the engine.
      cut: Characters of arguments and of the result.
    """
    state = celery_state(line.status, line.error, line.worker)
    args, kwargs = _arguments(texts.message, cut)
    created = line.created_at.timestamp()
    ends: dict[str, float | None] = dict.fromkeys(("succeeded", "failed", "retried", "revoked"))
    if state in _ENDS:
        ends[_ENDS[state]] = _seconds(line.completed_at)
    times: dict[str, float | None] = {
        "received": None if state == PENDING else created,
        "sent": created,
        "started": _seconds(line.started_at),
        "rejected": None,
        **ends,
    }
    waits = state in (PENDING, RECEIVED, "RETRY") and line.due_at is not None
    return {
        "uuid": line.task_id,
        "name": line.task_name,
        "state": state,
        **times,
        "args": args,
        "kwargs": kwargs,
        "result": _result(texts.result, cut) if state == "SUCCESS" else None,
        "eta": line.due_at.isoformat() if waits and line.due_at is not None else None,
        "expires": None,
        "retries": line.retry_count,
        "worker": worker_of(line.node, line.queue_name, line.worker, groups) if line.worker else None,
        "exception": line.error if state in ("FAILURE", "RETRY") else None,
        "timestamp": max(time for time in times.values() if time is not None),
        "runtime": line.run if state in ("SUCCESS", "FAILURE") else None,
        "traceback": texts.traceback if state == "FAILURE" else None,
        "exchange": "",
        "routing_key": line.queue_name,
        "clock": None,
        "client": None,
        "root": line.root_id or line.task_id,
        "root_id": line.root_id or line.task_id,
        "parent": line.parent_id,
        "parent_id": line.parent_id,
        "children": texts.children,
    }


def _seconds(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()


def _arguments(message: Preview | None, cut: int) -> tuple[str | None, str | None]:
    """Return positional and named arguments; of a message that cannot be read, its beginning as the first."""
    if message is None:
        return None, None
    args, kwargs = arguments_of(message)
    if args is None or kwargs is None:
        return _short(message.text, cut), None
    return _short(repr(tuple(args)), cut), _short(repr(kwargs), cut)


def arguments_of(message: Preview) -> tuple[list[Any] | None, dict[str, Any] | None]:
    """Return the arguments of a message; None, None where it is too long or cannot be read."""
    value, told = parsed(message.text) if message.is_whole else (None, False)
    if not told or not isinstance(value, dict):
        return None, None
    args, kwargs = value.get("args", []), value.get("kwargs", {})
    return (args, kwargs) if isinstance(args, list) and isinstance(kwargs, dict) else (None, None)


def _result(result: Preview | None, cut: int) -> str | None:
    if result is None:
        return None
    value, told = parsed(result.text) if result.is_whole else (None, False)
    return _short(repr(value) if told else result.text, cut)


def _short(text: str, cut: int) -> str:
    return text if len(text) <= cut else f"{text[: cut - 3]}..."
