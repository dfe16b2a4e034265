"""``growbin-jobs analyze`` and ``growbin-jobs status``."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from growbin_jobs.cli.console import complain, one_line, print_json, print_line, say
from growbin_jobs.cli.spoken import spoken

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object a photo, and nothing else, on stdout.")]

_NO_WORKER = (
    "Nothing has begun yet: is a worker running? Start both groups with `growbin-jobs up`; where they run, "
    "`growbin-jobs doctor` says why they take nothing."
)


def analyze(
    photos: Annotated[list[Path], typer.Argument(help="Photos to hand in: JPEG, PNG or WebP.")],
    json: Json = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Print the ids and return at once.")] = False,
    user: Annotated[str, typer.Option(help="Whose photos they are.")] = "cli",
    timeout: Annotated[float, typer.Option(help="Seconds to wait for all of them.", min=1)] = 300.0,
    language: Annotated[
        str | None, typer.Option(help="Of the advice: ko or en. Default: the workers'.", metavar="ko|en")
    ] = None,
    tier: Annotated[
        Literal["batch"] | None,
        typer.Option(help="batch: for photos that have a day's time, at half the price where the server has batches."),
    ] = None,
) -> None:
    """Hand in photos and show how to sort what is on them.

    Exit code 0: all completed; 1: at least one failed; 3: still on their way when the time was up. Ctrl-C ends the
    waiting and nothing else.

    \b
    Examples:
      growbin-jobs analyze bottle.jpg can.jpg
      growbin-jobs analyze --json *.jpg | jq -r .category
      growbin-jobs analyze --language en bottle.jpg
      growbin-jobs status $(growbin-jobs analyze --no-wait bottle.jpg)
      growbin-jobs analyze --no-wait --tier batch archive/*.jpg
    """
    labels, complete = hand_in(photos, user=user, json=json, language=language, tier=tier)
    if no_wait:
        with _ids_kept(labels):
            for analysis_id, photo in labels.items():
                print_json({"photo": photo, "id": analysis_id}) if json else print_line(analysis_id)
        raise typer.Exit(0 if complete else 1)
    with _ids_kept(labels):
        code = finish(labels, json=json, timeout=timeout, hint=_NO_WORKER)
    raise typer.Exit(max(code, 0 if complete else 1))


@contextmanager
def _ids_kept(labels: Iterable[str]) -> Iterator[None]:
    """Say on stderr which analyses were accepted, when the waiting or the printing ends before its time."""
    try:
        yield
    except (KeyboardInterrupt, Exception) as error:
        ids = ", ".join(labels)
        if ids:
            say(spoken("They go on without us; `growbin-jobs status` knows them: {ids}", ids=ids), "yellow")
        if isinstance(error, KeyboardInterrupt):
            raise typer.Exit(130) from None
        raise


def hand_in(
    photos: Sequence[Path], *, user: str, json: bool, language: Any = None, tier: Any = None
) -> tuple[dict[str, str], bool]:
    """Hand in photos; say which were not accepted, and why.

    Returns:
      The photo's path by analysis id, and True when all were accepted.
    """
    from dramatiq.errors import BrokerConnectionError

    from growbin_jobs import client
    from growbin_jobs.errors import GrowbinError, PictureRefused

    labels: dict[str, str] = {}
    refused: list[dict[str, Any]] = []
    outage = ""
    with _ids_kept(labels):
        for photo in photos:
            code, sentence = None, outage
            try:
                if not outage:
                    labels[client.submit_analysis(user, photo, language=language, tier=tier)] = str(photo)
                    continue
            except PictureRefused as error:
                code, sentence = error.code, _not_there(photo) if error.code == "picture_missing" else str(error)
            except OSError as error:
                sentence = f"{error.strerror or error}."
            except (GrowbinError, BrokerConnectionError) as error:  # the next photo would wait for the same thing
                sentence = outage = str(error)
            refused.append({"photo": str(photo), "id": None, "status": "failed", "error_code": code, "error": sentence})
        for one in refused:
            complain(one["photo"], one["error"])
            if json:
                print_json(one)
    return labels, not refused


def _not_there(photo: Path) -> str:
    return "This is a folder. Name the photos in it." if photo.is_dir() else "There is no such file."


def finish(
    labels: dict[str, str],
    *,
    json: bool,
    timeout: float,
    hint: str = "",
    check: Callable[[], int | None] = lambda: None,
) -> int:
    """Wait for analyses and print them; return the exit code.

    Parameters:
      labels: What to call each analysis id.
      json: Print JSON instead of panels.
      timeout: Seconds to wait at most.
      hint: Said when nothing has begun after a while.
      check: Called again and again meanwhile; anything but None ends the waiting.
    """
    from growbin_jobs import client
    from growbin_jobs.cli import report
    from growbin_jobs.cli.watch import watch
    from growbin_jobs.states import AnalysisStatus

    seen = watch(client.analyses(), labels, timeout=timeout, hint=hint, check=check)
    for analysis_id, photo in labels.items():
        if analysis_id in seen:
            print_json(report.as_json(seen[analysis_id], photo)) if json else report.show(seen[analysis_id], photo)
    unfinished = [key for key in labels if key not in seen or not seen[key].status.is_final]
    if unfinished:
        photos = ", ".join(one_line(labels[key]) for key in unfinished)
        say(spoken("Not finished: {photos}", photos=photos), "yellow")
        return 3
    return int(any(one.status is AnalysisStatus.FAILED for one in seen.values()))


def status(
    analysis_id: Annotated[str, typer.Argument(help="What `analyze --no-wait` or the API returned.")],
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """Show how far an analysis is; while it waits for a limit of paid calls, its place and when its turn should come.

    \b
    Examples:
      growbin-jobs status 0b6f7c1e5d0f4c7c9a3e8f2b1a6d4c55
      growbin-jobs status --json 0b6f7c1e5d0f4c7c9a3e8f2b1a6d4c55 | jq .status
    """
    from growbin_jobs import client
    from growbin_jobs.cli import report
    from growbin_jobs.errors import NotFound

    found = client.find_analysis(analysis_id)
    if found is None:
        raise NotFound(
            f"There is no analysis {analysis_id!r} in this database; `growbin-jobs settings` shows which one it is."
        )
    turn, batches = client.find_turn(found), client.find_batches(found)
    if json:
        print_json(report.as_json(found, turn=turn, batches=batches))
    else:
        report.show(found, turn=turn, batches=batches)
