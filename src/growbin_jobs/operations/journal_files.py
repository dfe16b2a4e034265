"""Operations on a journal's file: open it for reading, verify it, checkpoint it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import apsw

from growbin_jobs.engine.journal.file import opening as files
from growbin_jobs.engine.journal.file.quarantine import quarantined
from growbin_jobs.engine.journal.file.schema import is_journal
from growbin_jobs.engine.journal.tables import reader
from growbin_jobs.engine.sqlite.errors import DAMAGED, explain
from growbin_jobs.errors import GrowbinError, NotFound

#: What every SQLite database begins with.
MAGIC = b"SQLite format 3\0"


class JournalDamaged(GrowbinError):
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


@dataclass(frozen=True, slots=True)
class Verification:
    """What reading a whole journal has found.

    Attributes:
      problems: What is damaged; empty where all is well.
      quarantined: Names of damaged files that were put aside before.
    """

    path: Path
    problems: list[str]
    quarantined: list[str]


@dataclass(frozen=True, slots=True)
class Checkpointed:
    """A checkpoint: pages of the write-ahead log, and how many of them are in the database file now."""

    pages: int
    copied: int


def existing(path: Path | None, *, default: Path) -> Path:
    """Return the file that was named, or else the default.

    Raises:
      NotFound: If there is none.
    """
    file = path or default
    try:
        if file.is_file():
            return file
    except OSError as error:
        raise NotFound(f"{file} cannot be reached: {error.strerror}. Run this as the user who owns it.") from None
    if path is None:
        raise NotFound(
            f"There is no journal {file}. It is made when a worker starts; `--path` names another one, `--engine` the "
            "module of an engine of your own."
        )
    inside = file / default.name
    hint = f"Did you mean {inside}?" if inside.is_file() else "`--path` names the journal's file itself."
    raise NotFound(f"There is no file {file}. {hint}")


def check_readable(file: Path) -> None:
    """Make sure that a file is a journal that can be read.

    Raises:
      NotFound: If it is something else.
      JournalDamaged: If it is damaged.
      GrowbinError: If it cannot be read for another reason.
    """
    with reading(file):
        pass


@contextmanager
def reading(file: Path) -> Iterator[apsw.Connection]:
    """Open a journal for reading.

    Raises:
      NotFound, JournalDamaged, GrowbinError: As :func:`check_readable`.
    """
    with our_errors(file), closing(reader.open_reader(file)) as connection:
        if not is_journal(connection):
            raise NotFound(f"{file} is no journal: it has none of its tables.")
        yield connection


@contextmanager
def our_errors(file: Path) -> Iterator[None]:
    """Turn SQLite's errors about a file into ours.

    Raises:
      NotFound: It is no journal.
      JournalDamaged: It is damaged.
      GrowbinError: It cannot be used for now.
    """
    try:
        yield
    except DAMAGED as error:
        if not _is_database(file):
            raise NotFound(f"{file} is no journal: it is no SQLite database.") from None
        raise JournalDamaged(file, str(error)) from None
    except apsw.Error as error:
        raise GrowbinError(f"The journal {file} cannot be used: {explain(error, file)}.") from None


def verify(file: Path) -> Verification:
    """Read a whole journal and return what is damaged.

    Raises:
      NotFound, GrowbinError: As :func:`check_readable`.
    """
    try:
        with reading(file) as connection:
            problems = files.verify(connection)
    except JournalDamaged as damage:
        problems = [damage.found]
    return Verification(file, problems, list(quarantined(file)))


def checkpoint(file: Path, *, truncate: bool = False) -> Checkpointed:
    """Copy a journal's write-ahead log into its database file.

    Parameters:
      truncate: Also empty the log, as far as nobody reads the journal now.

    Raises:
      NotFound, JournalDamaged, GrowbinError: As :func:`check_readable`.
    """
    check_readable(file)
    with our_errors(file):
        return Checkpointed(*files.checkpoint(file, truncate=truncate))


def _is_database(file: Path) -> bool:
    with file.open("rb") as opened:
        return opened.read(len(MAGIC)) == MAGIC
