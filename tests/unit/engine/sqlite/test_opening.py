"""Files that SQLite cannot open, in words."""

from pathlib import Path

import pytest

from growbin_jobs.engine.errors import ConfigurationError
from growbin_jobs.engine.file_system import LONGEST_PATH
from growbin_jobs.engine.folder_rights import require_usable
from growbin_jobs.engine.sqlite.opening import open_sqlite


def folder_of(top: Path, bytes_: int) -> Path:
    """Return a folder whose path has so many bytes, in letters of three."""
    folder = top
    while (left := bytes_ - len(bytes(folder)) - 1) > 0:
        piece = min(left, 240)
        folder /= "길" * (piece // 3) + "x" * (piece % 3)
        if piece == left - 1:  # no room for a name behind the next slash
            folder = folder.with_name(folder.name + "x")
            break
    return folder


def test_a_path_that_is_too_long_for_sqlite_is_said_to_be_so(tmp_path):
    longest = folder_of(tmp_path, LONGEST_PATH - len("/a.db")) / "a.db"
    assert len(bytes(longest)) == LONGEST_PATH
    connection = open_sqlite(longest)
    connection.execute("CREATE TABLE t (x)")
    connection.close()

    with pytest.raises(ConfigurationError, match="a path of 505 bytes, and SQLite takes 504 at most"):
        open_sqlite(longest.with_name("aa.db"))

    (tmp_path / "short").symlink_to(longest.parent)
    with pytest.raises(ConfigurationError, match="SQLite takes 504 at most"):
        require_usable(tmp_path / "short", "GROWBIN_DATA_DIR")
