"""The file that a command is about: that it is a journal is known before anything is opened for writing."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import apsw

from growbin_jobs.cli import target
from growbin_jobs.engine.journal.file.quarantine import DAMAGED
from growbin_jobs.engine.journal.file.schema import is_journal
from growbin_jobs.engine.journal.tables import reader
from growbin_jobs.errors import GrowbinError, NotFound

#: What every SQLite database begins with.
MAGIC = b"SQLite format 3\0"


class Damaged(GrowbinError):
    """A journal cannot be read to the end.

    Attributes:
      found: What SQLite says.
    """

    def __init__(self, file: Path, found: str) -> None:
        super().__init__(
            f"The journal {file} is damaged ({found}). A worker of its node puts it aside, takes over what can be read "
            "of its messages, and goes on with a new one; where the node is gone, `growbin-jobs journal drain` does."
        )
        self.found = found


def existing(path: Path | None) -> Path:
    """Return the file that was named, or else that of this node.

    Raises:
      NotFound: If there is none.
    """
    file = path or target.config().journal_path
    if file.is_file():
        return file
    if path is None:
        raise NotFound(f"There is no journal {file}. It is made when a worker starts; `--path` names another one.")
    inside = file / "task_queue.db"
    hint = f"Did you mean {inside}?" if inside.is_file() else "`--path` names the journal's file itself."
    raise NotFound(f"There is no file {file}. {hint}")


def sound(path: Path | None) -> Path:
    """Return the file like :func:`existing`, once it is known to be a journal that can be read.

    Raises:
      NotFound: If there is none, or it is something else.
      Damaged: If it is.
      GrowbinError: If it cannot be read for another reason.
    """
    file = existing(path)
    with reading(file):
        return file


@contextmanager
def reading(file: Path) -> Iterator[apsw.Connection]:
    """Open a journal for reading.

    Raises:
      NotFound, Damaged, GrowbinError: As :func:`sound`.
    """
    with in_words(file), closing(reader.open_reader(file)) as connection:
        if not is_journal(connection):
            raise NotFound(f"{file} is no journal: it has none of its tables.")
        yield connection


@contextmanager
def in_words(file: Path) -> Iterator[None]:
    """Say in a sentence what is wrong with a file.

    Raises:
      NotFound: It is no journal.
      Damaged: It is.
      GrowbinError: It cannot be used for now.
    """
    try:
        yield
    except DAMAGED as error:
        if not is_database(file):
            raise NotFound(f"{file} is no journal: it is no SQLite database.") from None
        raise Damaged(file, str(error)) from None
    except apsw.Error as error:
        raise GrowbinError(f"The journal {file} cannot be used ({type(error).__name__}: {error}).") from None


def is_database(file: Path) -> bool:
    """Does it begin like a SQLite database?"""
    with file.open("rb") as opened:
        return opened.read(len(MAGIC)) == MAGIC
