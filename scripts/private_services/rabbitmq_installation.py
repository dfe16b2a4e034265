"""Where a generation of RabbitMQ lies on this machine: the system's own, or one of a newer Debian beside it."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from private_services.errors import ServicesError
from private_services.newer_debian import is_there, provide

#: Names the generation when no option does, so that everything which starts private servers takes the same.
CHOICE = "GROWBIN_TEST_RABBITMQ"

SYSTEM = Path("/")
BESIDE = Path(__file__).resolve().parents[2] / ".programs" / "rabbitmq-4"

RELEASE = "trixie"  # Debian 13
ERLANG = (
    "asn1", "base", "crypto", "eldap", "inets", "mnesia", "os-mon", "parsetools", "public-key", "runtime-tools", "ssl",
    "syntax-tools", "tools", "xmerl",
)  # fmt: skip
LIBRARIES = (
    "libc6", "libcap2", "libgcc-s1", "libssl3t64", "libstdc++6", "libsystemd0", "libtinfo6", "libzstd1", "zlib1g",
)  # fmt: skip
PACKAGES = ("rabbitmq-server", *(f"erlang-{part}" for part in ERLANG), *LIBRARIES)


@dataclass(frozen=True)
class Installation:
    """One installation.

    Attributes:
      generation: First number of its version.
      binaries: Folder of ``rabbitmq-server`` and ``rabbitmqctl``. The package's own commands in /usr/sbin change to the
        user rabbitmq and read /etc/rabbitmq; these do not.
      path: ``PATH`` on which its Erlang is found.
    """

    generation: int
    binaries: Path
    path: str

    @property
    def epmd(self) -> str:
        """Erlang's port mapper."""
        return shutil.which("epmd", path=self.path) or "epmd"


def chosen() -> int | None:
    """Return the generation that the environment names; None: whichever the system has.

    Raises:
      ServicesError: If it is no number that is to be had.
    """
    name = os.environ.get(CHOICE, "")
    if name in ("", "3", "4"):
        return int(name) if name else None
    raise ServicesError(f"{CHOICE} is {name!r}; there are 3 and 4.")


def installed(generation: int | None) -> Installation | None:
    """Return an installation of a generation (None: the system's), or None when there is none."""
    system = _at(SYSTEM)
    if system and generation in (None, system.generation):
        return system
    return _at(BESIDE) if generation == 4 and is_there(BESIDE, PACKAGES) else None


def install_beside() -> None:
    """Bring RabbitMQ 4 and its Erlang into the project's folder: about 45 MB, and 15 seconds.

    Raises:
      ServicesError: If they cannot be had.
    """
    try:
        provide(BESIDE, RELEASE, PACKAGES)
    except ServicesError as error:
        raise ServicesError(f"RabbitMQ 4 of Debian {RELEASE} cannot be had. {error}") from None


def _at(root: Path) -> Installation | None:
    binaries = root / "usr/lib/rabbitmq/bin"
    path = f"{root / 'usr/lib/erlang/bin'}:{os.environ['PATH']}"
    versions = [found.name.removeprefix("rabbitmq_server-") for found in binaries.parent.glob("lib/rabbitmq_server-*")]
    programs = shutil.which("erl", path=path) and shutil.which("epmd", path=path)
    if not versions or not programs or not (binaries / "rabbitmq-server").exists():
        return None
    return Installation(int(versions[0].split(".")[0]), binaries, path)
