"""Where a node's files lie. Names of folders and files never change: older versions' files are found by them."""

from pathlib import Path

#: Bytes of a node's name. A folder's may have 255, and files beside it get endings.
MOST_NODE_BYTES = 200

#: Names of what else lies in a data folder.
_TAKEN = ("broker.db", "central.db")


def check_node(name: str) -> str:
    """Return a node's name if its files can lie in a folder of that name, inside the data folder.

    Raises:
      ValueError: With what is wrong.
    """
    if not name:
        raise ValueError("the node's name is empty")
    if name in (".", "..") or "/" in name or not name.isprintable() or name != name.strip():
        raise ValueError(
            f"the node's name {name[:80]!a} must be the name of a folder: printable, without a slash, not . or .., "
            "without spaces around it"
        )
    if len(name.encode()) > MOST_NODE_BYTES:
        raise ValueError(f"the node's name {name[:20]!a}… is longer than {MOST_NODE_BYTES} bytes")
    if name.startswith(_TAKEN):
        raise ValueError(f"the node's name {name!a} is that of another file in the data folder")
    return name


class Layout:
    """The files below a data folder."""

    __slots__ = ()

    data_dir: Path
    node: str

    @property
    def node_dir(self) -> Path:
        """What belongs to this node alone: its journal, its locks."""
        return self.data_dir / self.node

    @property
    def journal_path(self) -> Path:
        """The node's journal."""
        return self.node_dir / "task_queue.db"

    @property
    def embedded_broker_path(self) -> Path:
        """The embedded broker's file."""
        return self.data_dir / "broker.db"

    @property
    def embedded_database_path(self) -> Path:
        """The embedded central database's file."""
        return self.data_dir / "central.db"
