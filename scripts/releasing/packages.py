"""Wheel and sdist of a commit, the same bytes whoever builds them, wherever and whenever."""

import gzip
import hashlib
import io
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from releasing.errors import ReleaseError

#: Modes of files: a umask must not be seen in them.
_PROGRAM, _FILE, _FOLDER = 0o755, 0o644, 0o755

_BUILD = "import sys; from setuptools import build_meta; print(getattr(build_meta, sys.argv[1])(sys.argv[2]))"


def built(project: Path, commit: str, target: Path) -> list[Path]:
    """Build the sdist of a commit, and the wheel from the sdist.

    Parameters:
      project: The repository.
      commit: What to build.
      target: An empty folder for both.

    Returns:
      Their paths.
    """
    seconds = int(_git(project, "log", "-1", "--format=%ct", commit))
    with tempfile.TemporaryDirectory(prefix="growbin-release-") as folder:
        tree = Path(folder) / "tree"
        tree.mkdir()
        archive = subprocess.run(["git", "-C", project, "archive", commit], capture_output=True, check=True).stdout
        _unpack(archive, tree)
        made = Path(folder) / _build("build_sdist", tree, Path(folder), seconds)
        sdist = target / made.name
        sdist.write_bytes(normalised(made.read_bytes(), seconds))
        unpacked = Path(folder) / "unpacked"
        unpacked.mkdir()
        _unpack(gzip.decompress(sdist.read_bytes()), unpacked)
        wheel = target / _build("build_wheel", next(unpacked.iterdir()), target, seconds)
    return [sdist, wheel]


def normalised(sdist: bytes, seconds: int) -> bytes:
    """Return a .tar.gz with the same files, without the traces of who packed it and when.

    Parameters:
      sdist: As setuptools makes it.
      seconds: The time of every file, since 1970.
    """
    packed = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(sdist)) as before,
        gzip.GzipFile(filename="", fileobj=packed, mode="wb", mtime=seconds, compresslevel=9) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as after,
    ):
        for member in sorted(before.getmembers(), key=lambda each: each.name):
            if not (member.isfile() or member.isdir()):
                raise ReleaseError(f"{member.name} in the sdist is neither file nor folder.")
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            member.mtime = seconds
            member.mode = _FOLDER if member.isdir() else _PROGRAM if member.mode & 0o100 else _FILE
            member.pax_headers = {}
            after.addfile(member, before.extractfile(member) if member.isfile() else None)
    return packed.getvalue()


def digest(path: Path) -> str:
    """Return a file's SHA-256 in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def built_twice(project: Path, commit: str, target: Path) -> list[Path]:
    """Build twice, in two folders, and keep one.

    Raises:
      ReleaseError: When the two differ.
    """
    found = built(project, commit, target)
    with tempfile.TemporaryDirectory(prefix="growbin-again-") as folder:
        again = built(project, commit, Path(folder))
        for first, second in zip(found, again, strict=True):
            if digest(first) != digest(second):
                raise ReleaseError(f"Two builds of {first.name} differ. Compare them with diffoscope.")
    return found


def _build(hook: str, tree: Path, target: Path, seconds: int) -> str:
    # A fixed umask and hash seed: neither may be seen in what is made.
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(seconds), "PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        [sys.executable, "-c", _BUILD, hook, target], cwd=tree, env=environment, umask=0o022,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise ReleaseError(f"{hook} failed:\n{done.stderr.strip()[-2000:]}")
    return done.stdout.split()[-1]


def _unpack(archive: bytes, folder: Path) -> None:
    # By the program: Python's own way warns without a filter, and has filters from 3.11.4 on only.
    subprocess.run(["tar", "-xp", "--no-same-owner", "-C", folder], input=archive, check=True)


def _git(project: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", project, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ReleaseError(done.stderr.strip())
    return done.stdout.strip()
