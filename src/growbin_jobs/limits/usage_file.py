"""Rows of usage that wait on the node's disk: a process ended, or has no more room, while the database is away."""

import json
import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Final

#: Column that holds a moment.
_MOMENT: Final = "sent_at"


class UsageFiles:
    """Files of rows in a folder, one JSON object a line; each is written whole, once, and deleted when it is stored.

    Any process of the node may store any file: a row that is stored twice is one row.

    Parameters:
      folder: Of this node; it is made when something is kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, rows: Sequence[dict[str, Any]]) -> Path:
        """Write rows to a new file.

        Raises:
          OSError: The disk does not take it.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._folder / f"{uuid.uuid4().hex}.jsonl"
        half = path.with_suffix(".part")
        with half.open("x", encoding="utf-8", errors="surrogatepass") as file:
            for row in rows:
                file.write(json.dumps(row | {_MOMENT: row[_MOMENT].isoformat()}) + "\n")
            file.flush()
            os.fsync(file.fileno())
        half.rename(path)
        return path

    def kept(self) -> Iterator[tuple[Path, list[dict[str, Any]]]]:
        """Yield each file with its rows; one that another process takes meanwhile is passed over.

        Raises:
          OSError: A file is there and cannot be read.
          ValueError: A file is not one of ours.
        """
        for path in sorted(self._folder.glob("*.jsonl")):
            with suppress(FileNotFoundError):
                yield path, [_row(line) for line in path.read_text("utf-8").splitlines()]


def _row(line: str) -> dict[str, Any]:
    row: dict[str, Any] = json.loads(line)
    # A file of a version before has no question.
    return {"question": None} | row | {_MOMENT: datetime.fromisoformat(row[_MOMENT])}
