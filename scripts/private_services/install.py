"""Debian's packages, installed without starting the servers that come with them."""

import contextlib
import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from private_services.errors import ServicesError
from private_services.lifecycle import Server

POLICY = Path("/usr/sbin/policy-rc.d")


def require(servers: Sequence[Server]) -> None:
    """Make sure that every server can be started; install what apt-get has when we are root.

    Raises:
      ServicesError: With one sentence for everything that is missing and what to do about it.
    """
    packages = sorted({package for server in servers if server.missing() for package in server.packages})
    if packages and os.geteuid() == 0 and shutil.which("apt-get"):
        install(packages)
        packages = []
    missing = [sentence for server in servers if (sentence := server.missing())]
    if missing:
        remedy = [f"Install as root: apt-get install {' '.join(packages)}"] if packages else []
        raise ServicesError("\n".join([*missing, *remedy]))


def install(packages: list[str]) -> None:
    """Install Debian's packages, as root.

    Raises:
      ServicesError: With the words of apt-get.
    """
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    wait = ["-q", "-o", "DPkg::Lock::Timeout=600"]
    with _no_autostart():
        for step in (["update"], ["install", "--yes", "--no-install-recommends", *packages]):
            done = subprocess.run(
                ["apt-get", *wait, *step],
                env=env,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode != 0:
                words = done.stderr.strip()[-2000:]
                raise ServicesError(f"apt-get could not install {' '.join(packages)} ({step[0]} failed):\n{words}")


@contextlib.contextmanager
def _no_autostart() -> Iterator[None]:
    """Forbid the packages to start their own servers on the standard ports (invoke-rc.d asks this file; 101 = no)."""
    with (Path(tempfile.gettempdir()) / "growbin-services-install.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if POLICY.exists():  # a container's own: it says the same
            yield
            return
        POLICY.write_text("#!/bin/sh\nexit 101\n")
        POLICY.chmod(0o755)
        try:
            yield
        finally:
            POLICY.unlink(missing_ok=True)
