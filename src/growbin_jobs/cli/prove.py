"""``growbin-jobs prove``: a signed proof that nothing was lost and nothing done twice, and its check."""

import os
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from growbin_jobs.cli.console import complain, print_json, say
from growbin_jobs.cli.spoken import spoken
from growbin_jobs.cli.target import EngineName

Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, and nothing else.")]

#: Exit code where nothing is wrong in what could be checked, and not all could.
INCOMPLETE = 3


def prove(
    ctx: typer.Context,
    from_: Annotated[
        str | None, typer.Option("--from", help="A time such as 2026-12-01 or 2026-12-01T09:00. Default: a day ago.")
    ] = None,
    to: Annotated[str | None, typer.Option("--to", help="A time, as --from. Default: now.")] = None,
    output: Annotated[Path | None, typer.Option(help="Write the signed proof to this file.")] = None,
    json: Json = False,
    _engine: EngineName = None,
) -> None:
    """Prove from the tables of now that of a span of time nothing was lost and nothing was done twice.

    Messages: accepted = completed + dead + in flight. Analyses: each at its end, or with a message in flight. Schedule:
    each due time once. Limits: each kept. Paid answers: each paid for once. Of an engine of your own: messages.

    Exit code 1: something does not hold. Exit code 3: nothing is wrong, but not all could be checked.

    \b
    Examples:
      growbin-jobs prove
      growbin-jobs prove --from 2026-11-01 --to 2026-12-01 --output november.json
      growbin-jobs prove --json | jq '.statement.parts[] | select(.verdict != "holds")'
    """
    if ctx.invoked_subcommand is not None:
        return
    from growbin_jobs import settings as _settings
    from growbin_jobs.cli import prove_view as view
    from growbin_jobs.cli import target
    from growbin_jobs.cli.days import moment_of
    from growbin_jobs.operations.json_ready import as_json
    from growbin_jobs.operations.proofs.parts import Verdict
    from growbin_jobs.operations.proofs.signature import signed
    from growbin_jobs.proving import proof_of, proof_of_engine

    config = target.config()
    until = moment_of(to, config.timezone) or datetime.now(UTC)
    since = moment_of(from_, config.timezone) or until - timedelta(days=1)
    if target.is_growbin():
        proof = proof_of(_settings.load(), target.central(), _depths, since, until)
    else:
        proof = proof_of_engine(config, target.central(), since, until)
    document = signed(as_json(proof), config.node_dir) if json or output else None
    if output is not None and document is not None:
        _write(output, document)
        say(spoken("Signed by the key {key}: {file}", key=document["signature"]["key"], file=output))
    if json and document is not None:
        print_json(document)
    elif output is None or not json:
        view.print_proof(proof)
    raise typer.Exit({Verdict.HOLDS: 0, Verdict.INCOMPLETE: INCOMPLETE, Verdict.BROKEN: 1}[proof.verdict])


def verify(
    file: Annotated[Path, typer.Argument(help="A signed proof: what --output wrote, or the monitor's download.")],
    key: Annotated[
        str | None, typer.Option(help="Fingerprint of the key that you trust. Default: this node's own.")
    ] = None,
    json: Json = False,
) -> None:
    """Check that a signed proof is as it was signed, by a key that you trust. Exit code 1 when it is not.

    It says nothing new about what was proven: for that run `growbin-jobs prove` for the same span.

    \b
    Examples:
      growbin-jobs prove verify november.json
      growbin-jobs prove verify november.json --key 0f3d2c4b5a69788796a5b4c3d2e1f001
    """
    from growbin_jobs import settings as _settings
    from growbin_jobs.operations.proofs.signature import check

    found = check(file, _settings.load().node_dir, trusted=key)
    verdict = str(found.statement.get("verdict", "?"))
    if json:
        print_json({"genuine": found.genuine, "key": found.key, "why": found.why, "verdict": verdict})
    elif found.genuine:
        say(f"Genuine: {found.why} ({found.key}). The proof says: {verdict}.", "bold green")
    if not found.genuine:
        if not json:
            complain(str(file), f"not genuine: {found.why} (key {found.key}).")
        raise typer.Exit(1)


def _depths(queues: Iterable[str]) -> Any:
    from contextlib import closing

    from growbin_jobs.cli import target
    from growbin_jobs.engine.opening import open_broker

    with closing(open_broker(target.config(), [])) as broker:
        return broker.depths(queues)


def _write(path: Path, document: dict[str, Any]) -> None:
    """Write the file whole or not at all."""
    import json

    from growbin_jobs.errors import ConfigurationError

    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", "utf-8")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}. Choose another --output.") from None
