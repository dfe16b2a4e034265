"""``growbin-jobs queues …``: what waits where, and what is paused; and ``tasks revoke`` and ``tasks abort``."""

from typing import TYPE_CHECKING, Annotated

import typer

from growbin_jobs.cli.audited import record
from growbin_jobs.cli.console import print_json
from growbin_jobs.cli.journal import Json
from growbin_jobs.cli.person import language, name_of_person
from growbin_jobs.cli.target import EngineName

if TYPE_CHECKING:
    from growbin_jobs.engine.control.table import Control
    from growbin_jobs.engine.task_results import TaskResult
    from growbin_jobs.operations.control import Dropped, Pausable

Name = Annotated[str, typer.Argument(help="The queue, as `queues list` shows it; or with --actor the actor.")]
IsActor = Annotated[bool, typer.Option("--actor", help="The name is an actor's: the others of its queue go on.")]
Why = Annotated[str, typer.Option(help="For those who wonder later.")]
TaskId = Annotated[str, typer.Argument(metavar="ID", help="The message's id.")]


def list_(json: Json = False, _engine: EngineName = None) -> None:
    """List the queues: how many messages wait, are at workers, and were given up; and who has paused what.

    \b
    Examples:
      growbin-jobs queues list
      growbin-jobs queues list --json | jq -r 'select(.paused) | .name'
    """
    from contextlib import closing

    from growbin_jobs.cli import queues_view as view
    from growbin_jobs.cli import target
    from growbin_jobs.engine.inspect import Inspector
    from growbin_jobs.engine.opening import open_broker
    from growbin_jobs.operations import control
    from growbin_jobs.operations.json_ready import as_json

    config, database = target.config(), target.central()
    with closing(open_broker(config, [])) as broker:
        found = control.list_queues(Inspector(config, broker, database).queues())
    actors = control.paused_actors(_control())
    if not json:
        view.print_queues(found, actors, language())
    for each in [*found, *actors] if json else ():
        print_json(as_json(each))


def pause(
    name: Name,
    why: Why,
    actor: IsActor = False,
    minutes: Annotated[
        float | None, typer.Option(help="It goes on by itself after so many.", min=0.01, max=5_256_000)
    ] = None,
    json: Json = False,
    _engine: EngineName = None,
) -> None:
    """Let no message of a queue or an actor begin, on any node, within two seconds. What runs goes on.

    Producers go on sending. The pause survives restarts of workers and of the central database.

    \b
    Examples:
      growbin-jobs queues pause vision_analysis --why "the model answers nonsense"
      growbin-jobs queues pause --actor generate_response --why "a new prompt" --minutes 30
    """
    import time

    from growbin_jobs.cli import queues_view as view
    from growbin_jobs.cli import target
    from growbin_jobs.operations import control
    from growbin_jobs.operations.json_ready import as_json

    kind: Pausable = "actor" if actor else "queue"
    until = None if minutes is None else time.time() + minutes * 60
    known = _known(kind)
    if name in known:
        record(target.central(), f"{kind}.paused", target=name, reason=why, details={"minutes": minutes})
    done = control.pause(_control(), kind, name, known=known, by=name_of_person(), reason=why, until=until)
    print_json(as_json(done)) if json else view.print_paused(done, language())


def resume(name: Name, actor: IsActor = False, json: Json = False, _engine: EngineName = None) -> None:
    """Let messages of a queue or an actor begin again, within two seconds.

    \b
    Examples:
      growbin-jobs queues resume vision_analysis
      growbin-jobs queues resume --actor generate_response
    """
    from growbin_jobs.cli import queues_view as view
    from growbin_jobs.cli import target
    from growbin_jobs.operations import control
    from growbin_jobs.operations.json_ready import as_json

    kind: Pausable = "actor" if actor else "queue"
    record(target.central(), f"{kind}.resumed", target=name)
    done = control.resume(_control(), kind, name, by=name_of_person())
    print_json(as_json(done)) if json else view.print_resumed(done, language())


