"""The nodes' journals as an outsider sees them: rows, read from their files."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import apsw


class Journals:
    """All journals of an installation.

    Parameters:
      folder: Where the nodes have theirs.
      nodes: Names of the nodes there are at first.

    Attributes:
      nodes: Names of the nodes that have worked here.
    """

    def __init__(self, folder: Path, nodes: Collection[str]) -> None:
        self._folder = folder
        self.nodes = set(nodes)

    def path(self, node: str) -> Path:
        """A node's journal."""
        return self._folder / node / "task_queue.db"

    def owed(self) -> int:
        """Return how many messages they owe to the broker."""
        return sum(len(self._rows(node, "outbox")) for node in self.nodes)

    def accepted(self) -> int:
        """Return how many messages of producers are in them and nowhere else."""
        return sum(len(self._rows(node, "outbox WHERE parent_id IS NULL")) for node in self.nodes)

    def completed(self) -> set[str]:
        """Return the messages that are completed by any of them."""
        return {row[0] for node in self.nodes for row in self._rows(node, "task_wal WHERE status = 'completed'")}

    def suspects(self, node: str, crashes: int) -> int:
        """Return how many messages of a node were running at so many kills in a row."""
        return len(self._rows(node, f"task_wal WHERE crashes >= {crashes} AND status <> 'dead'"))

    def about(self, jobs: Collection[str]) -> list[str]:
        """Return all rows in which one of some jobs is named."""
        return [
            f"{node} {table}: {row}"
            for node in sorted(self.nodes)
            for table in ("task_wal", "outbox")
            for row in self._rows(node, table)
            if not set(jobs).isdisjoint(_ids(row))
        ]

    def _rows(self, node: str, source: str) -> list[tuple[Any, ...]]:
        if not self.path(node).exists():
            return []
        try:
            # Read-only, so that a look changes nothing: the last one to close a journal folds its log into it.
            flags = apsw.SQLITE_OPEN_READONLY
            with contextlib.closing(apsw.Connection(str(self.path(node)), flags)) as connection:
                return list(connection.execute(f"SELECT * FROM {source}"))
        except apsw.Error:  # it is what the fault has made of it
            return []


def _ids(row: tuple[Any, ...]) -> Iterator[str]:
    """The UUIDs in a row's texts, whole messages included."""
    for value in row:
        text = value.decode() if isinstance(value, bytes) else value if isinstance(value, str) else ""
        yield from re.findall(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", text)
