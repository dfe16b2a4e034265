"""``scripts/bench gate-proof``: a cluster under load against a server that counts by itself."""

from dataclasses import asdict
from typing import Annotated, Any, Literal

import typer

from benchmarks import report
from benchmarks.gate_cluster import Plan, private_postgres, run

#: Part of the limit that must be used under load.
LEAST_USE = 0.97


def command(
    seconds: Annotated[float, typer.Option(help="How long each run lasts; less than 130 says little.", min=60)] = 300.0,
    database: Annotated[Literal["postgresql", "sqlite", "both"], typer.Option(help="Where the limits are.")] = "both",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> None:
    """Prove the limits: 3 nodes × 3 processes × 16 threads ask as often as 100 pictures and 200 texts a minute allow.

    \b
    The server counts each request up to 1 s late and answers 429 beyond its limit. A node is killed and started anew,
    one is paused for 20 s, one is added. Exit code 1: more than the limit in any 60 s of the server's own count, an
    answer of 429, a request that OpenAI's schema refuses, or less than 97 % of a limit used in steady state. That
    leaves out the 10 s after a node was killed, paused or resumed: what it held is lost with it.

    \b
    Examples:
      scripts/bench gate-proof
      scripts/bench gate-proof --seconds 900 --database postgresql --json
    """
    third = seconds / 3
    plan = Plan(seconds=seconds, kill_at=[third * 0.9], pause_at=[third * 1.5], add_at=[third * 2.1])
    results: dict[str, Any] = {"machine": report.machine(), "seconds": seconds, "runs": {}}
    for name in ("postgresql", "sqlite") if database == "both" else (database,):
        report.note(f"{name}, {seconds:.0f} s…")
        if name == "sqlite":
            results["runs"][name] = run(plan, None)
        else:
            with private_postgres() as url:
                results["runs"][name] = run(plan, url)
    failures = [words for name, found in results["runs"].items() for words in broken(name, found)]
    for found in results["runs"].values():
        found["judged"] = {kind: asdict(judged) for kind, judged in found["judged"].items()}
    if as_json:
        report.dump(results | {"failures": failures})
    else:
        _show(results, failures)
    if failures:
        raise typer.Exit(1)


def broken(name: str, found: dict[str, Any], *, least_use: float = LEAST_USE) -> list[str]:
    """Return which promises a run broke, in words."""
    words = []
    for kind, judged in found["judged"].items():
        if judged.worst > judged.limit:
            words.append(f"{name}: {judged.worst} {kind} requests in one window, {judged.limit} are allowed")
        if judged.steady < least_use:
            words.append(f"{name}: {judged.steady:.1%} of {kind} were used, {least_use:.0%} are promised")
    if found["refused"]:
        words.append(f"{name}: {found['refused']} answers of 429")
    if found["violations"]:
        words.append(f"{name}: OpenAI would refuse a request: {found['violations'][0]}")
    return words


def _show(results: dict[str, Any], failures: list[str]) -> None:
    rows = [
        [f"{name} {kind}", judged["limit"], judged["worst"], f"{judged['steady']:.1%}", f"{judged['use']:.1%}",
         judged["counted"], found["refused"]]
        for name, found in results["runs"].items()
        for kind, judged in found["judged"].items()
    ]  # fmt: skip
    report.show("As the server counted", ["", "limit", "worst", "used, steady", "used, all", "in all", "429"], rows)
    for name, found in results["runs"].items():
        print(f"{name}: {', '.join(found['events'])}")
    print("\n".join(failures) or "Every promise was kept.")
