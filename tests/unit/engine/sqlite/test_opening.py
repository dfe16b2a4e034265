"""Files that SQLite cannot open, in words."""

import os
import subprocess
import sys
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


OPENED = """
import os, sys
from pathlib import Path
from growbin_jobs.engine.sqlite.opening import open_sqlite
open_sqlite(Path(sys.argv[1]) / "a.db").execute("CREATE TABLE t (x)")
sys.stdout.write(sys.getfilesystemencoding())
"""


def test_a_korean_folder_is_the_same_one_whatever_the_locale(tmp_path):
    folder = tmp_path / "한글 폴더"
    folder.mkdir()
    environment = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}

    done = subprocess.run([sys.executable, "-c", OPENED, folder], env=environment, capture_output=True, text=True)

    assert (done.returncode, done.stdout) == (0, "ascii"), done.stderr
    assert open_sqlite(folder / "a.db").execute("SELECT count(*) FROM t").fetchall() == [(0,)]


def test_a_folder_in_another_encoding_than_utf_8_is_refused_with_its_cause(tmp_path):
    folder = tmp_path / os.fsdecode("한글".encode("euc-kr"))

    for refused in (lambda: open_sqlite(folder / "a.db"), lambda: require_usable(folder, "GROWBIN_DATA_DIR")):
        with pytest.raises(ConfigurationError, match="another encoding than UTF-8"):
            refused()
