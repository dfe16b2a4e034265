"""The command line of scripts/release."""

import argparse
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from releasing.errors import ReleaseError
from releasing.packages import built_twice, digest
from releasing.version import check_newer, current, dated, set_version

PROJECT = Path(__file__).resolve().parents[2]
SOURCE = PROJECT / "src" / "growbin_jobs" / "__init__.py"

_EXAMPLES = """\
examples:
  scripts/release build                build what is committed into dist/, twice, and compare
  scripts/release 1.2.0                all of it; nothing leaves this machine
  scripts/release 1.2.0 --checked      GROWBIN_TEST_ALL=1 .ci/run has passed for this commit
"""


def main() -> int:
    """Do what is asked, and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="scripts/release", epilog=_EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Set version and changelog, check, commit, tag, build wheel, sdist and SBOM into dist/.",
    )  # fmt: skip
    parser.add_argument("version", help="such as 1.2.0 or 1.2.0rc1; or the word build")
    parser.add_argument("--checked", action="store_true", help="do not run .ci/run")
    options = parser.parse_args()
    try:
        if options.version == "build":
            _build("HEAD")
        else:
            _release(options.version, options.checked)
    except ReleaseError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _release(version: str, checked: bool) -> None:
    if _git("status", "--porcelain"):
        raise ReleaseError("There are changes that are not committed: commit or stash them first.")
    check_newer(version, _git("tag", "--list", "v*").split())
    changelog = PROJECT / "CHANGELOG.md"
    text = dated(changelog.read_text(), version, datetime.now(UTC).date())
    if not checked:
        print("Checking (GROWBIN_TEST_ALL=1 .ci/run)…", file=sys.stderr)
        everything = os.environ | {"GROWBIN_TEST_ALL": "1"}
        if subprocess.run([PROJECT / ".ci" / "run"], env=everything, stdout=sys.stderr, check=False).returncode:
            raise ReleaseError(".ci/run fails; nothing was changed.")
    changelog.write_text(text)
    set_version(SOURCE, version)
    _git("commit", "--quiet", "--all", "--message", f"Release {version}")
    _build("HEAD")
    # Last: what could not be built has no tag.
    _git("tag", "--annotate", f"v{version}", "--message", f"growbin-jobs {version}")
    print(
        f"\nTagged v{version}. What is left, by hand:\n"
        f"  git push --follow-tags\n"
        f"  scripts/image --base docker.io/library/python@sha256:… --tag REGISTRY/growbin-jobs:{version} --push",
        file=sys.stderr,
    )


def _build(commit: str) -> None:
    target = PROJECT / "dist"
    target.mkdir(exist_ok=True)
    for old in target.iterdir():
        old.unlink()
    found = built_twice(PROJECT, commit, target)
    subprocess.run([PROJECT / "scripts" / "sbom"], stdout=subprocess.DEVNULL, check=True)
    found.append(target / f"growbin-jobs-{current(SOURCE)}.cdx.json")
    sums = "".join(f"{digest(path)}  {path.name}\n" for path in found)
    (target / "SHA256SUMS").write_text(sums)
    print(sums, end="")


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", "-C", PROJECT, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ReleaseError(done.stderr.strip())
    return done.stdout.strip()
