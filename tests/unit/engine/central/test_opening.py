"""Which database a URL names, and what people see of it."""

import subprocess
import sys
from pathlib import Path

import pytest

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.engine.errors import ConfigurationError

PASSWORD = "s3cr3t"


def opened(url: str | None, default_path: Path = Path("/data/central.db")) -> Database:
    return open_database(url, default_path=default_path, pool_size=2, timeout=5)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        (None, "sqlite:///data/central.db"),
        ("sqlite:///var/x.db", "sqlite:///var/x.db"),
        ("sqlite:////var/x.db", "sqlite:///var/x.db"),
        ("sqlite:///var/a%20b.db", "sqlite:///var/a b.db"),
        (f"postgresql://u:{PASSWORD}@h:6000/n", "postgresql://h:6000/n"),
        (f"postgres://u:{PASSWORD}@h/n?sslmode=require", "postgresql://h:5432/n"),
        (f"postgresql://u:{PASSWORD}%40%2F@h1:5432,h2:5433/n", "postgresql://h1:5432,h2:5433/n"),
        (f"postgresql://u:{PASSWORD}@h1,h2:5433/n?target_session_attrs=read-write", "postgresql://h1:5432,h2:5433/n"),
        (f"postgresql://u:{PASSWORD}@h1,h2/n", "postgresql://h1:5432,h2:5432/n"),
        (f"postgresql://u:{PASSWORD}@[::1],h2/n?port=6000", "postgresql://[::1]:6000,h2:6000/n"),
    ],
)
def test_the_address_shows_no_login(url: str | None, address: str) -> None:
    database = opened(url)
    assert database.address == address
    assert repr(database) == f"<Database {address}>"
    assert database.dialect == address.partition(":")[0]


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://u:{PASSWORD}@x@h:5432/n",
        f"postgresql://u:{PASSWORD}/x@h:5432/n",
        f"postgresql://u:{PASSWORD}%zz@h/n",
        f"postgresql://u:12/{PASSWORD}@h/n",
        f"postgresql://u:/{PASSWORD}@h/n",
        f"postgresql://u@h:{PASSWORD}/n",
        f"mysql://u:{PASSWORD}@h/n",
        f"sqlite://u:{PASSWORD}@h/n",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:?x=1",
    ],
)
def test_a_url_that_cannot_be_read_is_refused_without_quoting_it(url: str) -> None:
    with pytest.raises(ConfigurationError, match="DATABASE_URL") as caught:
        opened(url)
    assert PASSWORD not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_opening_connects_to_nothing_and_makes_no_file(tmp_path: Path) -> None:
    opened(None, tmp_path / "folder" / "central.db")
    opened(f"postgresql://u:{PASSWORD}@127.0.0.1:1/n")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_driver_is_named_with_its_remedy() -> None:
    script = """
import sys
sys.modules["psycopg2"] = None
from pathlib import Path
from growbin_jobs.engine.central.opening import open_database
open_database(None, default_path=Path("/x"), pool_size=1, timeout=1)
open_database("postgresql://u:s3cr3t@h/n", default_path=Path("/x"), pool_size=1, timeout=1)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "ConfigurationError" in done.stderr
    assert "pip install growbin-jobs[postgres]" in done.stderr
    assert PASSWORD not in done.stderr.replace('open_database("postgresql://u:s3cr3t@h/n"', "")
