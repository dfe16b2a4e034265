"""A certificate of a private server, and the authority that signed it: for TLS connections to ``localhost``."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from private_services.errors import ServicesError

DAYS = "2"
CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc")


@dataclass(frozen=True)
class Certificate:
    """Files in PEM.

    Attributes:
      authority: What clients must trust.
      certificate, key: The server's own.
    """

    authority: Path
    certificate: Path
    key: Path


def make(folder: Path) -> Certificate:
    """Make an authority, and a certificate for ``localhost`` only: the same server at 127.0.0.1 has the wrong name.

    Raises:
      ServicesError: With the words of openssl.
    """
    folder.mkdir(mode=0o700)
    made = Certificate(folder / "ca.pem", folder / "server.pem", folder / "server.key")
    own = folder / "ca.key"
    _openssl("-keyout", own, "-out", made.authority, "-subj", "/CN=growbin private authority")
    _openssl(
        "-keyout", made.key, "-out", made.certificate, "-subj", "/CN=localhost", "-CA", made.authority, "-CAkey", own,
        "-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=CA:FALSE",
    )  # fmt: skip
    own.unlink()
    return made


def _openssl(*arguments: str | Path) -> None:
    command = ["openssl", "req", "-x509", *CURVE, "-days", DAYS, *arguments]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ServicesError(f"openssl could not make a certificate:\n{done.stderr.strip()}")
