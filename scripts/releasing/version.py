"""Version numbers, and the texts that hold one."""

import re
from datetime import date
from pathlib import Path

from releasing.errors import ReleaseError

_FORM = re.compile(r"(\d+)\.(\d+)\.(\d+)(?:rc(\d+))?")
_VARIABLE = re.compile(r'^__version__ = "([^"]*)"$', re.MULTILINE)
_EMPTY = "## [Unreleased]\n"


def parts(version: str) -> tuple[int, int, int, float]:
    """Return a version's numbers, so that they can be compared.

    Raises:
      ReleaseError: When it is none.
    """
    found = _FORM.fullmatch(version)
    if not found:
        raise ReleaseError(f"{version!r} is no version: write 1.2.3 or 1.2.3rc1.")
    major, minor, patch, candidate = found.groups()
    return int(major), int(minor), int(patch), float(candidate) if candidate else float("inf")


def check_newer(version: str, tags: list[str]) -> None:
    """Refuse a version that is not newer than every tag.

    Raises:
      ReleaseError: With the newest tag.
    """
    wanted = parts(version)
    known = [tag.removeprefix("v") for tag in tags if _FORM.fullmatch(tag.removeprefix("v"))]
    newest = max(known, key=parts, default=None)
    if newest is not None and parts(newest) >= wanted:
        raise ReleaseError(f"{version} is not newer than {newest}, which is released.")


def current(source: Path) -> str:
    """Return the version that ``growbin_jobs/__init__.py`` says."""
    found = _VARIABLE.search(source.read_text())
    if not found:
        raise ReleaseError(f"{source} has no line __version__ = …")
    return found[1]


def set_version(source: Path, version: str) -> None:
    """Write the version into ``growbin_jobs/__init__.py``."""
    current(source)
    source.write_text(_VARIABLE.sub(f'__version__ = "{version}"', source.read_text()))


def dated(changelog: str, version: str, day: date) -> str:
    """Return the changelog with what was unreleased under the version.

    Raises:
      ReleaseError: When nothing is unreleased.
    """
    head, found, rest = changelog.partition(_EMPTY)
    if not found:
        raise ReleaseError("CHANGELOG.md has no heading ## [Unreleased].")
    body, _, older = rest.partition("\n## [")
    if not re.search(r"^- ", body, re.MULTILINE):
        raise ReleaseError("CHANGELOG.md says nothing under Unreleased: what does this release bring?")
    older = f"\n## [{older}" if older else ""
    return f"{head}{_EMPTY}\n## [{version}] - {day.isoformat()}\n{body}{older}"
