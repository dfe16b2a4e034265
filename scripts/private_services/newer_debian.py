"""Programs of a newer Debian release in a folder of ours, beside those of the system, which stay as they are.

``apt-get`` fetches the packages from the mirror that the system uses and checks their signatures, with lists and a
cache of its own; so this needs no root. A program finds the C library that came with it, not the system's.
"""

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from private_services.errors import ServicesError

#: Below the folder, when all of it is there: its path, which is in the programs, and the packages.
READY = "ready"

APT = """\
Dir::State "{folder}/apt";
Dir::State::status "{folder}/apt/status";
Dir::Cache "{folder}/apt/cache";
Dir::Etc::sourcelist "{folder}/apt/sources.list";
Dir::Etc::sourceparts "/dev/null";
Acquire::Languages "none";
"""

PROGRAM = """\
#!/bin/sh
exec "{loader}" --library-path "{libraries}" --argv0 "$0" "{program}" "$@"
"""


def provide(folder: Path, release: str, packages: Sequence[str]) -> None:
    """Unpack packages, and the libraries that they need, into a folder, unless they are there.

    Parameters:
      folder: Where ``usr/…`` of the packages comes to lie. It must stay at this path.
      release: Debian's code name, for instance ``trixie``.
      packages: All of them: no dependency is added.

    Raises:
      ServicesError: With what is missing, or the words of apt-get.
    """
    if is_there(folder, packages):
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if is_there(folder, packages):  # another run has done it meanwhile
            return
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        with tempfile.TemporaryDirectory(prefix="growbin-packages-") as fetched:
            _fetch(Path(fetched), release, packages)
            for package in sorted(Path(fetched).glob("*.deb")):
                _run(["dpkg-deb", "--extract", package, folder])
        _settle(folder)
        (folder / READY).write_text(_mark(folder, packages))


def is_there(folder: Path, packages: Sequence[str]) -> bool:
    """Return whether a folder has these packages, and was not moved since."""
    try:
        return (folder / READY).read_text() == _mark(folder, packages)
    except OSError:
        return False


def _mark(folder: Path, packages: Sequence[str]) -> str:
    return "\n".join([str(folder), *packages]) + "\n"


def _fetch(folder: Path, release: str, packages: Sequence[str]) -> None:
    mirror, architecture = _mirror()
    for made in ("apt/lists/partial", "apt/cache/archives/partial"):
        (folder / made).mkdir(parents=True)
    (folder / "apt/status").touch()
    keys = "/usr/share/keyrings/debian-archive-keyring.gpg"
    (folder / "apt/sources.list").write_text(f"deb [signed-by={keys} arch={architecture}] {mirror} {release} main\n")
    (folder / "apt/apt.conf").write_text(APT.format(folder=folder))
    folder.chmod(0o755)  # apt-get reads and fetches as a user of its own when we are root
    env = {**os.environ, "APT_CONFIG": str(folder / "apt/apt.conf"), "LC_ALL": "C.UTF-8"}
    _run(["apt-get", "-q", "update"], env=env)
    _run(["apt-get", "-q", "download", *packages], env=env, cwd=folder)


def _mirror() -> tuple[str, str]:
    """Return address and architecture of the Debian mirror that the system uses."""
    targets = _run(
        ["apt-get", "indextargets", "--format", "$(ORIGIN) $(REPO_URI) $(ARCHITECTURE)", "Created-By: Packages"]
    )
    for line in targets.splitlines():
        origin, address, architecture = line.split(" ")
        if origin == "Debian" and "security" not in address:
            return address, architecture
    raise ServicesError("apt-get knows no mirror of Debian here, so no newer release can be had.")


def _settle(folder: Path) -> None:
    """Let the programs run where they are: with their own libraries, and without a path of the system inside."""
    [loader] = list((folder / "usr/lib64").glob("ld-linux*")) or list((folder / "usr/lib").glob("ld-linux*"))
    libraries = ":".join(str(path) for path in sorted((folder / "usr/lib").glob("*-linux-gnu*")))
    for path in [*folder.glob("usr/lib/**/bin/*"), *folder.glob("usr/bin/*")]:
        if path.is_symlink() or not path.is_file():
            continue
        content = path.read_bytes()
        if content.startswith(b"\x7fELF"):
            program = path.with_name(f"{path.name}.elf")
            path.rename(program)
            path.write_text(PROGRAM.format(loader=loader, libraries=libraries, program=program))
            path.chmod(0o755)
        elif content.startswith(b"#!"):
            path.write_bytes(re.sub(rb"(?<==)/usr/lib/erlang\b", f"{folder}/usr/lib/erlang".encode(), content))


def _run(command: Sequence[str | Path], *, env: dict[str, str] | None = None, cwd: Path | None = None) -> str:
    try:
        done = subprocess.run(
            command, env=env, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise ServicesError(f"{command[0]} is not installed: only Debian and what is made of it has it.") from None
    if done.returncode != 0:
        raise ServicesError(f"{' '.join(map(str, command[:3]))} failed:\n{done.stderr.strip()[-2000:]}")
    return done.stdout
