"""A new SQLite database with the current schema: a copy of one that the migrations have made.

All migrations take fifty milliseconds, and a copy five. Tests of the upgrade itself take the product's.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from contextlib import closing
from functools import cache
from pathlib import Path

import apsw
import peewee
from tests.forked_process import OWN_FOLDER

from growbin_jobs.engine.central import upgrade as product
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.engine.central.upgrade import Schema


def upgrade(database: Database, schema: Schema) -> None:
    """Do what the product's function does; it finds nothing to do in a copy."""
    if database.dialect == "sqlite":
        database.run(lambda connection: _copy(_made(schema), connection))
    product.upgrade(database, schema)


def place(path: Path, schema: Schema) -> None:
    """Put such a database where there is none yet, for what opens it by itself."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(_made(schema), path)


def _copy(source: Path, connection: peewee.Database) -> None:
    target: apsw.Connection = connection.connection()
    if target.execute("SELECT count(*) FROM sqlite_master").get or not target.get_autocommit():
        return
    made = apsw.Connection(str(source), flags=apsw.SQLITE_OPEN_READONLY)
    with closing(made), target.backup("main", made, "main") as backup:
        backup.step()


@cache
def _made(schema: Schema) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="growbin-upgraded-", dir=os.environ.get(OWN_FOLDER)))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with closing(open_database(None, default_path=folder / "made.db", pool_size=1, timeout=60)) as database:
        product.upgrade(database, schema)
    with closing(apsw.Connection(str(folder / "made.db"))) as made:
        made.execute("PRAGMA journal_mode = DELETE")
    return folder / "made.db"
