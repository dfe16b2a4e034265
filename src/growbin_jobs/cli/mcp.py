"""``growbin-jobs mcp``: the monitor's API for a program that works with a language model, by stdin and stdout."""

import sys
from typing import Annotated

import typer

from growbin_jobs.cli import target
from growbin_jobs.cli.monitor import installed
from growbin_jobs.cli.person import name_of_person
from growbin_jobs.cli.target import EngineName


def mcp(
    role: Annotated[
        str, typer.Option(help="What it may see: viewer or admin; +personal behind it lets see personal data.")
    ] = "viewer",
    _engine: EngineName = None,
) -> None:
    """Answer the Model Context Protocol on stdin and stdout. It reads, and changes nothing; what it sees of people is
    in the audit. Programs start it themselves; by HTTP the monitor answers at /api/mcp.

    \b
    Examples:
      growbin-jobs mcp --role viewer+personal
      {"mcpServers": {"jobs": {"command": "growbin-jobs", "args": ["mcp"]}}}
    """
    with installed():
        from growbin_jobs.monitor.bootstrap import make_services
        from growbin_jobs.monitor.people import Grant
        from growbin_jobs.monitor.stdio import serve

    services = make_services(another=target.another())
    try:
        serve(services, name_of_person(), Grant.parse(role), sys.stdin, sys.stdout)
    finally:
        services.close()