def history(
    name: Annotated[str | None, typer.Argument(help="Only of this queue or actor.")] = None,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=10_000)] = 50,
    json: Json = False,
    _engine: EngineName = None,
) -> None:
    """Show who has paused and resumed which queue or actor, and why, the newest first.

    \b
    Examples:
      growbin-jobs queues history
      growbin-jobs queues history vision_analysis --json
    """
    from growbin_jobs.cli import queues_view as view
    from growbin_jobs.cli import target
    from growbin_jobs.engine.control.history import history as told
    from growbin_jobs.operations.json_ready import as_json

    found = told(target.central(), name=name, limit=limit)
    for each in found if json else ():
        print_json(as_json(each))
    if not json:
        view.print_history(found, language())


def revoke(
    task_id: TaskId,
    why: Why = "",
    undo: Annotated[bool, typer.Option("--undo", help="Take it back: the message may run.")] = False,
    json: Json = False,
    _engine: EngineName = None,
) -> None:
    """Let a message not run: it is dropped when its turn comes, wherever it waits. What runs goes on.

    That is final: it is no dead letter. Exit code 1 when the message has ended already.

    \b
    Examples:
      growbin-jobs tasks revoke 6f1c2f0e-9d3e-5a52-8f0e-2b7e0c4c1a11 --why "sent twice"
      growbin-jobs tasks revoke 6f1c2f0e-9d3e-5a52-8f0e-2b7e0c4c1a11 --undo
    """
    from growbin_jobs.cli import target
    from growbin_jobs.operations import control

    action = "task.revocation_withdrawn" if undo else "task.revoked"
    record(target.central(), action, target=task_id, reason=why)
    if undo:
        done = control.withdraw(_control(), _asked, task_id)
    else:
        done = control.revoke(_control(), _asked, task_id, by=name_of_person(), reason=why)
    _show(done, json=json)


def abort(task_id: TaskId, why: Why = "", json: Json = False, _engine: EngineName = None) -> None:
    """Let a message not run, and interrupt it if it does, within two seconds, as its time limit would.

    That is final: it is no dead letter, and not retried. Exit code 1 when the message has ended already.

    \b
    Examples:
      growbin-jobs tasks abort 6f1c2f0e-9d3e-5a52-8f0e-2b7e0c4c1a11 --why "it hangs"
    """
    from growbin_jobs.cli import target
    from growbin_jobs.operations import control

    record(target.central(), "task.aborted", target=task_id, reason=why)
    _show(control.abort(_control(), _asked, task_id, by=name_of_person(), reason=why), json=json)


# --- what commands stand on


def _show(done: "Dropped", *, json: bool) -> None:
    from growbin_jobs.cli import queues_view as view
    from growbin_jobs.operations.json_ready import as_json

    print_json(as_json(done)) if json else view.print_dropped(done, language())
    raise typer.Exit(int(not done.accepted))


def _control() -> "Control":
    from growbin_jobs.cli import target
    from growbin_jobs.engine.control.table import Control

    return Control(target.central())


def _known(kind: "Pausable") -> set[str]:
    from contextlib import closing, suppress

    from growbin_jobs.cli import target
    from growbin_jobs.engine.broker.errors import AWAY
    from growbin_jobs.engine.central.worker_actors import WorkerActors
    from growbin_jobs.engine.opening import open_broker

    if kind == "actor":
        registered = WorkerActors(target.central()).all()
        return set(target.actors()).union(*(each.actors for each in registered))
    config = target.config()
    own = set[str]().union(*(group.queues for group in config.groups))
    with suppress(AWAY), closing(open_broker(config, [])) as broker:  # a pause is of the database: it needs no broker
        return own | set(broker.depths())
    return own


def _asked(task_id: str) -> "TaskResult":
    from growbin_jobs.cli import target
    from growbin_jobs.engine.results import EngineResults
    from growbin_jobs.engine.task_lookup import TaskLookup
    from growbin_jobs.engine.task_results import TaskResult

    return TaskResult(task_id, TaskLookup(EngineResults(target.config())), sent=False)
