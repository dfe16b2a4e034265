"""A monitor as people start it: a process of its own, which answers by HTTP."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def served(database_url: str, folder: Path) -> Iterator[tuple[str, int]]:
    """Start ``growbin-jobs monitor`` on a database; yield its address and its process id, and end it."""
    settings = {
        "DATABASE_URL": database_url,
        "GROWBIN_DATA_DIR": str(folder / "node"),
        "GROWBIN_LANGUAGE": "en",
    }
    known = {name: value for name, value in os.environ.items() if not name.startswith("GROWBIN_")}
    process = subprocess.Popen(
        [sys.executable, "-c", "from growbin_jobs.cli import main; main()", "monitor", "--insecure", "--port", "0"],
        env=known | settings, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        said = []
        for line in process.stderr:
            said.append(line)
            if found := re.search(r"Monitor: (http\S+?)/?  ", line):
                break
        else:
            raise SystemExit(f"The monitor did not start:\n{''.join(said)}")
        yield found[1], process.pid
    finally:
        process.terminate()
        process.communicate(timeout=20)
