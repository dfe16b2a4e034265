"""Where a node's files lie. Names of folders and files never change: older versions' files are found by them."""

from pathlib import Path


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
