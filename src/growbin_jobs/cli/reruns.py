"""``growbin-jobs tasks retry|run-again|edit``: what a person lets run once more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from growbin_jobs.cli.audited import record
from growbin_jobs.cli.console import print_json, print_line
from growbin_jobs.cli.journal import Json
from growbin_jobs.cli.person import language, name_of_person
from growbin_jobs.cli.target import EngineName
from growbin_jobs.sentences import Words, worded

if TYPE_CHECKING:
    from growbin_jobs.engine.central.reruns import Rerun

TaskId = Annotated[str, typer.Argument(metavar="ID", help="The task's id.")]
Why = Annotated[str, typer.Option(help="For those who wonder later.")]
Seen = Annotated[
    int | None, typer.Option(help="How many reruns of it you know of; else an earlier one must have ended.", min=0)
]

_SAID: Words = {
    "again": {"en": "{task} runs again as {new}.", "ko": "{task}을(를) {new}(으)로 다시 실행합니다."},
    "edited": {"en": "{new} takes the place of {task}.", "ko": "{new}이(가) {task}을(를) 대신합니다."},
    "retry": {"en": "{task} runs once more, under the same id.", "ko": "{task}을(를) 같은 id로 다시 실행합니다."},
}


def retry(task_id: TaskId, why: Why = "", json: Json = False, _engine: EngineName = None) -> None:
    """Let a dead task of any node run once more, under its id, with its retries counted anew.

    Of all who ask at once, one gets a run; the others read who was first. A keeper sends it, of another node where its
    own is gone.

    \b
    Examples:
      growbin-jobs tasks retry 6f1c2f0e-9d3e-5a52-8f0e-2b7e0c4c1a11
    """
    from growbin_jobs.cli import target
    from growbin_jobs.operations import letter_verbs
    from growbin_jobs.operations.json_ready import as_json

    database = target.central()
    record(database, "task.retried", target=task_id, reason=why)
    done = letter_verbs.retry_task(database, task_id, by=name_of_person())
    print_json(as_json(done)) if json else print_line(worded(_SAID, "retry", language(), task=task_id))


def run_again(
    task_id: TaskId,
    why: Why = "",
    fresh: Annotated[bool, typer.Option("--fresh", help="Ask models anew: saved answers are not used.")] = False,
    seen: Seen = None,
    json: Json = False,
    _engine: EngineName = None,
) -> None:
    """Let a task run again as a new one, whatever became of it: same arguments and options, a new id.

    Any stage of an analysis can run again; `tasks tree` shows their ids. Answers of models that are saved are used,
    and cost nothing. `tasks show` of either task names the other.

    \b
    Examples:
      growbin-jobs tasks run-again 6f1c2f0e-9d3e-5a52-8f0e-2b7e0c4c1a11
      growbin-jobs tasks run-again 6f1c2f0e-9d3e-5a52-8f0e-2b7e0c4c1a11 --fresh --why "the answer was wrong"
    """
    from growbin_jobs.cli import target
    from growbin_jobs.operations import reruns

    database = target.central()
    record(database, "task.run_again", target=task_id, reason=why, details={"fresh": fresh})
    made = reruns.run_again(database, task_id, by=name_of_person(), reason=why, fresh=fresh, seen=seen)
    _show(made, json=json)


def edit(
    task_id: TaskId,
    args: Annotated[str | None, typer.Option(help="The arguments, as a JSON list. Default: as they were.")] = None,
    kwargs: Annotated[str | None, typer.Option(help="Named ones, as a JSON object. Default: as they were.")] = None,
    run_at: Annotated[str | None, typer.Option(help="Not before, such as 2026-12-01T09:00.")] = None,
    why: Why = "",
    seen: Seen = None,
    json: Json = False,
    _engine: EngineName = None,
) -> None:
    """Let a task run with other arguments, now or at a time, as a new one that takes the place of the old one.

    The arguments are checked against what the actor takes before anything is sent. A dead letter of the old task is
    discarded; where it still waits it is revoked. A task that is due later can be revoked until then.

    \b
    Examples:
      growbin-jobs tasks edit 6f1c2f0e-9d3e-5a52-8f0e-2b7e0c4c1a11 --args '["a1", "s3://growbin/u1/a1/original.jpg"]'
      growbin-jobs tasks edit 6f1c2f0e-9d3e-5a52-8f0e-2b7e0c4c1a11 --run-at 2026-12-01T09:00
    """
    from growbin_jobs.cli import acts, target
    from growbin_jobs.cli.days import moment_of, zone_named
    from growbin_jobs.operations import reruns
    from growbin_jobs.operations.signatures import parse_json

    database = target.central()
    _, old_args, old_kwargs = reruns.arguments_of(database, task_id)
    new_args = old_args if args is None else parse_json(args, list, "The arguments")
    new_kwargs = old_kwargs if kwargs is None else parse_json(kwargs, dict, "The named arguments")
    due_at = moment_of(run_at, zone_named(None).key)
    details = {"due_at": due_at.isoformat() if due_at else None}  # not the arguments, which are personal data
    record(database, "task.edited_and_run", target=task_id, reason=why, details=details)
    made = reruns.edit_and_run(
        database, task_id, new_args, new_kwargs, by=name_of_person(), function_of=acts.function_of, reason=why,
        due_at=due_at, seen=seen,
    )  # fmt: skip
    _show(made, json=json)


def _show(made: Rerun, *, json: bool) -> None:
    from growbin_jobs.operations.json_ready import as_json

    if json:
        print_json(as_json(made))
    else:
        print_line(worded(_SAID, made.kind.value, language(), task=made.rerun_of, new=made.task_id))
