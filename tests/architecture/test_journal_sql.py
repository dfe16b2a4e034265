"""The SQL of the journal lives in ``engine/journal/tables`` (and its schema in ``engine/journal/file``) alone."""

import ast
import re
from pathlib import Path

from tests.architecture import sources
from tests.architecture.sources import text_of, tree_of

#: ``dead_letter`` is not among them: the embedded broker has a table of that name in its own file.
TABLES = (
    "task_wal", "task_count", "change_number", "outbox", "relay_lease", "attempt", "retry_queue", "charged_ledger",
    "sync_log", "sent", "file_cache", "gpt_cache", "rate_limit_log",
)  # fmt: skip
STATEMENT = re.compile(rf"\b(FROM|INTO|UPDATE|JOIN)\s+({'|'.join(TABLES)})\b")

TABLE = re.compile("|".join(TABLES))

MODULES = [path for path in sources.MODULES if "engine/journal/tables/" not in path.as_posix()]


def texts_of(path: Path) -> list[str]:
    if not TABLE.search(text_of(path)):  # most files: nothing in them can be such a statement
        return []
    return [
        node.value for node in ast.walk(tree_of(path)) if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


def test_no_other_module_speaks_the_journal_s_sql():
    found = {path: [text for text in texts_of(path) if STATEMENT.search(text)] for path in MODULES}

    assert {path: texts for path, texts in found.items() if texts} == {}


def test_the_statement_is_recognised():
    tables = sources.SOURCE.glob("engine/journal/tables/*.py")

    assert [path for path in tables if any(map(STATEMENT.search, texts_of(path)))]
