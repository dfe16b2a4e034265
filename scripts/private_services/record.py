"""What is known about one server: on disk before it can be lost, so that ``down`` finds all of it after any crash."""

import contextlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from private_services.process import Process, spawn

FILE = "server.json"


@dataclass
class Record:
    """One server's folder and what lives there.

    Attributes:
      folder: Everything of this server, except the scraps.
      processes: In the order of their start.
      scraps: Paths outside the folder that go with it.
      facts: Addresses, ports and passwords: what the server's own file needs and ``env`` prints.
      ready: True once it has answered.
    """

    folder: Path
    processes: list[Process] = field(default_factory=list)
    scraps: list[Path] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    ready: bool = False

    @classmethod
    def load(cls, folder: Path) -> "Record | None":
        """Read the record of a folder; None when there is none, or half a one from a crash."""
        try:
            stored = json.loads((folder / FILE).read_text())
        except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError):
            return None
        return cls(
            folder=folder,
            processes=[Process(**process) for process in stored["processes"]],
            scraps=[Path(scrap) for scrap in stored["scraps"]],
            facts=stored["facts"],
            ready=stored["ready"],
        )

    def save(self) -> None:
        """Write it in one step: a reader sees the old one or the new one."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        content = {
            "processes": [vars(process) for process in self.processes],
            "scraps": [str(scrap) for scrap in self.scraps],
            "facts": self.facts,
            "ready": self.ready,
        }
        new = self.folder / f"{FILE}.new"
        new.touch(mode=0o600)
        new.write_text(json.dumps(content, indent=2))
        new.replace(self.folder / FILE)

    def spawn(
        self, command: Sequence[str | Path], *, env: Mapping[str, str], cwd: Path | None = None, user: str | None = None
    ) -> Process:
        """Start a process that belongs to this server, and remember it."""
        process = spawn(command, env=env, cwd=cwd or self.folder, log=self.log, user=user)
        self.processes.append(process)
        self.save()
        return process

    def keep(self, scrap: Path) -> None:
        """Remember a path outside the folder before it comes to be."""
        self.scraps.append(scrap)
        self.save()

    @property
    def log(self) -> Path:
        """What the processes print."""
        return self.folder / "output.log"

    def alive(self) -> bool:
        """Return True when every process runs."""
        return bool(self.processes) and all(process.alive() for process in self.processes)

    def remove(self) -> None:
        """Delete the server's files, all of them throw-away."""
        for scrap in self.scraps:
            if scrap.is_dir() and not scrap.is_symlink():
                shutil.rmtree(scrap, ignore_errors=True)
            else:
                with contextlib.suppress(OSError):
                    scrap.unlink()
        shutil.rmtree(self.folder, ignore_errors=True)
