"""``growbin-jobs models …``: what another model would say, cost and take; what the servers of models take."""

from typing import Annotated

import typer

from growbin_jobs.cli.console import print_json, say
from growbin_jobs.cli.journal import Json
from growbin_jobs.cli.spoken import spoken


def rehearse(
    model: Annotated[str, typer.Argument(help="The model to try, such as the successor of the one that you use.")],
    sample: Annotated[int, typer.Option(help="Pictures at most.", min=1, max=10_000)] = 100,
    agreement: Annotated[float, typer.Option(help="Least share with the same category.", min=0, max=1)] = 0.9,
    effort: Annotated[str | None, typer.Option(help="Reasoning effort. Default: that of the vision call.")] = None,
    side: Annotated[int | None, typer.Option(help="Largest side of the pictures.", min=64, max=2048)] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout, money in micro-dollars.")] = False,
) -> None:
    """Let another model look at past pictures, and compare: agreement by category, cost, latency, and a verdict.

    No result is touched. The requests are paid for: they pass the limits and the total budget, and `usage` shows them
    with the purpose rehearsal. `doctor` reads the verdict. Exit code 1 for a no-go.

    \b
    Examples:
      growbin-jobs models rehearse gpt-6.1-sol --sample 200
      growbin-jobs models rehearse gpt-6-luna --effort low --json | jq '.now, .then'
    """
    from contextlib import nullcontext

    from rich.progress import Progress

    from growbin_jobs import settings as _settings
    from growbin_jobs.ai.rehearsal import rehearse_vision
    from growbin_jobs.cli import models_view as view
    from growbin_jobs.cli.console import err
    from growbin_jobs.operations.json_ready import as_json
    from growbin_jobs.operations.rehearsal_verdict import Standards

    settings = _settings.load()
    changed = {"vision_reasoning_effort": effort, "vision_side": side}
    settings = settings.model_copy(update={name: value for name, value in changed.items() if value is not None})
    standards = Standards(agreement=agreement, latency=settings.vision_timeout * 0.8)
    progress = Progress(console=err, transient=True) if err.is_terminal and not json else None
    with progress or nullcontext():
        task = progress.add_task(f"{model}", total=sample) if progress else None

        def tell(done: int, of: int) -> None:
            if progress is not None and task is not None:
                progress.update(task, completed=done, total=of)

        done = rehearse_vision(settings, model, sample, standards, tell=tell)
    if json:
        print_json(as_json(done) | {"verdict": done.verdict})
    else:
        view.print_rehearsal(done)
        say(spoken("doctor reads this verdict: growbin-jobs doctor"), "dim")
    raise typer.Exit(int(done.verdict != "go"))


def servers(json: Json = False) -> None:
    """List what was learnt of the models' servers: what they refuse and is no longer sent to them, and what they said.

    Each thing cost one request, of one node, once. What is known without asking is in docs/models.md.

    \b
    Examples:
      growbin-jobs models servers
      growbin-jobs models servers --json | jq -r '.refused | keys[]'
    """
    from growbin_jobs.cli import models_view as view
    from growbin_jobs.cli import target
    from growbin_jobs.operations.json_ready import as_json
    from growbin_jobs.operations.model_servers import known_servers

    found = known_servers(target.central())
    if not json:
        view.print_servers(found)
    for one in found if json else ():
        print_json(as_json(one))


def forget(
    model: Annotated[str | None, typer.Argument(help="Its name on the server. Default: all.")] = None,
    json: Json = False,
) -> None:
    """Forget what was learnt of a model's server, after that was upgraded; restart the workers, which remember it too.

    \b
    Examples:
      growbin-jobs models forget llama-3.3
      growbin-jobs models forget --json
    """
    from growbin_jobs.cli import target
    from growbin_jobs.operations.model_servers import forget_servers

    count = forget_servers(target.central(), model)
    print_json({"forgotten": count}) if json else say(spoken("Forgotten: {number}. Restart the workers.", number=count))
