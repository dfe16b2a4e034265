"""Opens what operations need for a command's engine: a journal, the central table of tasks, a broker."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from growbin_jobs.cli import target
from growbin_jobs.engine.central.tasks import Tasks
from growbin_jobs.engine.journal.journal import Journal
from growbin_jobs.engine.opening import open_broker
from growbin_jobs.operations.journal_files import check_readable, existing
from growbin_jobs.operations.journal_transfer import Forward


def journal_file(path: Path | None) -> Path:
    """Return the file that ``--path`` names, or else this node's journal.

    Raises:
      NotFound: If there is none.
    """
    return existing(path, default=target.config().journal_path)


def readable_journal_file(path: Path | None) -> Path:
    """Return the file like :func:`journal_file`, once it is known to be a journal that can be read.

    Raises:
      NotFound, JournalDamaged, GrowbinError: As :func:`growbin_jobs.operations.journal_files.check_readable`.
    """
    file = journal_file(path)
    check_readable(file)
    return file


def opening(file: Path, *, node: str | None = None) -> Callable[[], Journal]:
    """Return what opens a journal for writing.

    Parameters:
      node: Name of its node; None: that of the configuration, or for another node's file the name of its folder.
    """
    config = target.config()
    own = file.absolute() == config.journal_path.absolute()
    name = node or (config.node if own else file.absolute().parent.name)
    return lambda: Journal(file, node=name, worker="cli", free_floor=config.journal_free_floor)


def central_tasks() -> Tasks:
    """Return the table of the central database."""
    return Tasks(target.central())


@contextmanager
def forwarding() -> Iterator[Forward]:
    """Open the broker for sending the outbox of a journal, and yield its ``forward``."""
    with closing(open_broker(target.config(), [])) as broker:
        yield broker.forward
