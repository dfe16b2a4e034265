"""The files in which the worker processes of a node say how far their messages are: one for each process."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

#: Their folder in the node's; its name never changes.
FOLDER = "progress"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a message is.

    Attributes:
      fraction: From 0 to 1.
      text: What it does now, in its own words.
      at: When it said so, seconds since 1970, UTC.
    """

    fraction: float
    text: str
    at: float


def write(path: Path, latest: Mapping[str, Progress]) -> None:
    """Put what a process's messages say in the place of what they said before.

    Parameters:
      latest: By message id.

    Raises:
      OSError: If it cannot be written.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = path.with_suffix(".new")
    rows = {task_id: (each.fraction, each.text, each.at) for task_id, each in latest.items()}
    beside.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8", errors="replace")
    beside.replace(path)


def read(path: Path) -> dict[str, Progress]:
    """Return what the messages of one process say; nothing where the file is gone or damaged."""
    with suppress(OSError, ValueError, TypeError, AttributeError, OverflowError):
        rows = json.loads(path.read_bytes())
        return {
            task_id: Progress(float(fraction), str(text), float(at))
            for task_id, (fraction, text, at) in rows.items()
            if math.isfinite(fraction) and math.isfinite(at)
        }
    return {}


def all_of(node_dir: Path) -> Iterator[Path]:
    """Yield the files of a node."""
    with suppress(FileNotFoundError):
        for entry in os.scandir(node_dir / FOLDER):
            if entry.name.endswith(".json"):
                yield Path(entry.path)


def of_message(node_dir: Path, message_id: str) -> Progress | None:
    """Return what a message of this node says, the latest word of it; None: nothing, or long ago."""
    words = [found for path in all_of(node_dir) if (found := read(path).get(message_id)) is not None]
    return max(words, key=lambda each: each.at, default=None)
