"""The log as JSON, one object a line, with the message that runs where the line is written.

``ts``, ``level``, ``event``, ``logger``, ``node``, ``pid`` and ``message`` are always there; ``actor``, ``queue``,
``message_id``, ``attempt``, ``subject`` (such as the id of an analysis) and ``trace_id`` where a message runs. An event
of the engine has its own fields beside them. Of an exception there are its class and the places in the code that it
came through: its text may be somebody's data.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from dramatiq.middleware import CurrentMessage

from growbin_jobs.engine.foreign_errors import name, places

#: What begins a keyed line.
_EVENT: Final = re.compile(r"[a-z_]+(\.[a-z_]+)+(?=[\s=:]|$)")

#: Fields of events under the names that lines have them by.
_NAMES: Final = {"id": "message_id"}

_TRACE: Final = re.compile(r"00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")

#: Returns what a message is about; None: nothing that the log knows.
Subject = Callable[[Any], str | None]


class JsonFormatter(logging.Formatter):
    """Makes one line of each record.

    Parameters:
      node: Name of this node.
      subject: Returns what a message is about.
    """

    def __init__(self, node: str, subject: Subject | None = None) -> None:
        super().__init__()
        self._node = node
        self._subject = subject

    def format(self, record: logging.LogRecord) -> str:
        text = record.getMessage()
        event = _EVENT.match(text)
        line: dict[str, Any] = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": event[0] if event else "log",
            "logger": record.name,
            "node": self._node,
            "pid": os.getpid(),
        }
        message = CurrentMessage.get_current_message()
        if message is not None:
            line |= describe_message(message, self._subject)
        if isinstance(record.args, Mapping):
            line |= {_NAMES.get(key, key): _plain(value) for key, value in record.args.items() if key != "level"}
        if record.exc_info and record.exc_info[1] is not None:
            line |= {"error": name(record.exc_info[1]), "where": places(record.exc_info[1])}
        line["message"] = text
        return json.dumps(line, ensure_ascii=False, default=str)


def describe_message(message: Any, subject: Subject | None) -> dict[str, Any]:
    """Return what lines and spans say of a message; never its arguments."""
    options = message.options
    retries = options.get("retries", 0)
    found: dict[str, Any] = {
        "actor": message.actor_name,
        "queue": message.queue_name,
        "message_id": message.message_id,
        "attempt": retries + 1 if isinstance(retries, int) else 1,
    }
    try:
        about = subject(message) if subject is not None else None
    except Exception:  # anybody may have sent anything
        about = None
    if about is not None:
        found["subject"] = about
    trace = _TRACE.fullmatch(str(options.get("traceparent", "")))
    if trace_id := getattr(message, "trace_id", None) or (trace and trace[1]):
        found["trace_id"] = trace_id
    return found


def install_json_logs(node: str, subject: Subject | None = None) -> None:
    """Let all handlers of this process's root logger write JSON; standard error where there is none."""
    if not logging.root.handlers:
        logging.root.addHandler(logging.StreamHandler(sys.stderr))
        logging.root.setLevel(logging.INFO)
    for handler in logging.root.handlers:
        handler.setFormatter(JsonFormatter(node, subject))


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool | list | dict | None) else str(value)
