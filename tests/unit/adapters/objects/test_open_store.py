"""Which store a URL means, and what that costs a process that only sends messages."""

import subprocess
import sys
from pathlib import Path

import pytest

from growbin_jobs.adapters.objects import open_store
from growbin_jobs.errors import ConfigurationError


def test_nothing_set_is_a_folder_below_the_data_folder(tmp_path: Path) -> None:
    store = open_store(None, data_dir=tmp_path)
    assert store.put("a", b"x", content_type="image/jpeg") == "s3://growbin/a"
    assert (tmp_path / "objects" / "growbin" / "a").exists()


def test_a_file_url_is_that_folder(tmp_path: Path) -> None:
    store = open_store(f"file://{tmp_path}/our%20pictures", data_dir=Path("/nowhere"))
    store.put("a", b"x", content_type="image/jpeg")
    assert (tmp_path / "our pictures" / "growbin" / "a").exists()


def test_an_s3_url_is_that_bucket(tmp_path: Path) -> None:
    assert open_store("s3://pictures.example", data_dir=tmp_path).address("a") == "s3://pictures.example/a"
    assert open_store("s3://pictures/", data_dir=tmp_path).bucket == "pictures"


@pytest.mark.parametrize(
    "url",
    ["", "pictures", "/var/pictures", "s3:pictures", "s3://", "s3://Pictures", "s3://a", "s3://pictures/below",
     "s3://pictures?x=1", "s3://user@pictures", "file://host/path", "file:relative", "gs://pictures", "https://s3.example"],
)  # fmt: skip
def test_anything_else_is_refused_at_start(url: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="GROWBIN_OBJECT_STORE_URL"):
        open_store(url, data_dir=tmp_path)


@pytest.mark.parametrize(
    "endpoint", ["localhost:9000", "ftp://host", "http://", "http://host/path?key=value", "http://[bad"]
)
def test_an_endpoint_must_be_an_http_address(endpoint: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="GROWBIN_S3_ENDPOINT_URL"):
        open_store("s3://pictures", data_dir=tmp_path, endpoint_url=endpoint)


def test_opening_any_store_loads_no_boto3(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from growbin_jobs.adapters.objects import open_store\n"
        "open_store(None, data_dir=Path('/nowhere')); open_store('s3://pictures', data_dir=Path('/nowhere'))\n"
        "heavy = {'boto3', 'botocore', 'urllib3', 'gevent', 'PIL', 'openai', 'dramatiq', 'peewee'} & set(sys.modules)\n"
        "sys.exit(f'loaded: {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
