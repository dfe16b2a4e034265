"""A private PostgreSQL, from Debian's package. Its data are thrown away, so it never waits for a disk."""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from private_services import certificates
from private_services.errors import ServicesError
from private_services.ports import LOOPBACK, free_ports
from private_services.record import Record

DEBIAN = Path("/usr/lib/postgresql")
USER = "growbin"
DATABASE = "growbin"

OPTIONS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "32MB",
    "max_wal_size": "256MB",
    "jit": "off",
    "timezone": "UTC",
}

#: Nothing reaches the disk in time for a power cut. A killed server still keeps what it has committed: that was handed
#: to the kernel, since synchronous_commit stays on. In the file that ALTER SYSTEM writes, for who measures a real disk.
UNSAFE = {"fsync": "off", "full_page_writes": "off"}


class PostgreSQL:
    name = "postgres"
    packages: tuple[str, ...] = ("postgresql", "openssl")
    # Immediate shutdown: ends its children and their shared memory, writes no checkpoint.
    stop_signal: int = signal.SIGQUIT

    def missing(self) -> str | None:
        return None if _binaries() else "PostgreSQL (postgresql) is not installed."

    def start(self, record: Record) -> None:
        binaries = _binaries()
        if binaries is None:
            raise ServicesError("PostgreSQL (postgresql) is not installed.")
        [port] = free_ports(1)
        password = secrets.token_urlsafe(18)
        user = _user()
        data = self._data_folder(record, user)
        certificate = _certificate(data.with_name("tls"), user)
        record.facts = {
            "url": f"postgresql://{USER}:{password}@{LOOPBACK}:{port}/{DATABASE}",
            "tls_url": f"postgresql://{USER}:{password}@localhost:{port}/{DATABASE}?sslmode=verify-full",
            "authority": str(record.folder / "ca.pem"),
            "port": port,
            "user": USER,
            "password": password,
            "psql": str(binaries / "psql"),
            "data": str(data),
        }
        env = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": str(data.parent)}
        _initialise(binaries, data, password, user, env)
        shutil.copy(certificate.authority, record.facts["authority"])  # the folder of the data is shut
        # TLS is ready and off (ALTER SYSTEM SET ssl = on): clients take it where it is offered, few tests are about it.
        own = {"port": str(port), "ssl_cert_file": str(certificate.certificate), "ssl_key_file": str(certificate.key)}
        options = [part for name, value in {**OPTIONS, **own}.items() for part in ("-c", f"{name}={value}")]
        record.spawn([binaries / "postgres", "-D", data, *options], env=env, cwd=data.parent, user=user)

    def differs(self, _record: Record) -> str | None:
        return None

    def answers(self, record: Record) -> bool:
        if not _says_ready(Path(record.facts["data"])):
            return False
        created = _psql(record, "postgres", f"SELECT 1 FROM pg_database WHERE datname = '{DATABASE}'")
        if created is None:
            return False
        return bool(created) or _psql(record, "postgres", f"CREATE DATABASE {DATABASE}") is not None

    def variables(self, record: Record) -> dict[str, str]:
        return {"DATABASE_URL": record.facts["url"]}

    def _data_folder(self, record: Record, user: str | None) -> Path:
        """Where the data go: with the rest, or for root where its user can reach them (/root is closed)."""
        if user is None:
            home = record.folder / "cluster"
            home.mkdir(mode=0o700)
        else:
            home = Path(tempfile.gettempdir()) / f"growbin-postgres-{secrets.token_hex(8)}"
            record.keep(home)
            home.mkdir(mode=0o700)
            shutil.chown(home, user, user)
        return home / "data"


def _binaries() -> Path | None:
    """The folder with initdb and postgres, of the newest version that is installed."""
    versions = [path for path in DEBIAN.glob("*/bin") if (path / "initdb").exists() and (path / "postgres").exists()]
    if versions:
        return max(versions, key=lambda path: float(path.parent.name))
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None


def _user() -> str | None:
    """The user it runs as: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        raise ServicesError(
            "PostgreSQL refuses to run as root, and there is no user postgres. Run as another user."
        ) from None


def _certificate(folder: Path, user: str | None) -> certificates.Certificate:
    made = certificates.make(folder)
    if user:  # it refuses a key that is another user's
        for path in (folder, *folder.iterdir()):
            shutil.chown(path, user, user)
    return made


def _initialise(binaries: Path, data: Path, password: str, user: str | None, env: dict[str, str]) -> None:
    secret = data.with_name("password")
    secret.touch(mode=0o600)
    secret.write_text(f"{password}\n")
    if user:
        shutil.chown(secret, user, user)
    done = subprocess.run(
        [
            binaries / "initdb", "--pgdata", data, "--username", USER, "--pwfile", secret,
            "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions",
        ],
        env=env, cwd=data.parent, user=user, group=user, extra_groups=None if user is None else [],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    secret.unlink()
    if done.returncode != 0:
        raise ServicesError(f"PostgreSQL's initdb failed:\n{done.stderr.strip()}")
    with (data / "postgresql.auto.conf").open("a") as changed:
        changed.writelines(f"{name} = {value}\n" for name, value in UNSAFE.items())


def _says_ready(data: Path) -> bool:
    """Read the state that the server keeps in its own folder: cheaper than connecting while it starts."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except OSError:
        return False
    return len(lines) >= 8 and lines[7].strip() == "ready"


def _psql(record: Record, database: str, statement: str) -> str | None:
    """Run a statement; None when it fails."""
    facts = record.facts
    done = subprocess.run(
        [
            facts["psql"], "-X", "-A", "-t", "-q", "-h", LOOPBACK, "-p", str(facts["port"]),
            "-U", facts["user"], "-d", database, "-c", statement,
        ],
        env={"PGPASSWORD": facts["password"], "PATH": os.environ["PATH"], "PGCONNECT_TIMEOUT": "5"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout.strip() if done.returncode == 0 else None
